"""SciQ: science questions with a paragraph that supports the answer. Source: Welbl et al. 2017."""

from cutaway.evals.task import Question, Record, Task, asked


def question(record: Record) -> Question:
    """The paragraph, the question, and the right answer as the last of four."""
    context = f"{record['support'].lstrip()}\nQuestion: {record['question']}\nAnswer:"
    names = ("distractor1", "distractor2", "distractor3", "correct_answer")
    return asked(context, [record[name] for name in names], 3)


SCIQ = Task(
    name="sciq",
    summary="science questions with a paragraph that helps",
    question=question,
    hub="allenai/sciq/test",
    files=("sciq.jsonl", "sciq_test.json", "sciq.parquet"),
)
