import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import EvaluationError
from cutaway.evals.compare import compare, differences, ratio_stderr, sign_test
from cutaway.evals.item_log import FinishedItems, ItemLog

FILES = [["piqa.jsonl", 9]]


def kept(path, outcomes, **key):
    """Finished items in a file, as an evaluation leaves them, read again."""
    with ItemLog({"evaluation": "piqa", "model": path.name, "files": FILES, **key}, path) as log:
        for number, outcome in outcomes.items():
            log.add(number, outcome)
    return FinishedItems.read(path)


def answered(*logprobs, answer=0):
    return {"answer": answer, "logprobs": list(logprobs), "tokens": [1, 2], "characters": [4, 5], "greedy": [False] * 2}


def by_name(changes):
    return {change.measure.name: change for change in changes}


def test_answers_are_compared_question_by_question(tmp_path):
    one = kept(tmp_path / "a", {0: answered(-1, -2), 1: answered(-3, -2), 2: answered(-3, -2), 3: answered(-1, -2)})
    other = kept(tmp_path / "b", {0: answered(-2, -1), 1: answered(-1, -2), 2: answered(-1, -2), 3: answered(-1, -3)})
    change = by_name(compare(one, other))["right, whole answer"]
    assert (change.before, change.after, change.difference) == (0.5, 0.75, 0.25)
    assert (change.better, change.worse, change.of) == (2, 1, 4)
    assert change.stderr == pytest.approx(statistics.stdev([-1, 1, 1, 0]) / 2)
    assert change.p_value == 1.0  # two of three coins fall like this every time
    loss = by_name(compare(one, other))["loss of the right answer"]
    assert (loss.before, loss.after) == (2.0, 1.25)
    assert (loss.better, loss.worse) == (2, 1)
    json.dumps([change.to_dict() for change in compare(one, other)], allow_nan=False)


def test_measures_are_those_that_mean_something_for_the_set(tmp_path):
    names = set(by_name(compare(*(kept(tmp_path / name, {0: answered(-1, -2)}) for name in "ab"))))
    assert names == {"right, whole answer", "right, a character", "right, a token", "loss of the right answer"}
    copa = [kept(tmp_path / name, {0: answered(-1, -2)}, evaluation="copa") for name in "cd"]
    assert set(by_name(compare(*copa))) == {"right, whole answer", "loss of the right answer"}


def test_last_words_are_compared_by_accuracy_and_by_loss(tmp_path):
    def word(logprob, greedy):
        return {"logprob": logprob, "greedy": greedy, "greedy_but": True, "tokens": 1}

    one = kept(tmp_path / "a", {0: word(-1, False), 1: word(-2, False)}, evaluation="lambada")
    other = kept(tmp_path / "b", {0: word(-1.5, True), 1: word(-3, False)}, evaluation="lambada")
    changes = by_name(compare(one, other))
    assert changes["last word right"].difference == 0.5
    assert changes["without stop words"].difference == 0
    assert (changes["loss a word"].difference, changes["loss a word"].worse) == (0.75, 2)
    assert changes["loss a word"].p_value == pytest.approx(math.erfc(0.75 / 0.25 / math.sqrt(2)))


def test_windows_weigh_as_much_as_they_have_tokens(tmp_path):
    one = kept(tmp_path / "a", {0: {"losses": [1.0, 3.0, 2.0]}, 1: {"losses": [4.0]}}, evaluation="wikitext2")
    other = kept(tmp_path / "b", {0: {"losses": [1.0, 2.0, 2.0]}, 1: {"losses": [5.0]}}, evaluation="wikitext2")
    (change,) = compare(one, other)
    assert (change.before, change.after, change.stderr) == (2.5, 2.5, pytest.approx(math.sqrt(2 * 2) / 4))
    assert change.p_value == 1.0


def test_items_of_one_side_only_are_left_out(tmp_path):
    one = kept(tmp_path / "a", {0: answered(-1, -2), 1: answered(-1, -2)})
    (change, *_) = compare(one, kept(tmp_path / "b", {1: answered(-2, -1), 2: answered(-1, -2)}))
    assert (change.of, change.before, change.after, change.stderr) == (1, 1, 0, None)


def test_other_settings_are_told(tmp_path):
    one = kept(tmp_path / "a", {0: answered(-1, -2)}, shots=0, dtype="float32")
    other = kept(tmp_path / "b", {0: answered(-1, -2)}, shots=5, dtype="bfloat16")
    assert list(differences(one, other)) == ["shots was 0 and is 5"]


@pytest.mark.parametrize(
    ("outcome", "key", "fault"),
    [
        (answered(-1, -2), {"evaluation": "copa"}, "evaluation is 'piqa' in one and 'copa' in the other"),
        (answered(-1, -2), {"files": [["piqa.jsonl", 8]]}, "files is"),
        (answered(-1, -2, answer=1), {}, "item 0 has 0 as its right answer in one and 1 in the other"),
        ({"losses": [1.0]}, {}, "do not hold items of the same kind"),
        ({"answer": 0, "logprobs": []}, {}, "do not hold items of the same kind"),
    ],
)
def test_evaluations_of_other_items_are_refused(tmp_path, outcome, key, fault):
    one = kept(tmp_path / "a", {0: answered(-1, -2)})
    with pytest.raises(EvaluationError, match=fault):
        compare(one, kept(tmp_path / "b", {0: outcome}, **key))


def test_windows_of_other_sizes_are_refused(tmp_path):
    one = kept(tmp_path / "a", {0: {"losses": [1.0, 2.0]}})
    with pytest.raises(EvaluationError, match="item 0 has 2 tokens in one and 1 in the other; use the same --context"):
        compare(one, kept(tmp_path / "b", {0: {"losses": [1.0]}}))


def test_nothing_in_common_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="no finished item in common"):
        compare(kept(tmp_path / "a", {0: answered(-1, -2)}), kept(tmp_path / "b", {1: answered(-1, -2)}))


@pytest.mark.parametrize("content", ["", "{}\n", '{"evaluation": "piqa"}\n{"text": "a"}\n', '{"a": 1}\n', "[1]\n"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "x").write_text(content)
    with pytest.raises(EvaluationError, match="x is not a file of finished items"):
        compare(FinishedItems.read(tmp_path / "x"), FinishedItems.read(tmp_path / "x"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        FinishedItems.read(tmp_path / "none")


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_with_equal_weights_the_error_is_that_of_a_mean(values):
    expected = statistics.stdev(values) / math.sqrt(len(values))
    assert ratio_stderr(values, [1] * len(values)) == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 12), st.integers(0, 12))
def test_the_sign_test_counts_coins(one, other):
    n = one + other
    least = min(one, other)
    as_uneven = sum(math.comb(n, k) for k in range(n + 1) if min(k, n - k) <= least)
    assert sign_test(one, other) == pytest.approx(as_uneven / 2**n)


def test_the_sign_test_bears_large_sets():
    assert 0.9 < sign_test(20_000, 20_010) < 1
    assert sign_test(19_000, 21_000) < 1e-20
