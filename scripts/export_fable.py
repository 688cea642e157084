"""The last checkpoint of a run as a model folder that this package and `transformers` load.

Usage: python scripts/export_fable.py CONFIG.toml FOLDER
"""

import sys
import tempfile
from pathlib import Path

import torch

from cutaway.model import GPT
from cutaway.tokenizer import Tokenizer
from cutaway.train.checkpoint import load_run
from cutaway.train.config import TrainConfig
from cutaway.train.loop import checkpoint_path
from cutaway.weights import save_model


def main(config: TrainConfig, folder: Path) -> None:
    state = load_run(checkpoint_path(config))
    model = GPT(config.model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state.weights[name])
    folder.mkdir(parents=True, exist_ok=True)
    # The folder also holds the card, so the files are replaced one by one.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        saved = Path(temporary) / "model"
        # Of the two-byte formats, float16 keeps three more bits of weights this small.
        save_model(model, saved, Tokenizer.from_folder(config.tokenizer), dtype=torch.float16)
        for file in saved.iterdir():
            file.replace(folder / file.name)
    print(f"step {state.step:,}: {model.num_parameters():,} parameters in {folder}")


if __name__ == "__main__":
    main(TrainConfig.from_toml(Path(sys.argv[1])), Path(sys.argv[2]))
