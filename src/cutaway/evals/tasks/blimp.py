"""BLiMP: which of two sentences is English, in 67 phenomena of a file each. Source: Warstadt et al. 2020."""

from cutaway.evals.task import Question, Record, Task, asked


def question(record: Record) -> Question:
    """Both sentences, after nothing; the group is the phenomenon."""
    return asked("", [record["sentence_good"], record["sentence_bad"]], 0, str(record.get("UID", "")))


BLIMP = Task(
    name="blimp",
    summary="which of two sentences is English",
    question=question,
    measures=("sum",),
    hub="nyu-mll/blimp/train",
    files=("blimp.jsonl", "blimp/data", "blimp", "blimp.parquet"),
)
