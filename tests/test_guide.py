"""The exercises: right answers pass, wrong ones get a hint, whatever is typed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway
from command_line import mistake, run
from cutaway.errors import ConfigError
from cutaway.guide import Exercise, Verdict, chapter, shakespeare
from cutaway.guide.chapters import MODULES
from cutaway.guide.exercise import number_in

KNOWN = "I do not know. I do not know. I do not know. I do not know."
HEADS = [f"{layer}.{head}" for layer in range(4) for head in range(3)]

RIGHT = {
    1: {"d": "8192"},
    2: {"a": "15", "b": "jazz", "c": "CIU", "d": "844596301"},
    3: {"a": "8", "b": "strawberry", "c": "🦊", "d": "_t"},
    4: {"a": "39383808"},
    5: {"a": "524800"},
    6: {"a": "50331648", "b": "1.503", "c": "100 0 0"},
    7: {"a": "4718592", "b": "-0.8"},
    8: {"a": "30740800", "b": "distilgpt2", "c": "4 4 128", "d": "6.9"},
    9: {"a": "14", "b": "1.5", "c": "0.4", "d": "0.003"},
    10: {"a": "409600", "b": "409.6", "c": "0.1 0.4"},
    11: {"a": "14", "b": "2", "c": "10"},
    12: {"c": "7.4"},
    13: {"a": "36864", "b": "16"},
    14: {"a": "h.2.mlp_out"},
    15: {"a": "20.1", "b": "1.08", "d": KNOWN},
    16: {"a": "0.00204", "b": "15.6", "c": "0.8412"},
}
"""An answer for each exercise that is right, found by doing it."""

ONE_OF = {
    (4, "b"): ["red", "blue", "green", "horse"],
    (5, "b"): HEADS,
    (5, "c"): HEADS,
    (7, "c"): ["0", "1", "2", "3"],
    (13, "c"): [str(bits) for bits in range(2, 17)],
    (14, "b"): HEADS,
}
"""Where the bundled model's weights decide: exactly one of these is right."""

PEOPLE = ["princess", "old lady", "mother", "queen", "girl", "little girl", "aunt", "nurse", "bride", "countess"]
DEEDS = ["kissed", "loved", "took off", "put on", "lifted", "washed"]

SOME_OF = {
    (1, "a"): ["He sat down in the arm-", "Once upon a", "on the other hand, and on the other h", "to and fr"],
    (1, "b"): ["He had a long and", "They came to a large and", "She was a tall, thin and"],
    (1, "c"): [f"The {person} put on" for person in PEOPLE if "old" not in person],
    (4, "c"): ["laughed smiled", "three four", "king queen", "father mother", "cried exclaimed", "replied answered"],
    (12, "b"): [f"{hundredths / 100}" for hundredths in range(2, 120)],
    (14, "c"): [f"The {person} put on" for person in PEOPLE],
    (14, "d"): [f"The {person} {deed}" for person in ("woman", *PEOPLE) for deed in DEEDS],
    (15, "c"): [f"The {person} said that" for person in ("child", "cook", "servant", "stranger", "teacher", "baby")],
}
"""Where they decide among very many answers: at least one of these is right."""

WRONG = {
    1: {"a": "Thank you", "b": "Thank you", "c": "The old man put on", "d": "50257"},
    2: {"a": "70", "b": "the", "c": "the", "d": "61"},
    3: {"a": "40", "b": "lighthouse", "c": "a", "d": "qu"},
    4: {"a": "768", "b": "table", "c": "king horse"},
    5: {"a": "1024", "b": "9.9", "c": "9.9"},
    6: {"a": "1024", "b": "3", "c": "1 2 3"},
    7: {"a": "768", "b": "0", "c": "4"},
    8: {"a": "1600", "b": "gpt2-xl", "c": "1 1 16", "d": "10.8"},
    9: {"a": "8", "b": "0.1", "c": "1.5", "d": "3"},
    10: {"a": "400", "b": "16", "c": "0.5 0.6"},
    11: {"a": "16", "b": "1", "c": "9"},
    12: {"a": "0", "b": "50", "c": "2.7"},
    13: {"a": "768", "b": "40", "c": "16"},
    14: {"a": "h.2.mlp_post", "b": "9.9", "c": "The old man put on", "d": "The old man put on"},
    15: {"a": "3", "b": "4.33", "c": "The king said that", "d": "Purple elephants calculate silently"},
    16: {"a": "0.02", "b": "0", "c": "0.8413"},
}

each_exercise = pytest.mark.parametrize(
    ("number", "letter"), [(number, letter) for number in MODULES for letter in chapter(number).by_letter()]
)


def exercise(number, letter):
    return chapter(number).by_letter()[letter]


@pytest.mark.parametrize(("number", "letter"), [(number, letter) for number in RIGHT for letter in RIGHT[number]])
def test_a_right_answer_is_right(number, letter):
    right, remark = exercise(number, letter).verdict(RIGHT[number][letter])
    assert right, remark


@pytest.mark.parametrize(("number", "letter"), ONE_OF)
def test_one_answer_alone_is_right(number, letter):
    right = [answer for answer in ONE_OF[number, letter] if exercise(number, letter).verdict(answer).right]
    assert len(right) == 1, right


@pytest.mark.parametrize(("number", "letter"), SOME_OF)
def test_a_right_answer_can_be_found(number, letter):
    verdicts = (exercise(number, letter).verdict(answer) for answer in SOME_OF[number, letter])
    assert any(verdict.right for verdict in verdicts)


def test_the_nucleus_is_as_large_as_plain_addition_makes_it():
    gpt = cutaway.load("fable", device="cpu")
    with torch.no_grad():
        chances = gpt.model(torch.tensor([gpt.ids("He took off his")]))[0][0, -1].softmax(-1).sort(descending=True)[0]
    size = int((chances.cumsum(0) < 0.5).sum()) + 1
    assert exercise(12, "a").verdict(str(size)).right
    assert not exercise(12, "a").verdict(str(size + 1)).right


def test_every_exercise_has_a_right_answer_here():
    known = {(number, letter) for number in RIGHT for letter in RIGHT[number]} | set(ONE_OF) | set(SOME_OF)
    assert known | {(12, "a")} == {(number, letter) for number in MODULES for letter in chapter(number).by_letter()}


@each_exercise
def test_a_wrong_answer_is_not_right_yet(number, letter):
    right, remark = exercise(number, letter).verdict(WRONG[number][letter])
    assert not right, remark


@each_exercise
@pytest.mark.parametrize("answer", ["", " ", "x", "-1", "1e999", "nan", "a b c", "🦊" * 10, "0", "9" * 30])
def test_any_answer_is_answered(number, letter, answer):
    verdict = exercise(number, letter).verdict(answer)
    assert isinstance(verdict, Verdict)
    assert verdict.remark


def test_every_chapter_has_two_to_four_exercises_with_hints():
    for number in MODULES:
        found = chapter(number).exercises
        assert 2 <= len(found) <= 4
        assert all(isinstance(one, Exercise) and one.question and one.hint for one in found)


def test_there_is_no_chapter_of_another_number():
    with pytest.raises(ConfigError, match="no chapter 99"):
        chapter(99)


@given(st.integers(-(10**15), 10**15))
def test_numbers_are_read_with_or_without_commas(number):
    assert number_in(f" {number:,} ") == number_in(str(number)) == number


def test_the_play_has_as_many_letters_as_the_guide_says():
    text = shakespeare()
    assert len(text) == 149_961
    assert len(set(text)) == 61


def test_the_command_checks_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.toml").write_text('[8]\na = 30740800\nb = "gpt2-xl"\n', encoding="utf-8")
    result = run("guide", "check", 8)
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[:3] == [
        "8. The whole model",
        "a)  right: 30,740,800 parameters",
        "b)  not yet: its table of tokens is 5%",
    ]
    assert lines[3] == "    hint: few layers make the table weigh more"
    assert lines[-1] == "1 of 4"


def test_the_command_is_content_when_all_are_right(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[9]\na = 14\nb = 1.5\nc = 0.4\nd = 0.003\n", encoding="utf-8")
    result = run("guide", "check", 9, "--answers", file)
    assert (result.code, result.out.splitlines()[-1]) == (0, "4 of 4")


def test_the_command_asks_where_somebody_sits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cutaway.cli.terminal.is_interactive", lambda: True)
    result = run("guide", "check", 8, stdin=b"30,740,800\ndistilgpt2\n")
    assert result.code == 1
    assert "How many parameters does one block" in result.out
    assert result.out.splitlines()[-1] == "2 of 4"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[8]\nx = 1\n", "answers 'x' of chapter 8, which has a to d"),
        ("8 = 1\n", "answers stand in a table, [8]"),
        ("what\n", "is not TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_a_sentence(tmp_path, content, sentence):
    file = tmp_path / "answers.toml"
    file.write_text(content, encoding="utf-8")
    assert sentence in mistake("guide", "check", 8, "--answers", file)


def test_without_file_and_keyboard_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "there is no answers.toml here" in mistake("guide", "check", 1)
    assert "cannot be read" in mistake("guide", "check", 1, "--answers", tmp_path / "none.toml")
    assert "there is no chapter 99" in mistake("guide", "check", 99)
