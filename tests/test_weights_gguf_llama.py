"""What is exported as GGUF, in llama.cpp's own hands: `pip install llama-cpp-python` runs these tests."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch

import cutaway
from cutaway.tokenizer import Tokenizer
from cutaway.weights import save_gguf
from cutaway.weights.gguf.formats import FORMATS
from tiny import tiny_model

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

# llama.cpp looks GELU up in a table of float16 and multiplies blocks with activations of 8 bits.
TOLERANCE = {"F32": 2e-3, "F16": 3e-3, "BF16": 3e-2, "Q8_0": 6e-2, "Q4_0": 6e-2}

TEXTS = [
    "Once upon a time, there was a fox.  It's  12345\n\n ok?\t\tÄöü ß 日本語 🙂 don't",
    " x",
    "a  b   c    d \n e \r\n\r\n f\u00a0g\u2003h",
    "<|endoftext|> is text here",
    "e\u0301 \u0915\u094d\u0937 \u0e01\u0e33 ½ Ⅷ ٣ 1st #!? --- ...'ll 'S",
    "def f(x):\n        return x**2  # why?\n",
]


def llama(file, vocab_only=False):
    """The file in llama.cpp, with keys and values in float32."""
    return llama_cpp.Llama(
        str(file),
        n_ctx=64,
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        verbose=False,
        type_k=0,
        type_v=0,
        vocab_only=vocab_only,
    )


def their_logits(file, ids):
    model = llama(file)
    try:
        model.eval(ids)
        return np.array(model.scores[: len(ids)])
    finally:
        model.close()


def assert_alike(file, tolerance, ids):
    """Logits as far apart as rounding makes them, measured by how far apart logits lie; and the same favourites."""
    with torch.inference_mode():
        ours = cutaway.load(file, device="cpu").model(torch.tensor([ids]))[0][0].numpy()
    theirs = their_logits(file, ids)
    assert np.sqrt(np.mean((theirs - ours) ** 2)) < tolerance * ours.std()
    assert (theirs.argmax(axis=1) == ours.argmax(axis=1)).mean() > (0.99 if tolerance < 1e-2 else 0.8)


@pytest.mark.parametrize(("name", "steps"), [("Q8_0", 1), ("Q4_0", 1), ("Q4_0", 9), ("Q8_0", 300)])
def test_blocks_are_those_of_llama_cpp_to_the_bit(name, steps):
    """On a grid of so many steps from zero up, many numbers lie halfway between two integers of a block."""
    rows = np.random.default_rng(steps).normal(0, steps, (5000, 32)).astype(np.float32)
    for numbers in (rows, np.round(rows) * np.float32(0.3)):
        theirs = np.zeros(FORMATS[name].size(numbers.size), np.uint8)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (numbers, theirs)]
        sizes = map(ctypes.c_int64, (0, len(numbers), 32))
        ggml().ggml_quantize_chunk(FORMATS[name].number, *pointers, *sizes, None)
        np.testing.assert_array_equal(FORMATS[name].encode(numbers), theirs)


def ggml():
    """ggml itself, which llama.cpp is built on."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    found = [*folder.glob("libggml-base.*"), *folder.glob("ggml-base.dll")]
    library = ctypes.CDLL(str(found[0]))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_llama_cpp_gives_the_logits_of_the_bundled_model(dtype, tmp_path):
    gpt = cutaway.load("fable", device="cpu")
    save_gguf(gpt.model, tmp_path / "m.gguf", gpt.tokenizer, dtype=dtype)
    text = "Once upon a time there was a little fox who lived in a wood. One day she met an owl, and the owl said"
    assert_alike(tmp_path / "m.gguf", TOLERANCE[dtype], gpt.tokenizer.encode(text)[:40])


def test_llama_cpp_gives_the_logits_of_another_head_and_width(tmp_path):
    tokenizer = Tokenizer.train(["to be or not to be"], 262)
    changes = {"tie_word_embeddings": False, "n_inner": 96, "n_head": 2, "n_embd": 64, "vocab_size": 270}
    save_gguf(tiny_model(dtype=torch.float32, **changes), tmp_path / "m.gguf", tokenizer, dtype="F32")
    assert_alike(tmp_path / "m.gguf", TOLERANCE["F32"], [5, 250, 3, 3, 261, 90])


@pytest.mark.parametrize("name", ["fable", "gpt2"])
def test_llama_cpp_cuts_texts_as_we_do(name, tmp_path):
    tokenizer = Tokenizer.gpt2() if name == "gpt2" else cutaway.load(name, device="cpu").tokenizer
    model = tiny_model(dtype=torch.float32, vocab_size=tokenizer.n_vocab)
    save_gguf(model, tmp_path / "m.gguf", tokenizer, dtype="F16")
    theirs = llama(tmp_path / "m.gguf", vocab_only=True)
    for text in TEXTS:
        ids = theirs.tokenize(text.encode(), add_bos=False, special=False)
        assert ids == tokenizer.encode(text), text
        assert theirs.detokenize(ids).decode() == text
    assert theirs.tokenize(b"a<|endoftext|>b", add_bos=True, special=True) == tokenizer.encode(
        "a<|endoftext|>b", allowed_special="all"
    )
    assert theirs.token_eos() == theirs.token_bos() == tokenizer.eot
    theirs.close()
