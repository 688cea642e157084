import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.source_file import SourceFile
from cutaway.errors import EvaluationError
from cutaway.evals.documents import documents
from cutaway.evals.item_log import ItemLog
from cutaway.evals.passage import Scored
from cutaway.evals.perplexity import Meter
from cutaway.evals.torch_scorer import TorchScorer
from cutaway.evals.windows import sliding_windows
from tiny import EOT, STORY, TOKENIZER, tiny_model

CONTEXT = 8
TEXT = STORY[:150] + "\nAn owl!\n"


@pytest.fixture(scope="module")
def model():
    return tiny_model(block_size=16)


def measure(tmp_path, model, texts, *, start=None, separator=None, log=None, limit=None, **settings):
    files = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.txt"
        path.write_text(text, encoding="utf-8")
        files.append(SourceFile.at(path, path.name))
    found = documents(files, TOKENIZER, separator=separator, start=start)
    return Meter(TorchScorer(model), TOKENIZER, **settings).measure(found, log=log, limit=limit, keep_tokens=True)


@torch.inference_mode()
def brute_force(model, ids, context, stride):
    """Each token's loss by a forward of its own, over exactly the tokens that its window lets it see."""
    losses = []
    for token in range(1, len(ids)):
        # Windows end behind the token `context`, then every `stride` further; the last where the text does.
        end = context if token <= context else context + math.ceil((token - context) / stride) * stride
        begin = max(0, min(end, len(ids) - 1) - context)
        logits = model(torch.tensor([ids[begin:token]]))[0][0, -1]
        losses.append(-float(logits.log_softmax(-1)[ids[token]]))
    return losses


@pytest.mark.parametrize("stride", range(1, CONTEXT + 1))
def test_every_stride_gives_what_brute_force_gives(tmp_path, model, stride):
    found = measure(tmp_path, model, [TEXT], context=CONTEXT, stride=stride)
    ids = TOKENIZER.encode(TEXT)
    losses = brute_force(model, ids, CONTEXT, stride)
    np.testing.assert_allclose(found.losses[1:], losses, atol=2e-6)
    assert found.tokens == ids
    assert found.total.perplexity == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=30), max_size=6),
    st.integers(1, 7).flatmap(lambda context: st.tuples(st.just(context), st.integers(1, context))),
)
def test_windows_score_every_token_but_the_first_once_however_the_text_is_cut(chunks, window):
    context, stride = window
    ids = [token for chunk in chunks for token in chunk]
    made = list(sliding_windows(chunks, context, stride))
    assert [token for passage in made for token in passage.tokens[passage.first :]] == ids[1:]
    assert made == list(sliding_windows([ids], context, stride))
    end = 0
    for number, passage in enumerate(made):
        end += passage.n_scored
        assert list(passage.tokens) == ids[max(0, end - context) : end + 1]
        last = number == len(made) - 1
        assert passage.n_scored == (stride if number else context) or (last and passage.n_scored < context)


@pytest.mark.parametrize("stride", [0, -1, 9])
def test_a_stride_that_leaves_tokens_out_or_never_moves_is_refused(tmp_path, model, stride):
    with pytest.raises(EvaluationError, match="is out of range; it is from 1 to 8"):
        measure(tmp_path, model, [TEXT], context=8, stride=stride)


@pytest.mark.parametrize("context", [0, 17])
def test_a_window_that_the_model_cannot_read_is_refused(tmp_path, model, context):
    with pytest.raises(EvaluationError, match="this model reads 1 to 16 tokens"):
        measure(tmp_path, model, [TEXT], context=context)


def test_units_are_tokens_words_and_bytes(tmp_path, model):
    total = measure(tmp_path, model, [TEXT]).total
    ids = TOKENIZER.encode(TEXT)
    assert (total.tokens, total.words) == (len(ids) - 1, len(TEXT.split()))
    assert total.bytes == len(TOKENIZER.decode_bytes(ids[1:]))
    assert total.word_perplexity == pytest.approx(math.exp(total.loss / len(TEXT.split())))
    assert total.bits_per_byte == pytest.approx(total.loss / math.log(2) / total.bytes)
    assert total.to_dict()["mean_loss"] == pytest.approx(math.log(total.perplexity))


def test_with_a_start_the_first_token_counts_too(tmp_path, model):
    found = measure(tmp_path, model, [TEXT], start=EOT)
    ids = TOKENIZER.encode(TEXT)
    assert found.tokens == [EOT, *ids]
    assert (found.total.tokens, found.total.bytes) == (len(ids), len(TEXT.encode()))


def test_documents_do_not_see_each_other(tmp_path, model):
    together = measure(tmp_path, model, ["once upon a time|the owl said: who are you?"], separator="|")
    apart = measure(tmp_path, model, ["once upon a time", "the owl said: who are you?"])
    assert together.losses[1:] == pytest.approx(apart.losses[1:], nan_ok=True)
    assert [tally.name for tally in together.documents] == ["0.txt #1", "0.txt #2"]
    assert [tally.name for tally in apart.documents] == ["0.txt", "1.txt"]
    assert together.total.loss == pytest.approx(sum(tally.loss for tally in together.documents))
    assert together.total.words == 10


def test_the_loss_along_the_context_is_the_mean_over_windows(tmp_path, model):
    found = measure(tmp_path, model, [TEXT], context=CONTEXT)
    losses = np.array(found.losses[1:])
    whole = losses[: len(losses) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
    assert len(losses) % CONTEXT  # the last window reads as much as the others, so what it scores comes last in it
    rest = losses[whole.size :]
    sums = whole.sum(axis=0) + np.pad(rest, (CONTEXT - len(rest), 0))
    counts = len(whole) + (np.arange(CONTEXT) >= CONTEXT - len(rest))
    np.testing.assert_allclose(found.along, sums / counts)


def test_a_limit_stops_early_and_tells_no_perplexity_a_word(tmp_path, model):
    found = measure(tmp_path, model, [TEXT], context=CONTEXT, limit=2)
    assert (found.total.tokens, found.total.word_perplexity) == (2 * CONTEXT, None)


def test_an_empty_text_and_a_single_token_have_no_perplexity(tmp_path, model):
    total = measure(tmp_path, model, ["", "a"]).total
    assert (total.tokens, total.perplexity, total.bits_per_byte) == (0, None, None)


def test_long_texts_are_read_in_pieces_and_words_over_a_cut_count_once(tmp_path, model, monkeypatch):
    monkeypatch.setattr("cutaway.data.pieces.MAX_PIECE", 20)
    monkeypatch.setattr("cutaway.evals.documents.cut_pieces.__defaults__", (20,))
    text = "once upon a time " + "x" * 50 + " there was"
    found = measure(tmp_path, model, [text])
    assert TOKENIZER.decode(found.tokens) == text
    assert found.total.words == len(text.split())


class Dying(TorchScorer):
    """A scorer whose process dies after some calls."""

    def __init__(self, model, calls):
        super().__init__(model)
        self.calls = calls

    def score(self, passages):
        if passages:
            self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        return super().score(passages)


def test_after_a_kill_the_rest_is_computed_and_nothing_twice(tmp_path, model, monkeypatch):
    monkeypatch.setattr("cutaway.evals.items.TOKENS_AT_ONCE", 3 * CONTEXT)
    path, key = tmp_path / "items.jsonl", {"model": "m", "stride": 4}
    (tmp_path / "a.txt").write_text(TEXT)

    def go(scorer):
        files = [SourceFile.at(tmp_path / "a.txt", "a")]
        with ItemLog(key, path) as log:
            return Meter(scorer, TOKENIZER, context=CONTEXT, stride=4).measure(documents(files, TOKENIZER), log=log)

    with pytest.raises(KeyboardInterrupt):
        go(Dying(model, 2))
    kept = path.read_text().splitlines()
    assert 1 < len(kept) < 20
    with path.open("a") as file:
        file.write('{"item": 99, "los')  # a line that was being written
    needed = Dying(model, 99)
    resumed = go(needed)
    path.unlink()
    whole = Dying(model, 99)
    assert resumed.total == go(whole).total
    assert needed.calls > whole.calls
    assert path.read_text().splitlines()[: len(kept)] == kept


def test_items_of_another_evaluation_are_refused(tmp_path):
    path = tmp_path / "items.jsonl"
    with ItemLog({"model": "a", "stride": 4}, path) as log:
        log.add(0, {"losses": [1.0]})
    with pytest.raises(EvaluationError, match="stride was 4 and is now 5"), ItemLog({"model": "a", "stride": 5}, path):
        pass
    with ItemLog({"model": "a", "stride": 4}, path) as log:
        assert log.done == {0: {"losses": [1.0]}}


KEY = json.dumps({"model": "a"})


@pytest.mark.parametrize("content", ["hello\n", "hello", "[1]\n", f"{KEY}\nnot json\n", f'{KEY}\n{{"text": "a"}}\n'])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path, content):
    path = tmp_path / "items.jsonl"
    path.write_text(content)
    with pytest.raises(EvaluationError, match="not a file of finished items"), ItemLog({"model": "a"}, path):
        pass
    assert path.read_text() == content


@pytest.mark.parametrize("size", [0, 5, len(KEY)])
def test_a_file_whose_first_line_was_cut_off_begins_anew(tmp_path, size):
    path = tmp_path / "items.jsonl"
    path.write_text(KEY[:size])
    with ItemLog({"model": "a"}, path) as log:
        log.add(0, {"right": True})
    assert path.read_text() == KEY + '\n{"item": 0, "right": true}\n'


def test_scores_add_up():
    assert Scored(logprobs=np.array([-1.0, -2.5]), greedy=True, greedy_but=True).total == -3.5
