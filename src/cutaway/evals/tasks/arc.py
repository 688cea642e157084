"""ARC: science questions from schools, and OpenBookQA, which is written alike.

Source: Clark et al. 2018; Mihaylov et al. 2018.
"""

from collections.abc import Sequence

from cutaway.evals.task import Question, Record, Task, asked

UNPACKED = "ARC-V1-Feb2018-2"
"""The folder that the original archive makes."""


def arc_question(record: Record) -> Question:
    """A question and its answers, of which most sets have four."""
    stem, texts, right = parts(record, "question")
    return asked(f"Question: {stem}\nAnswer:", texts, right)


def openbook_question(record: Record) -> Question:
    """A beginning and its endings."""
    stem, texts, right = parts(record, "question_stem")
    return asked(stem, texts, right)


def parts(record: Record, name: str) -> tuple[str, Sequence[str], int]:
    """Stem, answers and the right one: as the Hub has them, or as the original files do."""
    original = record.get("question")
    if isinstance(original, dict):
        stem, choices = original["stem"], original["choices"]
        texts, labels = [choice["text"] for choice in choices], [choice["label"] for choice in choices]
    else:
        stem, texts, labels = record[name], record["choices"]["text"], record["choices"]["label"]
    return stem, texts, labels.index(record["answerKey"].strip())


ARC_EASY = Task(
    name="arc-easy",
    summary="science questions from schools, the easy ones",
    question=arc_question,
    hub="allenai/ai2_arc/ARC-Easy/test",
    files=("arc_easy.jsonl", "ARC-Easy-Test.jsonl", f"{UNPACKED}/ARC-Easy/ARC-Easy-Test.jsonl", "arc_easy.parquet"),
)

ARC_CHALLENGE = Task(
    name="arc-challenge",
    summary="science questions that word statistics do not answer",
    question=arc_question,
    measures=("per_character", "sum", "per_token"),
    hub="allenai/ai2_arc/ARC-Challenge/test",
    files=(
        "arc_challenge.jsonl",
        "ARC-Challenge-Test.jsonl",
        f"{UNPACKED}/ARC-Challenge/ARC-Challenge-Test.jsonl",
        "arc_challenge.parquet",
    ),
)

OPENBOOKQA = Task(
    name="openbookqa",
    summary="which ending follows from elementary science",
    question=openbook_question,
    measures=("per_character", "sum", "per_token"),
    hub="allenai/openbookqa/main/test",
    files=(
        "openbookqa.jsonl",
        "openbookqa_test.jsonl",
        "OpenBookQA-V1-Sep2018/Data/Main/test.jsonl",
        "openbookqa.parquet",
    ),
)
