"""A text to learn from."""

from importlib.resources import files


def shakespeare() -> str:
    """The first 150,000 letters of Coriolanus, speaker by speaker.

    Source: the collection known as Tiny Shakespeare, from karpathy/char-rnn; the play is in the public domain.
    """
    return (files("cutaway.guide") / "shakespeare.txt").read_text(encoding="utf-8")
