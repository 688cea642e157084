"""Ways to run the command for the tests: in this process, which is fast, or in one of its own."""

import functools
import io
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import patch

import torch

from cutaway import GPT, GPTConfig, Tokenizer
from cutaway.cli import main
from cutaway.weights import save_model

COMMAND = [sys.executable, "-c", "import sys; from cutaway.cli import main; sys.exit(main())"]
CORPUS = ["the cat sat on the mat. once upon a time there was a cat that sat. once upon a mat."]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def run(*arguments, stdin=None):
    """Run the command in this process, with nothing, or these bytes, on its standard input."""
    out, err = text_stream(), text_stream()
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "stdin", text_stream(stdin or b"")))
        stack.enter_context(patch.object(sys, "stdout", out))
        stack.enter_context(patch.object(sys, "stderr", err))
        code = main([str(argument) for argument in arguments])
    return Result(code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())


def mistake(*arguments, stdin=None):
    """The sentence with which the command refuses; it must be the only output, in one line, with exit code 2."""
    result = run(*arguments, stdin=stdin)
    assert (result.code, result.out) == (2, ""), result
    sentence = result.err.removeprefix("cutaway: error: ").removesuffix("\n")
    assert result.err == f"cutaway: error: {sentence}\n"
    assert "\n" not in sentence
    return sentence


def text_stream(content=b""):
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", write_through=True)


@functools.cache
def tiny_folder():
    """A folder object that holds an untrained GPT-2 of two layers; it goes when the tests end."""
    folder = tempfile.TemporaryDirectory()
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(CORPUS, 280)
    config = GPTConfig(block_size=32, vocab_size=tokenizer.n_vocab, n_layer=2, n_head=2, n_embd=16)
    save_model(GPT(config), folder.name, tokenizer=tokenizer, overwrite=True)
    return folder


def tiny():
    """The path of that model."""
    return tiny_folder().name


def environment():
    """This environment, with output as a pipe would have it."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
