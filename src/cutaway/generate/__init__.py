"""The plain generation loop and its relatives: the reference for everything faster.

The functions are imported when first used: the loop needs no torch where native kernels read, the searches do.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutaway.generate.beams import beam_search
    from cutaway.generate.completion import Completion, Generation, Step
    from cutaway.generate.contrastive import contrastive_search
    from cutaway.generate.loop import generate, stream
    from cutaway.generate.reading import Network
    from cutaway.generate.scoring import Prediction, TokenScore, score
    from cutaway.generate.speculation import Speculation, Tally
    from cutaway.generate.templates import few_shot, question_answering, tldr

__all__ = [
    "Completion",
    "Generation",
    "Network",
    "Prediction",
    "Speculation",
    "Step",
    "Tally",
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

_MODULE_OF = {
    "beam_search": "beams",
    "contrastive_search": "contrastive",
    "Network": "reading",
    **dict.fromkeys(["Completion", "Generation", "Step"], "completion"),
    **dict.fromkeys(["generate", "stream"], "loop"),
    **dict.fromkeys(["Prediction", "TokenScore", "score"], "scoring"),
    **dict.fromkeys(["Speculation", "Tally"], "speculation"),
    **dict.fromkeys(["few_shot", "question_answering", "tldr"], "templates"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
