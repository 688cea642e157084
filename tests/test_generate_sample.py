"""A sample on its own: it takes logits, gives tokens and text, and knows when it has ended."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.generate.completion import collect
from cutaway.generate.sample import Sample, stop_tokens
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import Tokenizer
from cutaway.tokenizer.vocabulary import Vocabulary
from tiny import EOT, TOKENIZER

FLAT = np.zeros(TOKENIZER.n_vocab)


def speak(ids, **parameters):
    """Let a sample say these tokens; its steps until it ended or the tokens ran out."""
    sample = Sample([0], SamplingParams(**({"max_tokens": 1000} | parameters)), TOKENIZER, seed=0)
    steps = []
    for token in ids:
        steps.append(sample.take(token, FLAT))
        if sample.finish_reason is not None:
            break
    return steps


def texts(steps):
    return [step.text for step in steps]


@given(st.text(min_size=1, max_size=20))
def test_text_comes_in_whole_characters_and_adds_up(text):
    ids = [token for character in text for token in TOKENIZER.encode(character)]
    steps = speak(ids, max_tokens=len(ids))
    assert "".join(texts(steps)) == text
    for n in range(len(steps)):
        assert text.startswith("".join(texts(steps[:n])))


@given(st.lists(st.integers(0, TOKENIZER.n_vocab - 1), min_size=1, max_size=30))
def test_any_tokens_at_all_add_up_to_what_decoding_them_gives(ids):
    steps = speak(ids, max_tokens=len(ids), ignore_eot=True)
    assert collect(steps).text == TOKENIZER.decode(ids)


def test_a_character_of_several_tokens_waits_for_its_last():
    ids = TOKENIZER.encode("é🦊")
    assert len(ids) == 6
    assert texts(speak(ids)) == ["", "é", "", "", "", "🦊"]


def test_a_character_cut_off_by_the_length_shows_as_a_replacement():
    steps = speak(TOKENIZER.encode("a🦊"), max_tokens=3)
    assert texts(steps) == ["a", "", "\ufffd"]
    assert steps[-1].finish_reason == "length"


def test_a_character_cut_off_by_endoftext_shows_as_a_replacement():
    steps = speak([*TOKENIZER.encode("a🦊")[:3], EOT])
    assert texts(steps) == ["a", "", "", "\ufffd"]
    assert steps[-1].finish_reason == "stop"


def letters(text):
    """One token for each byte, however the tokenizer would merge them."""
    return [TOKENIZER.id_of(piece) for character in text for piece in TOKENIZER.pieces(TOKENIZER.encode(character))]


def test_a_stop_text_spread_over_tokens_is_never_shown():
    steps = speak(letters("one END two"), stop="END")
    assert collect(steps).text == "one "
    assert texts(steps) == ["o", "n", "e", " ", "", "", ""]
    assert [step.finish_reason for step in steps] == [None] * 6 + ["stop"]


def test_a_stop_text_with_characters_of_several_bytes_is_found():
    steps = speak(letters("x🦊🦉y"), stop="🦊🦉")
    assert collect(steps).text == "x"
    assert len(steps) == 1 + 4 + 4


def test_an_unfinished_stop_text_is_let_through_at_the_length():
    steps = speak(letters("one EN"), stop="END", max_tokens=6)
    assert texts(steps) == ["o", "n", "e", " ", "", "EN"]
    assert steps[-1].finish_reason == "length"


def test_an_unfinished_stop_text_is_let_through_at_endoftext():
    steps = speak([*letters("a EN"), EOT], stop="END")
    assert texts(steps) == ["a", " ", "", "", "EN"]
    assert steps[-1].finish_reason == "stop"


def test_overlapping_stop_texts_end_at_the_one_complete_first():
    assert collect(speak(letters("xabcd"), stop=("abcd", "bc"))).text == "xa"


def test_a_stop_text_at_the_last_token_counts_as_a_stop():
    steps = speak(letters("abc"), stop="c", max_tokens=3)
    assert (collect(steps).text, steps[-1].finish_reason) == ("ab", "stop")


def test_a_stop_token_ends_and_is_kept_as_token_but_not_as_text():
    steps = speak(letters("abc"), stop_tokens=letters("b"))
    made = collect(steps)
    assert (made.text, made.finish_reason, list(made.tokens)) == ("a", "stop", letters("ab"))


def test_endoftext_is_text_when_it_is_ignored():
    steps = speak([*letters("a"), EOT, *letters("b")], ignore_eot=True, max_tokens=3)
    assert collect(steps).text == "a<|endoftext|>b"
    assert steps[-1].finish_reason == "length"


def test_stop_tokens_are_endoftext_and_what_was_asked_for():
    assert stop_tokens(SamplingParams(), TOKENIZER) == {EOT}
    assert stop_tokens(SamplingParams(stop_tokens=(5, 6)), TOKENIZER) == {5, 6, EOT}
    assert stop_tokens(SamplingParams(stop_tokens=5, ignore_eot=True), TOKENIZER) == {5}


def test_a_vocabulary_without_endoftext_has_nothing_to_stop_at():
    bare = Tokenizer(Vocabulary.from_merges(TOKENIZER.vocabulary.merges, special_tokens=()))
    assert stop_tokens(SamplingParams(), bare) == frozenset()


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_a_greedy_step_takes_the_most_likely_token_and_reports_it(kind):
    row = np.zeros(TOKENIZER.n_vocab)
    row[[7, 9]] = [5.0, 4.0]
    sample = Sample([0], SamplingParams(temperature=0, logprobs=2), TOKENIZER, seed=0, prompt=3, sample=2)
    step = sample.step(kind(row))
    normalizer = np.log(np.exp(row).sum())
    assert (step.prompt, step.sample, step.token) == (3, 2, 7)
    assert step.logprob == pytest.approx(5 - normalizer)
    assert step.top_logprobs == pytest.approx({7: 5 - normalizer, 9: 4 - normalizer})
    assert list(step.top_logprobs) == [7, 9]


def test_a_step_sees_the_prompt_and_what_was_said():
    row = np.zeros(TOKENIZER.n_vocab)
    row[[1, 2, 3]] = [5.0, 4.9, 4.8]
    sample = Sample([1], SamplingParams(temperature=0, no_repeat_ngram_size=1), TOKENIZER, seed=0)
    assert [sample.step(row).token for _ in range(2)] == [2, 3]
    assert sample.step(row).logprob == pytest.approx(-np.log(np.exp(row).sum()))


def test_samples_with_one_seed_differ_by_their_index_alone():
    def run(seed, number):
        sample = Sample([0], SamplingParams(max_tokens=20, top_p=1), TOKENIZER, seed=seed, prompt=1, sample=number)
        return [sample.step(FLAT).token for _ in range(20)]

    assert run(1, 0) == run(1, 0)
    assert len({tuple(run(seed, number)) for seed in range(3) for number in range(3)}) == 9


@given(st.integers(0, 2**32), st.lists(st.integers(0, 6), min_size=1, max_size=20), st.sampled_from([0, 1.0]))
def test_what_it_foresees_is_what_it_then_chooses_and_looking_ahead_changes_nothing(seed, looks, temperature):
    rows = np.random.default_rng(seed).normal(size=(len(looks) + 7, TOKENIZER.n_vocab))
    params = SamplingParams(temperature=temperature, repetition_penalty=1.5, max_tokens=100, ignore_eot=True)
    plain, looking = (Sample([0], params, TOKENIZER, seed=seed) for _ in range(2))
    expected = [plain.step(row).token for row in rows]
    for n, ahead in enumerate(looks):
        first = []
        for i in range(ahead):
            first.append(looking.foresee(rows[n + i], first))
        assert first == expected[n : n + ahead]
        assert looking.step(rows[n]).token == expected[n]


def test_what_remains_is_counted_down():
    sample = Sample([0], SamplingParams(max_tokens=3), TOKENIZER, seed=0)
    sample.step(FLAT)
    assert sample.remaining == 2
