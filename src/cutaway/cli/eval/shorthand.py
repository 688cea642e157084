"""`cutaway eval hellaswag` in place of `eval choices hellaswag`, and `eval lambada` of `eval paper --set lambada`."""

from collections.abc import Sequence

from cutaway.evals.paper_sets import NAMES
from cutaway.evals.tasks import TASKS


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """The arguments of `eval`, a set's name in their first place put where it belongs."""
    if arguments and arguments[0] in TASKS:
        return ["choices", *arguments]
    if arguments and arguments[0] in NAMES:
        return ["paper", "--set", *arguments]
    return list(arguments)
