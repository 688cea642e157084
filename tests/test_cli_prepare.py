import io
import json
import sys

import pytest

from corpora import story, story_corpus, write_stories
from cutaway.cli import main
from cutaway.data import TokenFolder
from cutaway.tokenizer import Tokenizer
from cutaway.tokenizer.characters import CharTokenizer


@pytest.fixture
def corpus(tmp_path):
    story_corpus(tmp_path / "corpus", files=2)
    return tmp_path / "corpus"


@pytest.fixture
def prepared(corpus, tmp_path, capsys):
    assert main(["prepare", str(corpus), "-o", str(tmp_path / "data")]) == 0
    capsys.readouterr()
    return tmp_path / "data"


def failed(arguments, capsys):
    """The sentence with which a command refuses."""
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("cutaway: error: ")
    assert "Traceback" not in err
    return err


def test_prepare_makes_shards_and_reports(corpus, tmp_path, capsys):
    assert main(["prepare", str(corpus), "-o", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "train" in out
    assert "never used: " in out
    assert "tokens in a document" in out
    data = TokenFolder(tmp_path / "data", Tokenizer.gpt2().fingerprint)
    assert data.manifest.totals("train").n_documents == 39
    assert Tokenizer.from_folder(tmp_path / "data") == Tokenizer.gpt2()


def test_the_report_can_be_had_as_json(corpus, tmp_path, capsys):
    assert main(["prepare", str(corpus), "-o", str(tmp_path / "data"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["splits"]["validation"]["n_documents"] == 1
    assert report["most_frequent"][0].keys() == {"token", "piece", "count"}
    assert report["n_vocab"] == 50257


def test_a_character_vocabulary_is_made_on_the_spot(tmp_path, capsys):
    (tmp_path / "play.txt").write_text(story(1, words=500), encoding="utf-8")
    arguments = ["prepare", str(tmp_path / "play.txt"), "-o", str(tmp_path / "data"), "--tokenizer", "char"]
    assert main([*arguments, "--validation", "0.1"]) == 0
    tokenizer = CharTokenizer.from_folder(tmp_path / "data")
    data = TokenFolder(tmp_path / "data", tokenizer.fingerprint)
    parts = [data.tokens(split) for split in ("train", "validation")]
    texts = [tokenizer.decode(part.read(0, len(part))) for part in parts]
    assert "".join(texts) == story(1, words=500)
    assert len(texts[0]) == int(len(story(1, words=500)) * 0.9)
    capsys.readouterr()
    assert main(["data", "show", str(tmp_path / "data")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_vocabulary_is_learned_on_the_spot(corpus, tmp_path):
    arguments = ["prepare", str(corpus), "-o", str(tmp_path / "data"), "--tokenizer", "train", "--vocab-size", "300"]
    assert main(arguments) == 0
    learned = Tokenizer.from_folder(tmp_path / "data")
    assert learned.n_vocab == 300
    assert TokenFolder(tmp_path / "data", learned.fingerprint).manifest.eot == 299
    again = ["prepare", str(corpus), "-o", str(tmp_path / "again"), "--tokenizer", str(tmp_path / "data")]
    assert main(again) == 0
    assert TokenFolder(tmp_path / "again").manifest == TokenFolder(tmp_path / "data").manifest


def test_standard_input_is_a_source(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(story(3).encode()), encoding="utf-8"))
    assert main(["prepare", "-", "-o", str(tmp_path / "data"), "--validation", "0"]) == 0
    tokens = TokenFolder(tmp_path / "data").tokens()
    assert Tokenizer.gpt2().decode(tokens.read(0, len(tokens) - 1)) == story(3)
    assert not (tmp_path / "data" / ".stdin").exists()


def test_shares_complete_each_other(corpus, prepared, tmp_path, capsys):
    out = str(tmp_path / "shared")
    assert main(["prepare", str(corpus), "-o", out, "--shard", "2/2"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "share 2/2 is done" in printed.err
    assert "does not hold all shares" in failed(["data", "merge", out], capsys)
    assert main(["prepare", str(corpus), "-o", out, "--shard", "1/2"]) == 0
    assert TokenFolder(out).manifest == TokenFolder(prepared).manifest
    assert main(["data", "merge", out]) == 0


def test_files_of_other_kinds_are_said_to_be_left_out(corpus, tmp_path, capsys):
    (corpus / "cover.png").write_bytes(b"\x89PNG")
    assert main(["prepare", str(corpus), "-o", str(tmp_path / "data")]) == 0
    assert "left out 1 files of other kinds: cover.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "there is no file or folder 'nowhere.txt'"),
        ([], "the corpus is empty"),
        (["{corpus}", "--validation", "1.5"], "validation=1.5 would be larger than the corpus"),
        (["{corpus}", "--validation", "-0.1"], "validation=-0.1 is no share of the corpus"),
        (["{corpus}", "--validation", "0.9999"], "leaves none to train on"),
        (["{corpus}", "--shard", "4/3"], "the share=4 is out of range"),
        (["{corpus}", "--shard", "half"], "a share is written i/n"),
        (["{corpus}", "--workers", "0"], "workers=0 is out of range"),
        (["{corpus}", "--shard-mib", "0"], "shard_mib=0 is out of range"),
        (["{corpus}", "--field", "story"], "has no 'story'; name the field that holds the text with --field"),
        (["{corpus}", "--tokenizer", "train"], "--vocab-size and --tokenizer train go together"),
        (["{corpus}", "--vocab-size", "300"], "--vocab-size and --tokenizer train go together"),
        (["{corpus}", "--tokenizer", "{corpus}"], "holds no tokenizer"),
        (["{corpus}", "--format", "pdf"], "pdf"),
        (["{corpus}", "--fieldd", "story"], "there is no option '--fieldd'; did you mean '--field'?"),
        (["-", "{corpus}"], "standard input (-) goes alone"),
    ],
)
def test_impossible_requests_are_refused_in_one_sentence(corpus, tmp_path, capsys, arguments, message):
    arguments = [argument.format(corpus=corpus) for argument in arguments]
    assert message in failed(["prepare", *arguments, "-o", tmp_path / "data"], capsys)
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_a_binary_file_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "cover.png").write_bytes(b"\x89PNG\r\n\0\0")
    assert "cover.png is a binary file" in failed(["prepare", tmp_path / "cover.png", "-o", tmp_path / "data"], capsys)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "the corpus is empty: its files have no content"),
        ("blank.jsonl", b'{"text": ""}\n{"text": null}\n', "the corpus is empty: there is no text in any document"),
        ("latin.txt", b"caf\xe9", "latin.txt is not UTF-8 text; convert it first"),
        ("cut.txt.gz", b"\x1f\x8b\x08\0", "cut.txt.gz is damaged or cut off"),
        (
            "one.jsonl",
            b'{"text": "' + b"x" * (64 << 20),
            "line 1 is longer than 64 MiB; put the text into several lines",
        ),
        ("short.txt", b"a few words", "validation=0.99 of 1 documents came out as none; lower it"),
    ],
)
def test_a_corpus_that_is_none_is_refused(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_bytes(content)
    arguments = ["prepare", tmp_path / name, "-o", tmp_path / "data", "--validation", "0.99"]
    assert message in failed(arguments, capsys)
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_one_giant_line_of_plain_text_is_a_document_like_any_other(tmp_path):
    (tmp_path / "line.txt").write_bytes(b"word " * (1 << 19))
    arguments = ["prepare", str(tmp_path / "line.txt"), "-o", str(tmp_path / "data"), "--workers", "1"]
    assert main([*arguments, "--validation", "0"]) == 0
    tokens = TokenFolder(tmp_path / "data").tokens()
    assert Tokenizer.gpt2().decode(tokens.read(0, len(tokens) - 1)) == "word " * (1 << 19)


def test_an_output_folder_that_cannot_be_written_to_is_refused(corpus, tmp_path, capsys):
    (tmp_path / "data").write_text("in the way", encoding="utf-8")
    assert "cannot write to" in failed(["prepare", corpus, "-o", tmp_path / "data"], capsys)


def test_data_of_other_settings_is_not_overwritten(corpus, prepared, capsys):
    message = failed(["prepare", corpus, "-o", prepared, "--seed", "5"], capsys)
    assert "holds data made with settings seed=0, not 5; give another folder, or remove this one" in message


def test_data_show_prints_batches_as_text(prepared, capsys):
    assert main(["data", "show", str(prepared), "--block-size", "8", "--batches", "2", "--batch-size", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("step")] == [
        "step 0, 3 rows of 8 tokens",
        "step 1, 3 rows of 8 tokens",
    ]
    assert len(lines) == 8


def test_data_show_prints_validation_in_order(prepared, capsys):
    arguments = ["data", "show", str(prepared), "--split", "validation", "--block-size", "8", "--json"]
    assert main([*arguments, "--step", "1", "--batch-size", "1"]) == 0
    (batch,) = json.loads(capsys.readouterr().out)
    tokens = TokenFolder(prepared).tokens("validation")
    assert batch["step"] == 1
    assert batch["rows"] == [{"ids": tokens.read(8, 17).tolist(), "text": Tokenizer.gpt2().decode(tokens.read(8, 17))}]


def test_a_block_over_the_corpus_is_refused(prepared, capsys):
    message = failed(["data", "show", prepared, "--block-size", "100000"], capsys)
    assert "block_size=100,000 needs at least 100,001 tokens" in message


def test_data_check_finds_whole_data_whole(prepared, capsys):
    assert main(["data", "check", str(prepared)]) == 0
    assert "2 shards are whole" in capsys.readouterr().out


def test_data_check_fails_for_an_altered_shard(prepared, capsys):
    path = prepared / "train-00000-00000.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\x77")
    assert main(["data", "check", str(prepared), "--quiet"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "train-00000-00000.bin was altered" in printed.err


def test_data_check_fails_for_another_vocabulary(prepared, capsys):
    Tokenizer.train(["some text"] * 3, 258).save(prepared)
    assert main(["data", "check", str(prepared)]) == 1
    assert "is not the one that the data was made with" in capsys.readouterr().err


def test_data_show_refuses_another_vocabulary(prepared, capsys):
    Tokenizer.train(["some text"] * 3, 258).save(prepared)
    assert "was made with another vocabulary" in failed(["data", "show", prepared], capsys)


def test_data_report_repeats_the_report(corpus, prepared, capsys):
    assert main(["data", "report", str(prepared), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["n_documents"] == 39


def test_a_folder_without_data_is_refused(tmp_path, capsys):
    for command in ("show", "check", "report", "merge"):
        assert "cutaway: error: " in failed(["data", command, tmp_path], capsys)


def test_prepare_and_data_need_no_torch(corpus, tmp_path):
    import subprocess

    write_stories(corpus / "more.jsonl", range(3))
    code = (
        "import sys; from cutaway.cli import main; "
        f"main(['prepare', {str(corpus)!r}, '-o', {str(tmp_path / 'data')!r}]); "
        f"main(['data', 'show', {str(tmp_path / 'data')!r}]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
