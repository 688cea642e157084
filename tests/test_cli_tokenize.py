import json

import pytest

from command_line import mistake, run, tiny
from cutaway import Tokenizer

AGNEY = "Hello World. This is Agney"
AGNEY_IDS = [15496, 2159, 13, 770, 318, 2449, 1681]


def rows(*arguments):
    header, *lines = run("tokenize", *arguments).out.splitlines()
    return header.split(), [line.split() for line in lines]


def test_the_table_has_ids_pieces_bytes_and_places():
    header, table = rows("Hello World")
    assert header == ["id", "piece", "bytes", "characters"]
    assert table == [
        ["15496", "Hello", "48", "65", "6c", "6c", "6f", "0-5"],
        ["2159", "ĠWorld", "20", "57", "6f", "72", "6c", "64", "5-11"],
    ]


def test_ids_are_gpt2s_unless_told_otherwise():
    assert run("tokenize", AGNEY, "--ids").out == " ".join(map(str, AGNEY_IDS)) + "\n"


def test_a_folders_vocabulary_can_be_used():
    ids = Tokenizer.from_folder(tiny()).encode("the cat")
    assert run("tokenize", "the cat", "--ids", "--tokenizer", tiny()).out == " ".join(map(str, ids)) + "\n"


@pytest.mark.parametrize("name", ["gpt2-xl", "distilgpt2"])
def test_the_published_models_share_a_vocabulary_and_need_no_download(name):
    assert run("tokenize", AGNEY, "--ids", "--model", name).out.split() == [str(i) for i in AGNEY_IDS]


def test_json_holds_each_token_in_every_form():
    found = json.loads(run("tokenize", "a é", "--json").out)
    assert found == {
        "text": "a é",
        "tokens": [
            {"id": 64, "piece": "a", "bytes": [97], "start": 0, "end": 1},
            {"id": 38251, "piece": "ĠÃ©", "bytes": [32, 195, 169], "start": 1, "end": 3},
        ],
    }


def test_decode_is_the_way_back():
    assert run("tokenize", "--decode", *AGNEY_IDS).out == AGNEY + "\n"


def test_decode_has_json():
    found = json.loads(run("tokenize", "--decode", 15496, 2159, "--json").out)
    assert found == {"ids": [15496, 2159], "pieces": ["Hello", "ĠWorld"], "text": "Hello World"}


def test_explain_shows_every_merge():
    assert run("tokenize", "Hello", "--explain").out.splitlines() == [
        "'Hello'",
        "  H e l l o  merge 42: l + l",
        "  H e ll o  merge 440: e + ll",
        "  H ell o  merge 10,854: ell + o",
        "  H ello  merge 15,241: H + ello",
        "  Hello 15496",
    ]


def test_explain_has_json_that_ends_in_the_ids():
    found = json.loads(run("tokenize", AGNEY, "--explain", "--json").out)
    assert [i for chunk in found["chunks"] for i in chunk["ids"]] == AGNEY_IDS
    assert found["chunks"][0]["steps"][0] == {
        "before": ["H", "e", "l", "l", "o"],
        "pair": ["l", "l"],
        "rank": 41,
        "after": ["H", "e", "ll", "o"],
    }


def test_what_looks_special_is_ordinary_unless_asked():
    assert run("tokenize", "<|endoftext|>", "--ids").out != "50256\n"
    assert run("tokenize", "<|endoftext|>", "--ids", "--special").out == "50256\n"


def test_text_can_come_from_a_file_with_its_last_line_end(tmp_path):
    file = tmp_path / "text.txt"
    file.write_bytes(b"Hello\n")
    assert run("tokenize", "--file", file, "--ids").out == "15496 198\n"


def test_text_can_come_from_a_pipe():
    assert run("tokenize", "--ids", stdin=b"Hello").out == "15496\n"


def test_empty_text_has_no_tokens():
    assert json.loads(run("tokenize", "", "--json").out) == {"text": "", "tokens": []}


def test_an_argument_is_used_though_there_is_a_pipe():
    assert run("tokenize", "Hello", "--ids", stdin=b"ignored").out == "15496\n"


def test_a_missing_file_is_named():
    assert mistake("tokenize", "--file", "no.txt") == "cannot read 'no.txt': No such file or directory; check the path"


def test_a_folder_is_no_file(tmp_path):
    assert "Is a directory" in mistake("tokenize", "--file", tmp_path)


def test_an_empty_pipe_is_explained():
    assert mistake("tokenize").startswith("standard input is empty; give a text")


def test_a_binary_file_is_refused(tmp_path):
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    assert mistake("tokenize", "--file", file) == f"{file} is not UTF-8 text (byte 0); convert it first"


def test_a_pipe_that_is_not_utf8_is_refused():
    assert mistake("tokenize", stdin=b"caf\xe9") == "standard input is not UTF-8 text (byte 3); convert it first"


def test_an_argument_that_is_not_utf8_is_refused():
    assert mistake("tokenize", "caf\udce9") == "the text is not UTF-8 at character 3; give it by --file"


def test_an_argument_that_an_ascii_locale_took_apart_is_put_together():
    assert run("tokenize", "\udcc3\udca9", "--ids").out == run("tokenize", "é", "--ids").out


def test_two_texts_are_one_too_many(tmp_path):
    assert "give one" in mistake("tokenize", "a", "--file", tmp_path / "b")


def test_an_id_outside_the_vocabulary_is_named():
    assert "50257" in mistake("tokenize", "--decode", 50257)


def test_a_negative_id_is_refused():
    assert "-1" in mistake("tokenize", "--decode", "-1")


@pytest.mark.parametrize(
    ("arguments", "pair"),
    [
        (["a", "--decode", "1"], "--decode and the text"),
        (["--decode", "1", "--ids"], "--decode and --ids"),
        (["a", "--explain", "--special"], "--explain and --special"),
        (["a", "--ids", "--json"], "--json and --ids"),
    ],
)
def test_options_that_exclude_each_other_are_refused(arguments, pair):
    assert mistake("tokenize", *arguments) == f"{pair} exclude each other; leave one out"


def test_an_unknown_vocabulary_gets_the_nearest():
    assert "did you mean 'gpt2-xl'?" in mistake("tokenize", "a", "--model", "gpt-2xl")


def test_a_model_that_is_not_here_is_not_fetched_for_its_vocabulary():
    assert "is not on this machine yet" in mistake("tokenize", "a", "--model", "owner/name")
