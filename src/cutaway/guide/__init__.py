"""What the guide needs beside its pages: a text to learn from, and exercises that are checked by running."""

from cutaway.guide.chapters import chapter
from cutaway.guide.exercise import Chapter, Exercise, Verdict
from cutaway.guide.shakespeare import shakespeare

__all__ = ["Chapter", "Exercise", "Verdict", "chapter", "shakespeare"]
