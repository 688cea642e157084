import gzip
import json
import math

import pytest

from cutaway.errors import DataError, EvaluationError
from cutaway.evals.cloze import cloze_questions
from cutaway.evals.detokenize import NEWS, PENN, TREEBANK_TEXT, WIKITEXT
from cutaway.evals.item_log import ItemLog
from cutaway.evals.last_words import guess_last_words, scores_of
from cutaway.evals.native_scorer import NativeScorer
from cutaway.evals.pairs import pair_passage
from cutaway.evals.paper import evaluate_set, whole_text
from cutaway.evals.paper_sets import NAMES, SETS, set_named
from cutaway.evals.passage import Passage
from cutaway.evals.stop_words import stop_tokens
from cutaway.evals.torch_scorer import TorchScorer
from cutaway.tokenizer import Tokenizer
from native_models import native_model, needs_kernels, plain_logits
from test_evals_scorers import slowly
from tiny import EOT, TOKENIZER, tiny_model

EXAMPLES = [
    (WIKITEXT, "A guest @-@ star of 2 @,@ 000 or 3 @.@ 5 plays .", "A guest-star of 2,000 or 3.5 plays."),
    (WIKITEXT, '" Teddy \'s Story " ( 2004 ) ; it didn \'t end .', '"Teddy\'s Story" (2004); it didn\'t end.'),
    (WIKITEXT, "the boys ' room , in St. Ives ; the U.S. Navy", "the boys' room, in St. Ives; the U.S. Navy"),
    (WIKITEXT, "= Robert Boulter =", "= Robert Boulter ="),
    (PENN, "mr. <unk> said it does n't cost $ N million", "mr. <unk> said it doesn't cost $N million"),
    (PENN, "the company 's profit rose N %", "the company's profit rose N%"),
    (TREEBANK_TEXT, "`` i do n't , '' she said -LRB- again -RRB- .", '"i don\'t," she said (again).'),
    (PENN, r"capital cities\/abc fell N N", "capital cities/abc fell N N"),
    (NEWS, 'He said , " We \'re sure . "', 'He said, "We\'re sure."'),
    (NEWS, "It 's ( AP ) $ 94 million they didn 't want .", "It's (AP) $94 million they didn't want."),
]  # fmt: skip
EXAMPLES = [pytest.param(*example, id=example[2][:30]) for example in EXAMPLES]
STORY = "the fox met the owl and the owl met"


@pytest.fixture(scope="module")
def model():
    return tiny_model(block_size=64)


@pytest.mark.parametrize(("detokenizer", "original", "text"), EXAMPLES)
def test_text_reads_as_people_write_it(detokenizer, original, text):
    assert detokenizer.detokenize(original) == text


@pytest.mark.parametrize(("detokenizer", "original", "text"), EXAMPLES)
def test_what_was_undone_can_be_put_back(detokenizer, original, text):
    assert detokenizer.retokenize(text) == original


def test_lines_stay_lines():
    assert WIKITEXT.detokenize(" = A = \n \n It , too . \n") == "= A =\n\nIt, too.\n"


def test_the_paper_has_eight_sets_and_lambada_comes_in_two_versions():
    assert len(NAMES) == len(set(NAMES)) == 10
    for each in SETS:
        assert each.hub or each.source
        for figure in each.figures:
            assert len(figure.paper) in (0, 4)
            assert figure.unit


def test_an_unknown_set_gets_the_nearest():
    with pytest.raises(EvaluationError, match="did you mean 'wikitext2'"):
        set_named("wikitext")


def test_words_are_the_originals_and_tokens_those_of_the_mended_text(tmp_path, model):
    original = " = A fox = \n The fox , a guest @-@ owl , met 2 @,@ 000 owls . \n"
    (tmp_path / "w").write_text(original)
    found = evaluate_set(set_named("wikitext2"), [tmp_path / "w"], TorchScorer(model), TOKENIZER)
    mended = "= A fox =\nThe fox, a guest-owl, met 2,000 owls.\n"
    ids = [EOT, *TOKENIZER.encode(mended)]
    loss = -slowly(model, Passage(tokens=ids, first=1))[0].sum()
    assert (found["tokens"], found["words"]) == (len(ids) - 1, len(original.split()))
    assert found["loss"] == pytest.approx(loss, abs=1e-4)
    assert found["perplexity"] == pytest.approx(math.exp(loss / (len(ids) - 1)), rel=1e-5)
    assert found["word_perplexity"] == pytest.approx(math.exp(loss / len(original.split())), rel=1e-5)


def test_the_test_set_of_bytes_is_the_end_from_a_whole_character_on(tmp_path, model):
    path = tmp_path / "enwik8"
    path.write_bytes("ab€cd".encode())
    assert whole_text([path], 4) == "cd"
    assert whole_text([path], 5) == "€cd"
    assert whole_text([path]) == "ab€cd"
    found = evaluate_set(set_named("enwik8"), [path], TorchScorer(model), TOKENIZER)
    assert found["bytes"] == len("ab€cd".encode())
    assert found["bits_per_byte"] == pytest.approx(found["loss"] / math.log(2) / 7)


def test_lines_of_the_hub_give_the_text_of_the_original_file(tmp_path):
    """There an empty line has lost its space and its end."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    lines = ["", " = A fox = \n", "", " The fox met 2 @,@ 000 owls . \n"]
    parquet.write_table(pyarrow.table({"text": lines}), tmp_path / "test.parquet")
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    original = " \n = A fox = \n \n The fox met 2 @,@ 000 owls . \n"
    for name in ("test.parquet", "lines.jsonl"):
        assert WIKITEXT.detokenize(whole_text([tmp_path / name])) == WIKITEXT.detokenize(original)


def test_compressed_text_is_read_and_what_is_cut_off_refused(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a fox\n"))
    assert whole_text([tmp_path / "a.txt.gz"]) == "a fox\n"
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"a fox\n")[:-3])
    with pytest.raises(DataError, match="damaged or cut off"):
        whole_text([tmp_path / "b.txt.gz"])


def test_too_much_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.evals.paper.MAX_BYTES", 5)
    (tmp_path / "a").write_text("123456")
    with pytest.raises(EvaluationError, match="give the test set alone"):
        whole_text([tmp_path / "a"])


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"a\xff")
    with pytest.raises(EvaluationError, match="not UTF-8 text"):
        whole_text([tmp_path / "x"])


def test_last_words_are_scored_after_all_the_rest(model):
    scorer = TorchScorer(model)
    texts = [f"{STORY} fox", f"{STORY} the owl"]
    found = list(guess_last_words(texts, scorer, TOKENIZER))
    losses: list[float] = []
    for text, outcome in zip(texts, found, strict=True):
        context, _, word = text.rpartition(" ")
        logprobs, greedy = slowly(model, pair_passage(TOKENIZER, context, f" {word}", 64))
        assert outcome["logprob"] == pytest.approx(logprobs.sum(), abs=2e-6)
        assert outcome["greedy"] == greedy
        losses.append(-logprobs.sum())
    perplexity = math.exp(sum(losses) / 2)
    assert scores_of(found).perplexity == pytest.approx(perplexity, rel=1e-5)
    spread = abs(losses[0] - losses[1]) / 2  # of two, the standard error of the mean is half their distance
    assert scores_of(found).perplexity_stderr == pytest.approx(perplexity * spread, rel=1e-4)


def test_a_single_word_has_nothing_before_it(model):
    with pytest.raises(EvaluationError, match="'alone' has a single word"):
        list(guess_last_words(["alone"], TorchScorer(model), TOKENIZER))


@pytest.mark.parametrize(
    "make", [TorchScorer, pytest.param(lambda m: NativeScorer(native_model(m)), marks=needs_kernels)]
)
def test_ignored_tokens_are_no_rivals_of_the_first_token_only(model, make):
    context = TOKENIZER.encode(STORY)
    order = plain_logits(model, context)[-1].argsort()[::-1].tolist()
    third = order[2]
    after = int(plain_logits(model, [*context, third])[-1].argmax())
    other = (after + 1) % TOKENIZER.n_vocab

    def passage(tokens, ignored):
        return Passage(tokens=[*context, *tokens], first=len(context), ignored=frozenset(ignored))

    asked = [
        passage([third, after], order[:2]),
        passage([third, after], order[:1]),
        passage([third, other], order[:2]),
        passage([third, after], order[:3]),
        passage([order[0], int(plain_logits(model, [*context, order[0]])[-1].argmax())], []),
    ]
    found = make(model).score(asked)
    assert [score.greedy_but for score in found] == [True, False, False, False, True]
    assert [score.greedy for score in found] == [False, False, False, False, True]


def test_stop_words_are_single_tokens_with_and_without_a_space():
    tokenizer = Tokenizer.gpt2()
    tokens = stop_tokens(tokenizer)
    for text in (" the", "the", " The", ".", "\n", " of"):
        assert tokenizer.encode(text)[0] in tokens
    assert not {tokenizer.encode(word)[0] for word in (" owl", " fox", " signs")} & tokens
    assert tokenizer.eot in tokens


CBT = """\
1 The king had a dog .
2 `` I like him , '' said the queen .
21 But the XXXXX did n't like the queen .\tdog\t\tcat|dog|hat

1 Once there was an owl .
21 XXXXX flew away .\tOwl\t\tFox|Owl
"""


def test_a_cloze_question_has_the_candidate_and_the_rest_after_everything_before():
    one, other = cloze_questions(CBT.splitlines(), TREEBANK_TEXT)
    before = 'The king had a dog. "I like him," said the queen. But the'
    assert [tuple(pair) for pair in one.pairs] == [
        (before, f" {word} didn't like the queen.") for word in ("cat", "dog", "hat")
    ]
    assert one.answer == 1
    assert [tuple(pair) for pair in other.pairs] == [
        ("Once there was an owl.", f" {word} flew away.") for word in ("Fox", "Owl")
    ]


def test_a_cloze_answer_among_no_candidates_is_refused():
    with pytest.raises(EvaluationError, match="line 1 has the answer 'dog', which is none of its candidates"):
        list(cloze_questions(["21 A XXXXX .\tdog\t\tcat|hat"], TREEBANK_TEXT))


def test_cloze_and_last_words_are_evaluated_from_files(tmp_path, model):
    (tmp_path / "c.txt").write_text(CBT)
    found = evaluate_set(set_named("cbt-cn"), [tmp_path / "c.txt"], TorchScorer(model), TOKENIZER)
    assert found["items"] == 2
    assert found["accuracy"] in (0, 50, 100)
    (tmp_path / "l.jsonl").write_text('{"text": "the fox met the owl"}\n{"text": "the owl met the fox"}\n')
    (tmp_path / "l.txt").write_text("the fox met the owl\nthe owl met the fox\n")
    whole = evaluate_set(set_named("lambada"), [tmp_path / "l.jsonl"], TorchScorer(model), TOKENIZER)
    plain = evaluate_set(set_named("lambada-plain"), [tmp_path / "l.txt"], TorchScorer(model), TOKENIZER)
    assert whole == plain
    assert whole["items"] == 2


def test_finished_items_of_a_set_are_kept(tmp_path, model):
    (tmp_path / "l.jsonl").write_text('{"text": "the fox met the owl"}\n{"text": "the owl met the fox"}\n')
    for _ in range(2):
        with ItemLog({"set": "lambada"}, tmp_path / "items") as log:
            found = evaluate_set(set_named("lambada"), [tmp_path / "l.jsonl"], TorchScorer(model), TOKENIZER, log=log)
    assert found["items"] == 2
    assert len((tmp_path / "items").read_text().splitlines()) == 3
