"""Prompts that turn a language model to a task, letter by letter."""

import pytest

from cutaway.errors import GenerationError
from cutaway.generate import few_shot, question_answering, tldr
from cutaway.generate.templates import SEPARATOR


def test_few_shot_shows_the_examples_and_leaves_the_answer_open():
    prompt = few_shot(
        [("I loved it", "Positive"), ("I slept", "Negative")],
        "It was fine",
        task="Sentiment",
        input_label="Review",
        output_label="Sentiment",
    )
    assert prompt == (
        "Sentiment\n"
        "Review: I loved it\nSentiment: Positive\n###\n"
        "Review: I slept\nSentiment: Negative\n###\n"
        "Review: It was fine\nSentiment:"
    )


def test_few_shot_without_a_task_begins_with_the_first_example():
    assert few_shot([("a", "b")], "c") == "Text: a\nLabel: b\n###\nText: c\nLabel:"


def test_few_shot_without_examples_is_refused():
    with pytest.raises(GenerationError, match="at least one example"):
        few_shot([], "c")


def test_question_answering_ends_where_the_answer_begins():
    assert question_answering("Foxes are red.", "What is red?") == (
        "Question/Answering\nC: Foxes are red.\nQ: What is red?\nA:"
    )


def test_question_answering_with_worked_examples():
    prompt = question_answering("c2", "q2", [("c1", "q1", "a1")], task="")
    assert prompt == "C: c1\nQ: q1\nA: a1\n###\nC: c2\nQ: q2\nA:"
    assert SEPARATOR in prompt


def test_tldr_follows_the_text():
    assert tldr("A long story.\n\n ") == "A long story.\nTL;DR:"


def test_no_prompt_ends_in_a_space():
    # GPT-2's tokens carry their space in front, so a trailing one would spoil the first token of the answer.
    for prompt in (few_shot([("a", "b")], "c"), question_answering("c", "q"), tldr("t")):
        assert not prompt[-1].isspace()
