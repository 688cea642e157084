"""GPT-2 checkpoints with random weights, for measuring without a download."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cutaway.config import PRESETS, GPTConfig
from cutaway.native.packed import FORMATS, PackedMatrix, pack
from cutaway.weights.names import stored_shapes
from cutaway.weights.packed_file import parts_of, sizes
from cutaway.weights.save_packed import PackedModel, save_packed

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel


@contextlib.contextmanager
def random_checkpoint(preset: str, seed: int = 0) -> Iterator[Path]:
    """A folder with a checkpoint of a published shape, written by transformers, deleted afterwards."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        model = GPT2LMHeadModel(GPT2Config(**PRESETS[preset]))
        sharpen(model)
        model.save_pretrained(folder)
        yield Path(folder)


@contextlib.contextmanager
def random_packed_checkpoint(preset: str, precision: str, seed: int = 0) -> Iterator[Path]:
    """The like, quantised: random whole numbers, which take no network to be fitted to."""
    config, rng = GPTConfig.preset(preset), np.random.default_rng(seed)
    matrices, floats = {}, {}
    for name, shape in stored_shapes(config).items():
        if len(shape) == 1 or name == "wpe.weight":
            floats[name] = rng.normal(1 if name.endswith("weight") else 0, 0.02, shape).astype(np.float32)
        else:
            matrices[name] = _random_packed(name, shape, precision, rng)
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        save_packed(PackedModel(config=config, precision=precision, matrices=matrices, floats=floats), folder)
        yield Path(folder)


def _random_packed(name: str, shape: tuple[int, ...], precision: str, rng: np.random.Generator) -> PackedMatrix:
    (outputs, inputs), kind = sizes(name, shape), FORMATS[precision]
    integers = rng.integers(kind.low, kind.high, (outputs, inputs), np.int8, endpoint=True)
    scales = np.full((outputs, kind.groups(inputs)), 0.1 / kind.high, np.float16)
    return pack(integers, scales, kind, parts_of(name))


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
