"""PIQA: which of two ways to do something works. Source: Bisk et al. 2020."""

from cutaway.evals.task import Question, Record, Task, asked


def question(record: Record) -> Question:
    """A goal and two solutions."""
    return asked(f"Question: {record['goal']}\nAnswer:", [record["sol1"], record["sol2"]], int(record["label"]))


PIQA = Task(
    name="piqa",
    summary="which of two ways to do something works",
    question=question,
    hub="baber/piqa/validation",
    files=("piqa.jsonl", "valid.jsonl", "piqa.parquet"),
    labels="-labels.lst",
)
