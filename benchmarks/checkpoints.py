"""GPT-2 checkpoints with random weights, written by transformers, for measuring without a download."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.config import PRESETS

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel


@contextlib.contextmanager
def random_checkpoint(preset: str, seed: int = 0) -> Iterator[Path]:
    """A folder with a checkpoint of a published shape, deleted afterwards."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        model = GPT2LMHeadModel(GPT2Config(**PRESETS[preset]))
        sharpen(model)
        model.save_pretrained(folder)
        yield Path(folder)


def sharpen(model: "GPT2LMHeadModel") -> None:
    """Make an untrained model write varied text with clear choices.

    At its initial scale a tied model only repeats its last token; positions and layers must outweigh the embedding.
    """
    gpt = model.transformer
    gpt.wpe.weight.data.mul_(3)
    gpt.ln_f.weight.data.mul_(4)
    for block in gpt.h:
        for projection in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj):
            projection.weight.data.mul_(4)
