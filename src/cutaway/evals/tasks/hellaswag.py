"""HellaSwag: which of four endings goes on from a scene. Source: Zellers et al. 2019."""

import re

from cutaway.evals.task import Question, Record, Task, asked

IN_BRACKETS = re.compile(r"\[.*?\]")


def question(record: Record) -> Question:
    """The scene under its heading, as lm-evaluation-harness writes it."""
    scene = f"{record['ctx_a']} {record['ctx_b'].capitalize()}"
    answers = [cleaned(ending) for ending in record["endings"]]
    return asked(cleaned(f"{record['activity_label']}: {scene}"), answers, int(record["label"]))


def plain_question(record: Record) -> Question:
    """The scene as it stands, as build-nanogpt writes it."""
    return asked(record["ctx"], record["endings"], int(record["label"]))


def cleaned(text: str) -> str:
    """Without the marks that the WikiHow part has in brackets."""
    return IN_BRACKETS.sub("", text.strip().replace(" [title]", ". ")).replace("  ", " ")


HELLASWAG = Task(
    name="hellaswag",
    summary="which of four endings goes on from a scene",
    question=question,
    measures=("per_character", "sum", "per_token"),
    hub="Rowan/hellaswag/validation",
    files=("hellaswag_val.jsonl", "hellaswag.jsonl", "hellaswag.parquet"),
)

HELLASWAG_PLAIN = Task(
    name="hellaswag-plain",
    summary="the same without the heading and the cleaning",
    question=plain_question,
    measures=("per_token", "sum", "per_character"),
    hub=HELLASWAG.hub,
    files=HELLASWAG.files,
    others={"build-nanogpt, per token": "gpt2 0.2955, gpt2-xl 0.4893"},
)
