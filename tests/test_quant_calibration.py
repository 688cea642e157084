import pytest
import torch

from cutaway.errors import ConfigError
from cutaway.quant.calibration import read, written
from native_models import native_model, needs_kernels
from tiny import EOT, STORY, TOKENIZER, tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model(dtype=torch.float32)


def test_the_model_writes_texts_as_long_as_its_context(model):
    rows = written(model, TOKENIZER, tokens=5 * 32 + 31)
    assert rows.shape == (5, 32)
    assert (rows[:, 0] == EOT).all()
    assert len({tuple(row.tolist()) for row in rows}) == 5


def test_what_is_written_depends_on_the_seed_alone(model):
    first = written(model, TOKENIZER, tokens=640)
    assert torch.equal(written(model, TOKENIZER, tokens=640), first)
    assert not torch.equal(written(model, TOKENIZER, tokens=640, seed=1), first)
    assert torch.equal(written(model, TOKENIZER, tokens=512), first[:16])


@needs_kernels
def test_kernels_write_too(model):
    assert written(native_model(model, threads=1), TOKENIZER, tokens=64).shape == (2, 32)


def test_files_are_read_in_pieces_spread_over_them(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(STORY)
    ids = 2 * TOKENIZER.encode(STORY)
    files = [tmp_path / "a", tmp_path / "b"]
    every = read(files, TOKENIZER, 8)
    assert every.flatten().tolist() == ids[: len(ids) // 8 * 8]
    some = read(files, TOKENIZER, 8, tokens=24)
    assert torch.equal(some, every[[0, len(every) // 3, 2 * len(every) // 3]])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file"), (b"\xff\xfe", "is not UTF-8 text"), (b"ab", "do not fill a context of 8")],
)
def test_a_file_that_gives_no_text_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read([tmp_path / "file"], TOKENIZER, 8)
