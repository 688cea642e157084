"""The plain generation loop and its relatives: the reference for everything faster."""

from cutaway.generate.beams import beam_search
from cutaway.generate.completion import Completion, Generation, Step
from cutaway.generate.contrastive import contrastive_search
from cutaway.generate.loop import generate, stream
from cutaway.generate.scoring import Prediction, TokenScore, score
from cutaway.generate.templates import few_shot, question_answering, tldr

__all__ = [
    "Completion",
    "Generation",
    "Prediction",
    "Step",
    "TokenScore",
    "beam_search",
    "contrastive_search",
    "few_shot",
    "generate",
    "question_answering",
    "score",
    "stream",
    "tldr",
]
