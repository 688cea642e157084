"""`cutaway eval`, as a user would run it."""

import json
import math
import subprocess

import pytest

import cutaway
from command_line import COMMAND, environment, mistake, run, tiny
from cutaway.evals.tasks import ALL
from cutaway.native import available

TEXT = "the cat sat on the mat. once upon a time there was a cat that sat."
PIQA = [{"goal": "sat on", "sol1": "the mat", "sol2": "a cat", "label": n % 2} for n in range(4)]


def found(*arguments):
    result = run("eval", *arguments, "--model", tiny())
    assert result.code == 0, result.err
    return result.out


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def data(tmp_path):
    (tmp_path / "piqa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in PIQA))
    (tmp_path / "lambada_test.jsonl").write_text('{"text": "the cat sat on the mat"}\n{"text": "once upon a time"}\n')
    return tmp_path


def test_perplexity_is_that_of_the_plain_scores(text):
    measured = json.loads(found("perplexity", text, "--json"))
    losses = [-score.logprob for score in cutaway.load(tiny(), device="cpu").score(TEXT)[1:]][:32]
    assert measured["loss_by_tokens_before"][: len(losses)] == pytest.approx(losses, abs=1e-4)
    assert measured["tokens"] == len(cutaway.load(tiny(), device="cpu").ids(TEXT)) - 1
    assert measured["perplexity"] == pytest.approx(math.exp(measured["mean_loss"]))


def test_perplexity_has_a_row_for_all_or_for_each_document(text, tmp_path):
    (tmp_path / "other.txt").write_text("a cat|a mat there")
    assert [line.split()[0] for line in found("perplexity", text).splitlines()] == ["text", "all"]
    both = found("perplexity", text, tmp_path / "other.txt", "--by-document", "--separator", "|").splitlines()
    assert [line.partition("  ")[0].rstrip() for line in both] == [
        "text", "text.txt #1", "other.txt #1", "other.txt #2", "all",
    ]  # fmt: skip


def test_perplexity_draws_the_loss_along_the_context(text, tmp_path):
    pytest.importorskip("matplotlib", reason="drawing takes matplotlib")
    found("perplexity", text, "--plot", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_perplexity_shows_each_token_where_there_are_no_colours(text):
    rows = found("perplexity", text, "--show", "--limit", "1").splitlines()
    assert rows[0].split() == ["token", "bits"]
    assert len(rows[1].split()) == 1
    assert float(rows[2].split()[1]) > 0


def test_finished_windows_are_kept_and_belong_to_their_settings(text, tmp_path):
    items = tmp_path / "items.jsonl"
    first = found("perplexity", text, "--context", "8", "--items", items)
    assert found("perplexity", text, "--context", "8", "--items", items) == first
    sentence = mistake("eval", "perplexity", text, "--context", "9", "--items", items, "--model", tiny())
    assert "holds items of another evaluation: context was 8 and is now 9" in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--stride", "9", "--context", "8"), "stride=9 is out of range; it is from 1 to 8, what a window reads"),
        (("--context", "99"), "context=99 is out of range; this model reads 1 to 32 tokens"),
        (("--limit", "0"), "limit=0"),
        (("--show", "--json"), "--show and --json exclude each other"),
        (("--plot", "loss.jpg"), "does not end in .png"),
        (("--items", "/no/such/folder/items"), "cannot be used for items: No such file or directory"),
    ],
)
def test_perplexity_refuses_what_makes_no_sense(text, arguments, sentence):
    assert sentence in mistake("eval", "perplexity", text, *arguments, "--model", tiny())


def test_perplexity_of_a_file_that_is_not_there():
    assert "there is no file or folder" in mistake("eval", "perplexity", "/no/such/file", "--model", tiny())


def test_an_empty_separator_is_refused(text):
    assert "separates nothing" in mistake("eval", "perplexity", text, "--separator", "", "--model", tiny())


def test_choices_without_a_name_lists_them():
    rows = run("eval", "choices").out.splitlines()
    assert [row.split()[0] for row in rows] == ["set", *(task.name for task in ALL)]
    listed = json.loads(run("eval", "choices", "--json").out)["tasks"]
    assert [task["name"] for task in listed] == [task.name for task in ALL]


def test_choices_have_a_row_for_each_set_and_json(data):
    rows = found("choices", "piqa", "--data", data, "--shots", "1", "--limit", "3").splitlines()
    assert "1 worked examples before each" in rows[0]
    assert rows[-1].split()[:2] == ["piqa", "3"]
    scores = json.loads(found("choices", "piqa", "--data", data / "piqa.jsonl", "--json"))["tasks"]["piqa"]
    assert (scores["items"], scores["chance"]) == (4, 0.5)
    assert scores["sum"]["value"] == 0.5  # the same answers are right and wrong by turns
    assert scores["sum"]["stderr"] == pytest.approx(math.sqrt(0.25 / 3))


def test_right_answers_may_lie_in_a_file_of_their_own(data):
    whole = found("piqa", "--data", data)
    bare = [{name: record[name] for name in ("goal", "sol1", "sol2")} for record in PIQA]
    (data / "piqa.jsonl").unlink()
    (data / "valid.jsonl").write_text("".join(json.dumps(record) + "\n" for record in bare))
    (data / "valid-labels.lst").write_text("0\n1\n0\n1\n")
    assert found("piqa", "--data", data) == whole
    (data / "valid-labels.lst").write_text("0\n1\n0\n")
    sentence = mistake("eval", "piqa", "--data", data, "--model", tiny())
    assert "does not have one answer for each question" in sentence


def test_finished_questions_are_kept(data):
    items = data / "items.jsonl"
    first = found("choices", "piqa", "--data", data, "--items", items, "--limit", "2")
    assert len(items.read_text().splitlines()) == 3
    assert found("choices", "piqa", "--data", data, "--items", items, "--limit", "2") == first
    found("choices", "piqa", "--data", data, "--items", items)
    assert [json.loads(line).get("item") for line in items.read_text().splitlines()] == [None, 0, 1, 2, 3]


def test_a_set_in_many_files_has_a_row_for_each_group(data):
    (data / "blimp" / "data").mkdir(parents=True)
    (data / "blimp" / "README.md").write_text("not a record")
    for name in ("wh_island", "npi_present_1"):
        pair = {"sentence_good": "The owl flies.", "sentence_bad": "The owl fly.", "UID": name}
        (data / "blimp" / "data" / f"{name}.jsonl").write_text(json.dumps(pair) + "\n")
    rows = [row.split() for row in found("blimp", "--data", data, "--groups").splitlines()[-3:]]
    assert [row[:2] for row in rows] == [["blimp", "2"], ["npi_present_1", "1"], ["wh_island", "1"]]
    scores = json.loads(found("blimp", "--data", data, "--json"))["tasks"]["blimp"]
    assert {name: share["of"] for name, share in scores["groups"].items()} == {"npi_present_1": 1, "wh_island": 1}


def test_two_evaluations_are_compared(data):
    one, other = data / "one.jsonl", data / "other.jsonl"
    found("piqa", "--data", data, "--items", one)
    found("piqa", "--data", data, "--items", other, "--dtype", "float64", "--limit", "3", "--shots", "1")
    rows = run("eval", "compare", one, other).out.splitlines()
    assert rows[:3] == ["piqa, 3 items", f"before  {tiny()} in float32", f"after   {tiny()} in float64"]
    assert rows[5].startswith("right, whole answer, %")
    assert "not the same: shots was 0 and is 1" in rows
    assert rows[-1] == "1 items that only one of them has finished are left out"
    told = json.loads(run("eval", "compare", one, other, "--json").out)
    assert [measure["items"] for measure in told["measures"]] == [3] * 4
    assert "is not a file of finished items" in mistake("eval", "compare", one, data / "piqa.jsonl")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("piqqa",), "there is no task 'piqqa'; did you mean 'piqa'?"),
        (("sciq",), "holds no file for sciq; it would be called sciq.jsonl or sciq_test.json or sciq.parquet"),
        (("piqa", "--shots", "4"), "shots=4 is out of range; here it is from 0 to 3"),
        (("piqa", "--shots-from", "x.jsonl"), "say with --shots how many there shall be"),
        (("piqa", "blimp", "--items", "x.jsonl"), "--items keeps one set and 2 are asked for"),
    ],
)
def test_choices_refuse_what_makes_no_sense(data, arguments, sentence):
    assert sentence in mistake("eval", "choices", *arguments, "--data", data, "--model", tiny())


def test_a_file_with_nothing_in_it_is_refused(data):
    (data / "nothing.jsonl").write_text("")
    (data / "nothing.txt").write_text(" \n")
    for name, file in (("piqa", "nothing.jsonl"), ("lambada", "nothing.jsonl"), ("cbt-ne", "nothing.txt")):
        assert "nothing." in mistake("eval", name, "--data", data / file, "--model", tiny())
    (data / "nothing.txt").write_text("")
    sentence = mistake("eval", "ptb", "--data", data / "nothing.txt", "--model", tiny())
    assert sentence.endswith("holds nothing to score for ptb; check the file")


def test_the_papers_figures_stand_next_to_ours(data):
    result = run("eval", "paper", "--data", data, "--model", tiny())
    rows = [row.split() for row in result.out.splitlines()]
    assert rows[0][0] == "set"
    assert [row[0] for row in rows[1:]] == ["lambada"] * 3
    assert rows[1][4] == "35.13"
    assert "left out:" in result.err
    measured = json.loads(run("eval", "paper", "--data", data, "--model", tiny(), "--set", "lambada", "--json").out)
    assert measured["sets"]["lambada"]["items"] == 2


def test_a_set_that_is_asked_for_must_be_there(data):
    sentence = mistake("eval", "paper", "--data", data, "--set", "ptb", "--model", tiny())
    assert sentence.endswith(
        "holds no file for ptb; it would be called ptb.test.txt or simple-examples/data/ptb.test.txt"
    )
    assert "is not on the Hub; take it from" in mistake("eval", "paper", "--set", "enwik8", "--model", tiny())
    assert "did you mean 'wikitext2'?" in mistake("eval", "paper", "--set", "wikitext", "--model", tiny())


def test_the_papers_sets_are_listed_with_units_and_files():
    out = run("eval", "paper", "--list").out
    assert "ptb.test.txt" in out
    assert "bits a character; each is a byte" in out


@pytest.mark.skipif(not available(), reason=available().detail)
def test_evaluating_on_a_cpu_loads_no_torch(data):
    code = (
        "import sys; from cutaway.cli import main; "
        f"code = main(['eval', 'choices', 'piqa', '--data', {str(data)!r}, '--model', {tiny()!r}, '--device', 'cpu']); "
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([*COMMAND[:1], "-c", code], env=environment(), check=True, capture_output=True, text=True)
    assert "piqa" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 False"


def test_a_sets_name_alone_is_enough(data):
    assert found("piqa", "--data", data) == found("choices", "piqa", "--data", data)
    assert found("lambada", "--data", data) == found("paper", "--set", "lambada", "--data", data)


def test_help_of_eval_lists_its_commands_and_loads_no_numpy():
    assert all(name in run("eval", "--help").out for name in ("perplexity", "paper", "choices"))
    code = "import sys; from cutaway.cli import main; print(main(['eval', '--help']), 'numpy' in sys.modules)"
    done = subprocess.run([*COMMAND[:1], "-c", code], env=environment(), check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False"


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_without_a_token_to_score_is_refused(tmp_path, text):
    (tmp_path / "short.txt").write_text(text)
    sentence = mistake("eval", "perplexity", tmp_path / "short.txt", "--model", tiny(), "--device", "cpu")
    assert sentence.startswith("there is no token to score")
