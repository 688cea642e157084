"""Bits per byte of a model on the books that were held out of its training.

Usage: python scripts/measure_fable.py MODEL CONFIG.toml
"""

import sys
from pathlib import Path

from cutaway.train.batches import read_tokens
from cutaway.train.config import TrainConfig
from cutaway.train.evaluate import bits_per_byte, token_bytes
from cutaway.weights import load_model, load_tokenizer


def main(name: str, config: TrainConfig) -> None:
    model, sizes = load_model(name), token_bytes(load_tokenizer(name))
    for kind, path in config.held_out.items():
        tokens = read_tokens(path, model.config.vocab_size)
        size = int(sizes[tokens.astype("int64")].sum())
        print(f"{kind}: {bits_per_byte(model, tokens, sizes):.4f} bits per byte over {size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1], TrainConfig.from_toml(Path(sys.argv[2])))
