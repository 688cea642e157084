"""What a GPT-2 checkpoint must hold: names and shapes of its tensors, from the configuration alone."""

import re
from collections.abc import Iterable, Mapping

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError

PREFIX = "transformer."
"""Checkpoints of the whole language model have it before every name but `lm_head.weight`; OpenAI's do not."""

HEAD = "lm_head.weight"

Shape = tuple[int, ...]

# The causal mask, which early versions of transformers stored in every layer.
_BUFFER = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")

# GPT-2 checkpoints store these as Conv1D weights, (in, out); nn.Linear wants (out, in).
_CONV1D = re.compile(r"h\.\d+\.(attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight")


def is_transposed(name: str) -> bool:
    """Whether the checkpoint holds the transpose of our tensor `name`."""
    return _CONV1D.fullmatch(name) is not None


def stored_shapes(config: GPTConfig) -> dict[str, Shape]:
    """The shape in the file of each of our tensors, by our name; a tied head is not stored."""
    C = config.n_embd
    shapes: dict[str, Shape] = {"wte.weight": (config.vocab_size, C), "wpe.weight": (config.block_size, C)}
    for layer in range(config.n_layer):
        shapes |= {f"h.{layer}.{name}": shape for name, shape in _block_shapes(C, config.mlp_size).items()}
    shapes |= {"ln_f.weight": (C,), "ln_f.bias": (C,)}
    if not config.tie_word_embeddings:
        shapes[HEAD] = (config.vocab_size, C)
    return shapes


def _block_shapes(C: int, mlp_size: int) -> dict[str, Shape]:
    return {
        "ln_1.weight": (C,),
        "ln_1.bias": (C,),
        "attn.c_attn.weight": (C, 3 * C),
        "attn.c_attn.bias": (3 * C,),
        "attn.c_proj.weight": (C, C),
        "attn.c_proj.bias": (C,),
        "ln_2.weight": (C,),
        "ln_2.bias": (C,),
        "mlp.c_fc.weight": (C, mlp_size),
        "mlp.c_fc.bias": (mlp_size,),
        "mlp.c_proj.weight": (mlp_size, C),
        "mlp.c_proj.bias": (C,),
    }


def our_names(stored: Iterable[str], source: str) -> dict[str, str]:
    """The checkpoint's name of each tensor by ours: prefix taken off, buffers left out.

    Raises: CheckpointError when a tensor is there both with and without the prefix.
    """
    names: dict[str, str] = {}
    for key in stored:
        if _BUFFER.fullmatch(key):
            continue
        name = key.removeprefix(PREFIX)
        if name in names:
            raise CheckpointError(
                f"{source} holds both {names[name]!r} and {key!r}; only one of them can be the weights"
            )
        names[name] = key
    return names


def check_shapes(found: Mapping[str, Shape], config: GPTConfig, source: str) -> None:
    """Refuse tensors, by our names, that are not exactly those the configuration asks for.

    Raises: CheckpointError naming the tensor that is missing, unexpected, or of another shape, with both shapes.
    """
    expected = stored_shapes(config)
    if config.tie_word_embeddings and HEAD in found:
        expected[HEAD] = expected["wte.weight"]
    if missing := expected.keys() - found.keys():
        raise CheckpointError(f"{source} has no tensor {_first(missing)}, which its config.json asks for")
    if unexpected := found.keys() - expected.keys():
        raise CheckpointError(f"{source} has a tensor {_first(unexpected)}, for which its config.json has no place")
    for name, shape in expected.items():
        if found[name] != shape:
            both = f"the shape {found[name]}, but its config.json asks for {shape}"
            raise CheckpointError(f"{source}: tensor {name!r} has {both}")


def _first(names: Iterable[str]) -> str:
    first, *others = sorted(names, key=_by_layer)
    return f"{first!r} ({len(others):,} more like it)" if others else repr(first)


def _by_layer(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in name.split(".")]
