"""Training runs so small that a test can have many: a tokenizer of bytes, a text, and a model of two layers."""

import json

import numpy as np

from cutaway.config import GPTConfig
from cutaway.tokenizer import Tokenizer
from cutaway.train.config import Source, TrainConfig

SMALL = GPTConfig(n_layer=2, n_head=2, n_embd=16, block_size=16, vocab_size=257)
TEXT = "The cat sat on the mat. The dog sat on the log. The frog sat on the bog.\n" * 40


def write_data(folder):
    """Fill a folder with a tokenizer of plain bytes and a text, encoded."""
    tokenizer = Tokenizer.train([], 257)
    tokenizer.save(folder)
    np.save(folder / "text.npy", np.array(tokenizer.encode(TEXT), dtype=np.uint16))
    return folder


def tiny_run(folder, out, **changes):
    """The configuration of a run on that folder."""
    values = {
        "model": SMALL,
        "sources": (Source(path=folder / "text.npy", rows=4),),
        "held_out": {"text": folder / "text.npy"},
        "tokenizer": folder,
        "out": out,
        "steps": 6,
        "threads": 1,
        "micro_rows": 2,
        "eval_windows": 2,
        "device": "cpu",
    }
    return TrainConfig(**(values | changes))


def log_of(config):
    return [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
