"""Which chapters there are, and where their exercises stand."""

import importlib

from cutaway.errors import ConfigError
from cutaway.guide.exercise import Chapter

MODULES = {
    1: "cutaway.guide.language_models",
    2: "cutaway.guide.counting",
    3: "cutaway.guide.tokens",
    4: "cutaway.guide.embeddings",
    5: "cutaway.guide.attention",
    6: "cutaway.guide.flash_attention",
    7: "cutaway.guide.blocks",
    8: "cutaway.guide.whole_model",
    9: "cutaway.guide.learning",
    10: "cutaway.guide.training",
    11: "cutaway.guide.many_machines",
    12: "cutaway.guide.sampling",
    13: "cutaway.guide.speed",
    14: "cutaway.guide.looking_inside",
    15: "cutaway.guide.evaluation",
    16: "cutaway.guide.paper",
}


def chapter(number: int) -> Chapter:
    """The chapter of that number.

    Raises: ConfigError when there is none.
    """
    if number not in MODULES:
        known = ", ".join(map(str, MODULES))
        raise ConfigError(f"there is no chapter {number} with exercises; there are {known}")
    found: Chapter = importlib.import_module(MODULES[number]).CHAPTER
    return found
