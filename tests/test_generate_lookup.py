"""Looking up what followed, against reading the whole text again each time."""

from hypothesis import given
from hypothesis import strategies as st

from cutaway.generate.lookup import Lookup, Repeats
from cutaway.generate.sample import Sample
from cutaway.sampling import SamplingParams
from tiny import TOKENIZER

TEXTS = st.lists(st.integers(0, 3), max_size=40)


def repeats(tokens, longest):
    text = Repeats(longest)
    for token in tokens:
        text.push(token)
    return text


def by_scanning(tokens, longest):
    """The longest end that occurred before, and where its latest earlier occurrence went on."""
    for length in range(min(longest, len(tokens)), 0, -1):
        for at in range(len(tokens) - 1, length - 1, -1):
            if tokens[at - length : at] == tokens[len(tokens) - length :]:
                return length, at
    return 0, 0


@given(TEXTS, st.integers(1, 5))
def test_the_longest_match_and_the_latest_is_found(tokens, longest):
    assert repeats(tokens, longest).longest_match() == by_scanning(tokens, longest)


@given(TEXTS, st.integers(1, 5), st.integers(1, 12))
def test_what_is_copied_goes_on_as_if_it_had_been_said(tokens, longest, count):
    text = repeats(tokens, longest)
    length, at = text.longest_match()
    if length:
        copied = text.copied_from(at, count)
        assert len(copied) == count
        together = [*tokens, *copied]
        assert copied == together[at : at + count]


def sample_of(prompt, generated):
    sample = Sample(prompt, SamplingParams(), TOKENIZER, seed=0)
    sample.generated += generated
    return sample


def test_prompt_and_text_are_looked_up_as_the_text_grows():
    lookup, sample = Lookup(longest=3), sample_of([1, 2, 3, 4, 5], [2])
    assert lookup.kind(sample) == 1
    assert lookup.guess([sample], 3) == [[3, 4, 5]]
    sample.generated += [3, 4]
    assert lookup.kind(sample) == 3
    assert lookup.guess([sample], 2) == [[5, 2]]


def test_samples_of_one_prompt_have_each_a_text():
    lookup, one, other = Lookup(longest=2), sample_of([1, 2, 3, 1], [2]), sample_of([1, 2, 3, 1], [9])
    assert [lookup.kind(sample) for sample in (one, other)] == [2, 0]
    assert lookup.guess([one], 4) == [[3, 1, 2, 3]]
