"""GPT-2 checkpoints with random weights, written by transformers, for measuring without a download."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cutaway.config import PRESETS


@contextlib.contextmanager
def random_checkpoint(preset: str, seed: int = 0) -> Iterator[Path]:
    """A folder with a checkpoint of a published shape, deleted afterwards."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        model = GPT2LMHeadModel(GPT2Config(**PRESETS[preset]))
        # Untrained weights give nearly uniform logits; wider ones make each next token a clear choice.
        model.transformer.wte.weight.data.mul_(4)
        model.save_pretrained(folder)
        yield Path(folder)
