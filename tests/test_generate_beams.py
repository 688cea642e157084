"""Beam search: what `transformers` finds, what trying everything finds, and the diverse kind by the book."""

import itertools
from collections import Counter

import pytest
import torch

from cutaway.errors import GenerationError
from cutaway.generate import beam_search, generate
from cutaway.generate.beams import BeamSearch, consecutive
from cutaway.sampling import BeamParams, SamplingParams
from cutaway.window import Window
from tiny import EOT, TOKENIZER, prompt_of, tiny_model, twins


def search(model, prompt, beams, **parameters):
    """All finished hypotheses, the best first."""
    return BeamSearch(model, TOKENIZER, SamplingParams(**parameters), beams).run(prompt)


def peer_search(peer, prompt, *, beams, max_tokens, **options):
    """The token lists, without padding, and scores that `transformers` finds."""
    with torch.inference_mode():
        found = peer.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            num_beams=beams.beams,
            num_return_sequences=beams.beams,
            length_penalty=beams.length_penalty,
            early_stopping=beams.early_stopping,
            max_new_tokens=max_tokens,
            eos_token_id=EOT,
            pad_token_id=0,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    rows = [row[len(prompt) :].tolist() for row in found.sequences]
    return [row[: row.index(EOT) + 1] if EOT in row else row for row in rows], found.sequences_scores.tolist()


ENDING = [twins(seed, eot=EOT) for seed in range(3)]


def assert_same_search(twins, prompt, beams, *, max_tokens=12, **options):
    model, peer = twins
    expected, scores = peer_search(peer, prompt, beams=beams, max_tokens=max_tokens, **options)
    found = search(model, prompt, beams, max_tokens=max_tokens, **options)
    ours = [hypothesis.score(beams.length_penalty) for hypothesis in found]
    assert ours == pytest.approx(scores, abs=1e-4)
    assert sorted(list(hypothesis.tokens) for hypothesis in found) == sorted(expected)
    if min(abs(a - b) for a, b in itertools.pairwise([*scores, -1e9])) > 1e-5:
        assert [list(hypothesis.tokens) for hypothesis in found] == expected
    return found


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("length_penalty", [-0.5, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_beam_search_equals_transformers(seed, length_penalty, early_stopping):
    beams = BeamParams(beams=4, length_penalty=length_penalty, early_stopping=early_stopping)
    assert_same_search(ENDING[seed], prompt_of(5, seed), beams)


@pytest.mark.parametrize("width", [2, 3, 7])
@pytest.mark.parametrize("options", [{"no_repeat_ngram_size": 2}, {"repetition_penalty": 1.4}, {}], ids=str)
def test_other_widths_and_penalties_equal_transformers(width, options):
    for seed in range(2):
        assert_same_search(ENDING[seed], [3, 4, 5, 3, 4], BeamParams(beams=width, early_stopping="never"), **options)


def test_the_comparison_meets_endings_of_many_lengths():
    found = [search(ENDING[seed][0], prompt_of(5, seed), BeamParams(beams=4), max_tokens=12) for seed in range(3)]
    assert len({len(hypothesis.tokens) for some in found for hypothesis in some}) > 3
    assert any(hypothesis.tokens[-1] == EOT for some in found for hypothesis in some)


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_is_greedy(seed):
    model, prompt = tiny_model(seed, eot=EOT), prompt_of(4, seed)
    params = SamplingParams(temperature=0, max_tokens=20)
    found = beam_search(model, TOKENIZER, prompt, params, BeamParams(beams=1, early_stopping=True))
    greedy = generate(model, TOKENIZER, [prompt], params)[0]
    assert found.samples[0].tokens == greedy.samples[0].tokens
    assert found.samples[0].text == greedy.samples[0].text
    assert found.samples[0].finish_reason == greedy.samples[0].finish_reason
    assert found.samples[0].logprobs == pytest.approx(greedy.samples[0].logprobs)


def logprobs_after(model, ids):
    with torch.inference_mode():
        window = ids[Window(block_size=model.config.block_size).start(len(ids)) :]
        return model(torch.tensor([window]))[0][0, -1].log_softmax(dim=-1).tolist()


def everything(model, prompt, end, max_tokens, tokens=(), total=0.0):
    """Every possible continuation with its log-probability: it ends at `end` or at the length."""
    if len(tokens) == max_tokens or tokens[-1:] == (end,):
        return {tokens: total}
    finished = {}
    for token, logprob in enumerate(logprobs_after(model, [*prompt, *tokens])):
        finished |= everything(model, prompt, end, max_tokens, (*tokens, token), total + logprob)
    return finished


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 1.7])
def test_with_enough_beams_nothing_is_overlooked(length_penalty):
    model, prompt = tiny_model(1, vocab_size=4), [1, 2, 0]
    beams = BeamParams(beams=192, length_penalty=length_penalty, early_stopping="never")
    found = search(model, prompt, beams, max_tokens=4, stop_tokens=(3,))
    expected = everything(model, prompt, end=3, max_tokens=4)
    ranked = sorted(expected, key=lambda tokens: expected[tokens] / len(tokens) ** length_penalty, reverse=True)
    assert len(expected) == 1 + 3 + 9 + 27 * 4
    assert [hypothesis.tokens for hypothesis in found] == ranked
    assert [hypothesis.total for hypothesis in found] == pytest.approx([expected[tokens] for tokens in ranked])


def diverse(model, prompt, *, groups, size, penalty, length):
    """Algorithm 1 of Vijayakumar et al. with Hamming diversity, as slowly as it is written."""
    beams = [[(0.0, ())] for _ in range(groups)]
    for _ in range(length):
        taken = Counter()
        for group in range(groups):
            extensions = [
                (total + logprob - penalty * taken[token], (*tokens, token))
                for total, tokens in beams[group]
                for token, logprob in enumerate(logprobs_after(model, [*prompt, *tokens]))
            ]
            beams[group] = sorted(extensions, reverse=True)[:size]
            taken.update(tokens[-1] for _, tokens in beams[group])
    return sorted(itertools.chain(*beams), reverse=True)


@pytest.mark.parametrize(("groups", "size"), [(1, 3), (2, 1), (2, 3), (3, 2), (4, 1)])
@pytest.mark.parametrize("block_size", [32, 5], ids=["within the context", "past the context"])
def test_diverse_beams_equal_the_algorithm_as_written(groups, size, block_size):
    model, prompt = tiny_model(2, block_size=block_size, vocab_size=40), prompt_of(4, vocab_size=40)
    beams = BeamParams(beams=groups * size, groups=groups, diversity_penalty=0.7)
    found = search(model, prompt, beams, max_tokens=5)
    expected = diverse(model, prompt, groups=groups, size=size, penalty=0.7, length=5)
    assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens in expected]
    assert [hypothesis.total for hypothesis in found] == pytest.approx([total for total, _ in expected])


def test_groups_differ_where_plain_beams_are_alike():
    model, prompt = tiny_model(3), prompt_of(4)
    plain = search(model, prompt, BeamParams(beams=4), max_tokens=5)
    groups = search(model, prompt, BeamParams(beams=4, groups=4, diversity_penalty=100), max_tokens=5)
    assert len({hypothesis.tokens[0] for hypothesis in groups}) == 4
    assert len({hypothesis.tokens[0] for hypothesis in plain}) < 4


def test_a_group_that_is_done_leaves_the_others_searching():
    model = tiny_model(0, eot=EOT)
    beams = BeamParams(beams=6, groups=3, diversity_penalty=1.0, early_stopping=True)
    found = search(model, prompt_of(5), beams, max_tokens=15)
    assert len(found) == 6
    assert len({len(hypothesis.tokens) for hypothesis in found}) > 1


def test_the_n_best_are_the_first_of_all_in_order_of_their_score():
    model, prompt = tiny_model(1, eot=EOT), prompt_of(5)
    beams = BeamParams(beams=5, length_penalty=0.5)
    all_five = beam_search(model, TOKENIZER, prompt, SamplingParams(max_tokens=8, n=5), beams).samples
    scores = [sample.logprob / len(sample.tokens) ** 0.5 for sample in all_five]
    assert scores == sorted(scores, reverse=True)
    assert len({sample.tokens for sample in all_five}) == 5
    for n in (1, 3):
        assert beam_search(model, TOKENIZER, prompt, SamplingParams(max_tokens=8, n=n), beams).samples == all_five[:n]


def test_logprobs_are_those_of_the_model_before_penalties():
    model, prompt = tiny_model(4), prompt_of(5)
    params = SamplingParams(max_tokens=6, repetition_penalty=1.5)
    made = beam_search(model, TOKENIZER, prompt, params, BeamParams(beams=3)).samples[0]
    expected = [logprobs_after(model, [*prompt, *made.tokens[:n]])[token] for n, token in enumerate(made.tokens)]
    assert made.logprobs == pytest.approx(expected)


def test_a_stop_text_ends_a_hypothesis_and_is_not_shown():
    model, prompt = tiny_model(5), prompt_of(5)
    free = beam_search(model, TOKENIZER, prompt, SamplingParams(max_tokens=8), BeamParams(beams=3)).samples[0]
    stop = next(text for text in reversed(TOKENIZER.decode(free.tokens)) if text != "\ufffd")
    made = beam_search(model, TOKENIZER, prompt, SamplingParams(max_tokens=8, stop=stop, n=3), BeamParams(beams=3))
    for sample in made.samples:
        text = TOKENIZER.decode(sample.tokens)
        assert sample.text == text.split(stop)[0]
        assert (sample.finish_reason == "stop") == (stop in text)
        assert stop not in TOKENIZER.decode(sample.tokens[:-1])
    assert any(sample.finish_reason == "stop" for sample in made.samples)


def test_several_ways_to_end_leave_enough_hypotheses_running():
    model = tiny_model(6)
    ends = tuple(range(0, 270, 2))
    found = search(model, prompt_of(3), BeamParams(beams=4, early_stopping="never"), max_tokens=6, stop_tokens=ends)
    assert len(found) == 4
    for hypothesis in found:
        assert not set(hypothesis.tokens[:-1]) & set(ends)


def test_bans_narrow_the_search_and_never_break_it():
    model = tiny_model(7, vocab_size=6)
    params = SamplingParams(max_tokens=3, banned_tokens=(0, 1, 2, 3), n=4)
    made = beam_search(model, TOKENIZER, [1, 2], params, BeamParams(beams=16))
    assert all(set(sample.tokens) <= {4, 5} for sample in made.samples)
    with pytest.raises(GenerationError, match="every token is forbidden"):
        beam_search(model, TOKENIZER, [1], params.replace(banned_tokens=range(6)), BeamParams(beams=4))


def test_more_results_than_beams_are_refused():
    with pytest.raises(GenerationError, match="n=5 results cannot come from beams=4; ask for that many at most"):
        beam_search(tiny_model(), TOKENIZER, [1], SamplingParams(n=5), BeamParams(beams=4))


def test_an_empty_prompt_is_refused():
    with pytest.raises(GenerationError, match="at least one token"):
        beam_search(tiny_model(), TOKENIZER, [], SamplingParams(), BeamParams())


def test_rows_of_groups_lie_one_after_another():
    assert consecutive([2, 3, 0, 1]) == [[0, 1], [2, 3, 4], [], [5]]


def test_ids_beyond_the_tokenizer_are_never_chosen():
    found = search(tiny_model(12, vocab_size=600), prompt_of(3), BeamParams(beams=8), max_tokens=6)
    assert all(token < TOKENIZER.n_vocab for hypothesis in found for token in hypothesis.tokens)
