"""The page of file formats: its tables and readers, with nothing of ours, find in our files what we put there."""

import hashlib
import json
import re
import runpy
import struct
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from command_line import run, tiny
from cutaway.config import GPTConfig
from cutaway.data import Job, PrepareSettings, TokenFolder, find, prepare
from cutaway.data.shard import VocabularyStamp, write_shard
from cutaway.inspect import trace
from cutaway.native.packed import FORMATS
from cutaway.tokenizer import CharTokenizer
from cutaway.train.loop import train
from cutaway.train.ngram_counts import count_ngrams
from cutaway.train.ngram_folder import save_ngrams
from cutaway.weights import save_model
from cutaway.weights.names import stored_shapes
from cutaway.weights.packed_file import PackedFile
from cutaway.weights.save_packed import save_packed
from native_models import calm_model
from test_weights_packed_file import packed_model
from tiny import STORY, TOKENIZER, tiny_model
from training import log_of, tiny_run, write_data

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
TYPES = {"u32": "<I", "u64": "<Q"}


def section(heading):
    """The text below a heading, up to the next one."""
    return re.split(r"^#+ .+$", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def table(heading, first):
    """The rows of the table below a heading whose first column is called so."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", section(heading), re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in found[1].splitlines()]


def names(heading, first):
    """What stands as code in the first column of that table."""
    return [name for row in table(heading, first) for name in re.findall(r"`([^`]+)`", row[0])]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """The functions on the page, run as they stand there."""
    file = tmp_path_factory.mktemp("page") / "readers.py"
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file.write_text("\n\n".join(blocks), encoding="utf-8")
    assert "cutaway" not in re.sub(r"b\"CUTAWAY.*", "", file.read_text(encoding="utf-8")).lower()
    return runpy.run_path(str(file))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "texts").mkdir()
    for i in range(8):
        (folder / "texts" / f"{i}.txt").write_text(STORY[i:] * 3, encoding="utf-8")
    settings = PrepareSettings(validation=0.3, unit_bytes=1024)
    prepare(Job(find([str(folder / "texts")]), TOKENIZER, settings), folder / "data")
    return TokenFolder(folder / "data")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run that evaluated, wrote samples and watched for outliers."""
    folder = tmp_path_factory.mktemp("run")
    every = {"log_every": 2, "eval_every": 2, "sample_every": 3, "checkpoint_every": 3}
    config = tiny_run(write_data(folder), folder / "out", outlier_sigmas=6.0, **every)
    train(config)
    return config


@pytest.mark.parametrize(("n_vocab", "size"), [(300, 2), (1 << 16, 2), ((1 << 16) + 1, 4)])
def test_the_table_of_the_header_says_what_stands_where(tmp_path, n_vocab, size):
    file, ids, ends = tmp_path / "shard.bin", np.arange(50), np.array([20, 45], np.uint64)
    write_shard(file, ids.astype(np.uint32), ends, VocabularyStamp(n_vocab=n_vocab, fingerprint="ab" * 32))
    content, header, at = file.read_bytes(), {}, 0
    for offset, length, kind, name, _ in table("Token shards", "offset"):
        assert int(offset) == at
        raw = content[at : (at := at + int(length))]
        header[name.strip("`")] = raw if kind == "bytes" else struct.unpack(TYPES[kind], raw)[0]
    assert at == 128
    assert header == {
        "magic": b"CUTAWAY\n",
        "version": 1,
        "token_bytes": size,
        "n_vocab": n_vocab,
        "n_tokens": 50,
        "n_documents": 2,
        "fingerprint": b"\xab" * 32,
        "body_sha256": hashlib.sha256(content[128:]).digest(),
        "crc32": zlib.crc32(content[:104]),
        "padding": bytes(20),
    }


def test_the_reader_of_shards_gets_the_tokens_and_the_documents(readers, prepared):
    for split in ("train", "validation"):
        for record in prepared.manifest.of(split):
            ids, ends = readers["read_shard"](prepared.path / record.file)
            shard = prepared.shard(record.file)
            assert ids.tolist() == shard.tokens.tolist()
            assert ends.tolist() == shard.ends.tolist()
            assert all(ids[end - 1] == TOKENIZER.eot for end in ends)


def test_the_reader_refuses_what_is_no_shard(readers, tmp_path):
    (tmp_path / "other.bin").write_bytes(bytes(200))
    with pytest.raises(ValueError, match="not a token shard"):
        readers["read_shard"](tmp_path / "other.bin")


def test_fingerprints_can_be_made_as_the_page_says():
    vocabulary, letters = TOKENIZER.vocabulary, CharTokenizer.from_texts(["to be"])
    content = {
        "merges": [[left.hex(), right.hex()] for left, right in vocabulary.merges],
        "special_tokens": dict(vocabulary.special_tokens),
        "tokens": [token.hex() for token in vocabulary.tokens],
    }
    assert TOKENIZER.fingerprint == hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert letters.fingerprint == hashlib.sha256(json.dumps(list(letters.characters)).encode()).hexdigest()


def test_the_manifest_has_the_keys_and_the_sums_of_the_page(prepared):
    content = json.loads((prepared.path / "manifest.json").read_text(encoding="utf-8"))
    assert list(content) == names("manifest.json", "key")
    for part in ("tokenizer", "settings"):
        told = next(row[1] for row in table("manifest.json", "key") if row[0] == f"`{part}`")
        assert set(content[part]) == set(re.findall(r"`(\w+)`", told))
    lines = "\n".join(f"{shard['file']} {shard['sha256']}" for shard in content["shards"])
    assert content["data_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    for shard in content["shards"]:
        assert shard["sha256"] == hashlib.sha256((prepared.path / shard["file"]).read_bytes()).hexdigest()


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_has_the_tensors_of_the_page(tied, tmp_path):
    config = GPTConfig(block_size=16, vocab_size=20, n_layer=1, n_head=2, n_embd=4, tie_word_embeddings=tied)
    sizes = {"V": 20, "T": 16, "C": 4, "3C": 12, "M": 16}
    found = {}
    for cell, shapes in table("Models", "tensor"):
        name, *bias = [name.replace(".N.", ".0.") for name in re.findall(r"`([^`]+)`", cell)]
        told = re.findall(r"\(([^()]+)\)", shapes.partition(";")[0])
        tensors = [name, *(one.replace("…", name.rpartition(".")[0]) for one in bias)]
        for tensor, shape in zip(tensors, told * len(tensors) if len(told) == 1 else told, strict=False):
            found[tensor] = [sizes[size] for size in shape.split(", ")]
    save_model(calm_model(config), tmp_path / "model")
    header = header_of(tmp_path / "model" / "model.safetensors")
    stored = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    if tied:
        del found["lm_head.weight"]
    assert stored == found


@pytest.mark.parametrize("precision", FORMATS)
def test_the_reader_of_quantised_models_gets_the_weights(readers, precision, tmp_path):
    config = GPTConfig(block_size=20, vocab_size=TOKENIZER.n_vocab, n_layer=2, n_head=2, n_embd=70)
    save_packed(packed_model(config, precision), tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    ours, found = PackedFile(file), readers["read_packed"](file)
    assert set(found) == {name for name in stored_shapes(config) if ours.is_packed(name)}
    for name, weights in found.items():
        stored = ours.array(name)
        np.testing.assert_array_equal(weights if name == "wte.weight" else weights.T, stored)


@pytest.mark.parametrize("precision", FORMATS)
def test_a_quantised_model_is_as_the_tables_say(precision, tmp_path):
    save_packed(packed_model(GPTConfig(vocab_size=272, n_layer=1, n_head=2, n_embd=70), precision), tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    header = header_of(file)
    metadata = header.pop("__metadata__")
    assert list(metadata) == names("Quantised models", "key")
    assert (metadata["format"], metadata["version"]) == ("cutaway-packed", "1")
    (data,) = struct.unpack("<Q", file.read_bytes()[:8])
    packed = {name: entry for name, entry in header.items() if entry["dtype"] != "F32"}
    assert not (data + 8) % 64
    assert not any(entry["data_offsets"][0] % 64 for entry in packed.values())
    assert list(packed) == list(header)[: len(packed)]
    row = next(row for row in table("Quantised models", "precision") if row[0] == f"`{precision}`")
    bits, low, high, added, group = (int(cell.replace("−", "-")) for cell in row[1:])
    kind = FORMATS[precision]
    assert (bits, low, high, group) == (kind.bits, kind.low, kind.high, kind.group)
    assert added == 1 << (bits - 1)


def test_a_run_has_the_files_of_the_page(finished):
    there = {path.relative_to(finished.out).as_posix() for path in finished.out.iterdir()}
    assert there == {"log.jsonl", "checkpoints", "latest", "best"}
    named = [name.partition("/")[0] for name in names("Checkpoints of a training run", "name")]
    assert there <= set(named)
    checkpoint = finished.out / "checkpoints" / "step-000000006"
    model_files = {"config.json", "generation_config.json", "model.safetensors", "vocab.json", "merges.txt"}
    tokenizer_files = {"tokenizer.json", "tokenizer_config.json"}
    besides = {path.name for path in checkpoint.iterdir()} - model_files - tokenizer_files
    assert besides == {"checkpoint.json", "state.safetensors"}


def test_the_record_of_a_checkpoint_has_the_keys_and_sums_of_the_page(finished):
    checkpoint = finished.out / "checkpoints" / "step-000000006"
    record = json.loads((checkpoint / "checkpoint.json").read_text(encoding="utf-8"))
    assert set(record) == set(names("checkpoint.json", "key"))
    versions = next(row[1] for row in table("checkpoint.json", "key") if row[0] == "`versions`")
    assert list(record["versions"]) == re.findall(r"`(\w+)`", versions)
    files = {path.name: path for path in checkpoint.iterdir() if path.name != "checkpoint.json"}
    assert record["sha256"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_the_state_of_a_run_has_the_tensors_of_the_page(finished):
    header = header_of(finished.out / "checkpoints" / "step-000000006" / "state.safetensors")
    stored = {name: entry["dtype"] for name, entry in header.items() if name != "__metadata__"}
    told = {name: row[1] for row in table("state.safetensors", "tensor") for name in re.findall(r"`([^`]+)`", row[0])}
    patterns = {
        re.escape(name).replace("WEIGHT", r"[\w.]+").replace("STATISTIC", "(count|mean|variance)"): dtype
        for name, dtype in told.items()
    }
    for name, dtype in stored.items():
        assert [kind for pattern, kind in patterns.items() if re.fullmatch(pattern, name)] == [dtype], name
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in stored), pattern


def test_lines_of_the_log_have_the_keys_of_the_page(finished):
    logged = {key for line in log_of(finished) for key in line}
    told = set(names("log.jsonl", "key"))
    assert logged == {"step", "elapsed_s"} | told - {"skipped", "loss_of_it"}


def test_the_reader_of_ngram_models_gets_the_counts(readers, tmp_path):
    from cutaway.data.tokens import Tokens

    ids = TOKENIZER.encode(STORY)
    save_ngrams(count_ngrams(Tokens.of(np.array(ids)), TOKENIZER.n_vocab, order=3), tmp_path / "model", TOKENIZER)
    found = readers["read_ngrams"](tmp_path / "model")
    assert found[0] == Counter((token,) for token in ids)
    assert found[1] == Counter(pairwise(ids))
    assert found[2] == Counter(zip(ids, ids[1:], ids[2:], strict=False))


def test_a_trace_says_what_the_page_says(tmp_path):
    model = tiny_model(dtype=torch.float32)
    trace(model, [1, 2, 3], ["resid_pre", "logits"]).save(tmp_path / "trace.safetensors")
    header = header_of(tmp_path / "trace.safetensors")
    metadata = header.pop("__metadata__")
    assert set(metadata) == set(names("Traces", "key"))
    assert metadata["kind"] == "cutaway trace"
    assert set(json.loads(metadata["text"])) == {"ids", "pieces", "n_layer", "start"}
    assert header["h.1.resid_pre"]["shape"] == [3, model.config.n_embd]


def test_finished_items_have_the_keys_of_the_page(tmp_path):
    text, questions, items = tmp_path / "text.txt", tmp_path / "piqa.jsonl", tmp_path / "items.jsonl"
    text.write_text("the cat sat on the mat", encoding="utf-8")
    questions.write_text('{"goal": "sat on", "sol1": "the mat", "sol2": "a cat", "label": 0}\n' * 2, encoding="utf-8")
    (tmp_path / "lambada_test.jsonl").write_text('{"text": "the cat sat on the mat"}\n', encoding="utf-8")
    told = {row[0]: re.findall(r"`(\w+)`", row[2]) for row in table("Finished items of an evaluation", "evaluation")}
    common = {name for name in names("Finished items of an evaluation", "key") if name != "others"}
    for arguments, evaluation in (
        (("perplexity", text), "`perplexity`"),
        (("choices", "piqa", "--data", tmp_path), "questions with answers"),
        (("lambada", "--data", tmp_path), "last words"),
    ):
        items.unlink(missing_ok=True)
        result = run("eval", *arguments, "--items", items, "--model", tiny())
        assert result.code == 0, result.err
        first, *lines = map(json.loads, items.read_text(encoding="utf-8").splitlines())
        assert common | {"files"} <= set(first)
        assert [line["item"] for line in lines] == list(range(len(lines)))
        assert all(set(line) == {"item", *told[evaluation]} for line in lines)
        assert lines


def test_samples_have_the_keys_of_the_page(tmp_path):
    file = tmp_path / "samples.jsonl"
    result = run("samples", "--model", tiny(), "--n", 2, "--max-tokens", 4, "--save", file)
    assert result.code == 0, result.err
    told = set(re.findall(r"`(\w+)`", section("Samples"))) - {"stop", "length"}
    assert all(set(json.loads(line)) == told for line in file.read_text(encoding="utf-8").splitlines())


def header_of(file):
    content = file.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length])
