"""Sets of questions, a file for each family: prompts and answers as lm-evaluation-harness builds them."""

from cutaway.errors import EvaluationError, did_you_mean
from cutaway.evals.task import Task
from cutaway.evals.tasks.arc import ARC_CHALLENGE, ARC_EASY, OPENBOOKQA
from cutaway.evals.tasks.blimp import BLIMP
from cutaway.evals.tasks.hellaswag import HELLASWAG, HELLASWAG_PLAIN
from cutaway.evals.tasks.piqa import PIQA
from cutaway.evals.tasks.sciq import SCIQ
from cutaway.evals.tasks.super_glue import BOOLQ, COPA
from cutaway.evals.tasks.winogrande import WINOGRANDE

ALL = (
    HELLASWAG, HELLASWAG_PLAIN, PIQA, WINOGRANDE, ARC_EASY, ARC_CHALLENGE, OPENBOOKQA, SCIQ, COPA, BOOLQ, BLIMP,
)  # fmt: skip

TASKS = {task.name: task for task in ALL}


def task_named(name: str) -> Task:
    """The set of that name.

    Raises: EvaluationError when there is none.
    """
    if name not in TASKS:
        raise EvaluationError(f"there is no task {name!r}; {did_you_mean(name, TASKS)}")
    return TASKS[name]
