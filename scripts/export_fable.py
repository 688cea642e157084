"""The last checkpoint of a run as a model folder of half the size, which this package and `transformers` load.

Usage: python scripts/export_fable.py RUN FOLDER
"""

import sys
import tempfile
from pathlib import Path

import torch

from cutaway.weights import load_model, load_tokenizer, save_model


def main(run: Path, folder: Path) -> None:
    model, tokenizer = load_model(run / "latest"), load_tokenizer(run / "latest")
    folder.mkdir(parents=True, exist_ok=True)
    # The folder also holds the card, so the files are replaced one by one.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        saved = Path(temporary) / "model"
        # Of the two-byte formats, float16 keeps three more bits of weights this small.
        save_model(model, saved, tokenizer, dtype=torch.float16)
        for file in saved.iterdir():
            file.replace(folder / file.name)
    print(f"{model.num_parameters():,} parameters in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
