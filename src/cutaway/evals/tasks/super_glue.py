"""Two sets of SuperGLUE: COPA, which cause or effect fits, and BoolQ, yes or no.

Source: Roemmele et al. 2011; Clark et al. 2019.
"""

from cutaway.evals.task import Question, Record, Task, asked

CONNECTORS = {"cause": "because", "effect": "therefore"}


def copa_question(record: Record) -> Question:
    """A sentence without its full stop, and two clauses."""
    context = f"{record['premise'].strip()[:-1]} {CONNECTORS[record['question']]}"
    # The harness puts a space before a choice that begins with one. Two spaces are no English, but what it measures.
    clauses = [f" {choice[:1].lower()}{choice[1:]}" for choice in (record["choice1"], record["choice2"])]
    return asked(context, clauses, int(record["label"]))


def boolq_question(record: Record) -> Question:
    """A passage, a question, and no or yes."""
    right = record["answer"] if "answer" in record else record["label"]
    return asked(f"{record['passage']}\nQuestion: {record['question']}?\nAnswer:", ["no", "yes"], int(right))


COPA = Task(
    name="copa",
    summary="which cause or effect fits",
    question=copa_question,
    measures=("sum",),
    hub="aps/super_glue/copa/validation",
    files=("copa.jsonl", "copa_val.jsonl", "COPA/val.jsonl", "copa.parquet"),
)

BOOLQ = Task(
    name="boolq",
    summary="yes or no, after a passage",
    question=boolq_question,
    measures=("sum",),
    hub="aps/super_glue/boolq/validation",
    files=("boolq.jsonl", "boolq_val.jsonl", "BoolQ/val.jsonl", "boolq.parquet"),
)
