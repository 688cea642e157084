"""WinoGrande: who is meant. Source: Sakaguchi et al. 2019."""

from cutaway.evals.task import Pair, Question, Record, Task


def question(record: Record) -> Question:
    """Each name in the blank, and what both are followed by: only that is scored, given each name."""
    before, _, after = record["sentence"].partition("_")
    names = [record["option1"], record["option2"]]
    return Question(
        pairs=[Pair(before + name, f" {after.strip()}") for name in names],
        characters=[len(after.strip())] * 2,
        answer=int(record["answer"]) - 1,
    )


WINOGRANDE = Task(
    name="winogrande",
    summary="who of two is meant",
    question=question,
    measures=("sum",),
    hub="allenai/winogrande/winogrande_xl/validation",
    files=("winogrande.jsonl", "dev.jsonl", "winogrande_1.1/dev.jsonl", "winogrande.parquet"),
)
