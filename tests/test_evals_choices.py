import json
import math

import pytest

from cutaway.errors import EvaluationError
from cutaway.evals import choices
from cutaway.evals.choices import ChoiceScores, Share, Shots, answer_questions, scores_of
from cutaway.evals.pairs import encode_pair
from cutaway.evals.task import Pair, Question, asked, questions
from cutaway.evals.tasks import ALL, TASKS, task_named
from cutaway.evals.torch_scorer import TorchScorer
from test_evals_scorers import slowly
from tiny import EOT, TOKENIZER, tiny_model

RECORDS = {
    "hellaswag": {
        "activity_label": "Removing ice from car", "ctx_a": "Then, the man [title] writes.", "ctx_b": "he",
        "ctx": "Then, the man [title] writes. he", "endings": ["waits  here.", "[step] goes."], "label": "1",
    },
    "piqa": {"goal": "open a jar", "sol1": "turn it", "sol2": "sing", "label": 0},
    "winogrande": {
        "sentence": "The fox saw the owl because _ was awake.", "option1": "the fox", "option2": "the owl",
        "answer": "2",
    },
    "arc-easy": {
        "question": "What flies?", "choices": {"text": ["a fox", "an owl"], "label": ["A", "B"]}, "answerKey": "B"
    },
    "openbookqa": {
        "question_stem": "An owl can", "choices": {"text": ["fly", "swim"], "label": ["A", "B"]}, "answerKey": "A "
    },
    "sciq": {
        "support": " Owls fly.", "question": "Who flies?", "distractor1": "foxes", "distractor2": "fish",
        "distractor3": "trees", "correct_answer": "owls",
    },
    "copa": {
        "premise": "The owl woke up. ", "choice1": "It was night.", "choice2": "It was fed.",
        "question": "cause", "label": 0,
    },
    "boolq": {"passage": "Owls fly.", "question": "do owls fly", "answer": True},
    "blimp": {"sentence_good": "The owl flies.", "sentence_bad": "The owl fly.", "UID": "agreement"},
}  # fmt: skip
"""One record each, as the Hub has them."""

BUILT = {
    "hellaswag": ([("Removing ice from car: Then, the man. writes. He", e) for e in (" waits here.", "  goes.")], 1),
    "piqa": ([("Question: open a jar\nAnswer:", " turn it"), ("Question: open a jar\nAnswer:", " sing")], 0),
    "winogrande": ([(f"The fox saw the owl because {n}", " was awake.") for n in ("the fox", "the owl")], 1),
    "arc-easy": ([("Question: What flies?\nAnswer:", " a fox"), ("Question: What flies?\nAnswer:", " an owl")], 1),
    "openbookqa": ([("An owl can", " fly"), ("An owl can", " swim")], 0),
    "sciq": ([("Owls fly.\nQuestion: Who flies?\nAnswer:", f" {n}") for n in ("foxes", "fish", "trees", "owls")], 3),
    "copa": ([("The owl woke up because", "  it was night."), ("The owl woke up because", "  it was fed.")], 0),
    "boolq": ([("Owls fly.\nQuestion: do owls fly?\nAnswer:", f" {n}") for n in ("no", "yes")], 1),
    "blimp": ([("", " The owl flies."), ("", " The owl fly.")], 0),
}
"""Their contexts and continuations, as lm-evaluation-harness 0.4.13 builds them."""


@pytest.fixture(scope="module")
def model():
    return tiny_model(block_size=32)


@pytest.mark.parametrize("name", RECORDS)
def test_prompts_are_those_of_the_harness(name):
    question = task_named(name).question(RECORDS[name])
    pairs, answer = BUILT[name]
    assert [tuple(pair) for pair in question.pairs] == pairs
    assert question.answer == answer


def test_original_files_of_arc_and_openbookqa_are_read_too():
    stem = {"stem": "What flies?", "choices": [{"text": "a fox", "label": "1"}, {"text": "an owl", "label": "2"}]}
    record = {"id": "x", "question": stem, "answerKey": "2"}
    assert task_named("arc-easy").question(record) == task_named("arc-easy").question(RECORDS["arc-easy"])
    assert task_named("openbookqa").question(record).pairs[1] == Pair("What flies?", " an owl")


def test_boolq_is_read_with_either_name_of_its_answer():
    record = {**RECORDS["boolq"], "label": 0}
    del record["answer"]
    assert task_named("boolq").question(record).answer == 0


def test_hellaswag_plain_takes_the_scene_as_it_stands():
    question = task_named("hellaswag-plain").question(RECORDS["hellaswag"])
    assert question.pairs[1] == Pair("Then, the man [title] writes. he", " [step] goes.")


def test_every_task_has_its_own_name_and_place():
    assert len(TASKS) == len(ALL)
    for task in ALL:
        assert task.summary
        assert task.files
        assert task.hub.count("/") >= 2


def test_an_unknown_task_gets_the_nearest():
    with pytest.raises(EvaluationError, match="there is no task 'helaswag'; did you mean 'hellaswag'"):
        task_named("helaswag")


def test_a_record_of_something_else_is_refused_by_its_number():
    with pytest.raises(
        EvaluationError, match=r"record 2 is no question of piqa \(KeyError\('sol1'\)\); it has text, goal"
    ):
        list(questions(task_named("piqa"), iter([RECORDS["piqa"], {"text": "a", "goal": "b"}])))


def test_an_answer_that_is_not_there_is_refused():
    with pytest.raises(EvaluationError, match="record 1 is no question"):
        list(questions(task_named("piqa"), iter([{**RECORDS["piqa"], "label": 2}])))


def test_answers_score_what_each_pair_scores_by_itself(model):
    asked_of = [task_named(name).question(RECORDS[name]) for name in ("piqa", "winogrande", "openbookqa", "blimp")]
    found = list(answer_questions(asked_of, TorchScorer(model), TOKENIZER))
    for question, outcome in zip(asked_of, found, strict=True):
        assert outcome["answer"] == question.answer
        for pair, total, greedy in zip(question.pairs, outcome["logprobs"], outcome["greedy"], strict=True):
            passage = choices.pair_passage(TOKENIZER, *pair, 32)
            logprobs, likeliest = slowly(model, passage)
            assert total == pytest.approx(logprobs.sum(), abs=2e-6)
            assert greedy == likeliest


def test_a_pair_is_cut_where_the_context_ends_and_keeps_the_whole_text():
    context, following = "once upon a time ", "there was"
    before, after = encode_pair(TOKENIZER, context, following)
    assert before == TOKENIZER.encode("once upon a time")
    assert before + after == TOKENIZER.encode(context + following)
    assert encode_pair(TOKENIZER, "", "fox") == ([EOT], TOKENIZER.encode("fox"))


def test_measures_divide_by_nothing_by_characters_or_by_tokens():
    scores = ChoiceScores()
    outcome = {"answer": 0, "logprobs": [-6.0, -5.0, -9.0], "characters": [10, 2, 30], "tokens": [2, 1, 1]}
    scores.add(outcome)
    assert (scores.sum.right, scores.per_character.right, scores.per_token.right) == (0, 0, 1)
    assert scores.chance == pytest.approx(1 / 3)
    scores.add({"answer": 1, "logprobs": [-2.0, -1.0], "characters": [1, 1], "tokens": [1, 1]})
    assert scores.sum.right == 1
    assert scores.chance == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_groups_are_counted_for_themselves():
    scores = ChoiceScores()
    for group, right in (("a", 0), ("b", 1), ("b", 0)):
        scores.add({"answer": right, "logprobs": [-1.0, -2.0], "characters": [1, 1], "tokens": [1, 1], "group": group})
    assert {name: (share["right"], share["of"]) for name, share in scores.to_dict()["groups"].items()} == {
        "a": (1, 1),
        "b": (1, 2),
    }


def test_the_standard_error_is_that_of_a_sample_mean():
    share = Share()
    for right in (True, True, False, True, False):
        share.add(right)
    mean = 3 / 5
    spread = math.sqrt(sum((x - mean) ** 2 for x in (1, 1, 0, 1, 0)) / 4)
    assert share.stderr == pytest.approx(spread / math.sqrt(5))
    assert (Share().value, Share().stderr) == (None, None)


NUMBERED = [asked(f"question {n}", ["yes", "no"], n % 2) for n in range(9)]


def test_shots_are_the_same_for_all_and_never_the_question_itself():
    shots = Shots(3, 5, NUMBERED, None)
    usual = [shots.before(number) for number in range(9)]
    for number, texts in enumerate(usual):
        assert len(texts) == 3
        assert NUMBERED[number].solved not in texts
    assert len({tuple(texts) for texts in usual}) <= 4
    assert usual == [Shots(3, 5, NUMBERED, None).before(number) for number in range(9)]
    assert usual != [Shots(3, 6, NUMBERED, None).before(number) for number in range(9)]


def test_shots_from_another_set_come_whole():
    shots = Shots(2, 0, NUMBERED, NUMBERED[:2])
    assert sorted(shots.before(0)) == [NUMBERED[0].solved, NUMBERED[1].solved] == ["question 0 yes", "question 1 no"]


@pytest.mark.parametrize("count", [0, -1, 9, 101])
def test_impossible_numbers_of_shots_are_refused(count):
    with pytest.raises(EvaluationError, match="is out of range; here it is from 0 to 8"):
        Shots(count, 0, NUMBERED, None)


def test_shots_come_before_the_context(model):
    question = asked("q", ["a", "o"], 0)
    shots = Shots(1, 0, [question], [asked("p", ["i", "u"], 1)])
    (outcome,) = answer_questions([question], TorchScorer(model), TOKENIZER, shots=shots)
    passage = choices.pair_passage(TOKENIZER, "p u\n\nq", " a", 32)
    assert outcome["logprobs"][0] == pytest.approx(slowly(model, passage)[0].sum(), abs=2e-6)


def test_a_limit_answers_the_first_only(model):
    found = list(answer_questions(NUMBERED, TorchScorer(model), TOKENIZER, limit=2))
    whole = list(answer_questions(NUMBERED, TorchScorer(model), TOKENIZER))
    assert found == whole[:2]
    assert scores_of(whole).to_dict()["items"] == 9
    json.dumps(scores_of(whole).to_dict(), allow_nan=False)


def test_a_question_needs_its_answer():
    with pytest.raises(EvaluationError, match="answer 2 is none of 2"):
        Question(pairs=[Pair("", "a"), Pair("", "b")], characters=[1, 1], answer=2)
