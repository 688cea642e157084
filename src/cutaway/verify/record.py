"""A reference from a checkpoint that is known to be good: to see later, or elsewhere, that a copy is the same."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.verify.contents import Contents
from cutaway.verify.files import file_sha256, model_files
from cutaway.verify.numbers import EMBEDDED, activations, logits_of
from cutaway.verify.reference import Reference
from cutaway.verify.tensors import statistics_of, tensor_sha256
from cutaway.verify.tokens import ROUND_TRIPS, encode
from cutaway.weights.locate import ModelFiles

EDGE = 3
"""Numbers kept from each end of a row."""
DECIMALS = 4
CONTINUED = 16
FROZEN = (
    "block_size",
    "vocab_size",
    "n_layer",
    "n_head",
    "n_embd",
    "n_inner",
    "layer_norm_epsilon",
    "tie_word_embeddings",
)


def record(
    name: str, files: ModelFiles, contents: Contents, model: GPT, tokenizer: AnyTokenizer, ids: Sequence[int]
) -> Reference:
    """What this checkpoint is and computes; the model in float64, so that rounding here is nobody's concern later."""
    config = model.config
    places = [EMBEDDED, *(f"h.{layer}.resid_post" for layer in range(config.n_layer)), "ln_f"]
    logits = logits_of(model, ids)
    return Reference(
        name=name,
        source=f"recorded from {files.weights.name}",
        config={key: config.to_dict()[key] for key in FROZEN},
        parameters=model.num_parameters(),
        tokens=[{"text": text, "ids": found} for text in ROUND_TRIPS if (found := encode(tokenizer, text)) is not None],
        hidden=[hidden_entry(model, ids, place) for place in places],
        attention=[attention_entry(model, ids, config.n_layer - 1, 0)],
        next=[{"ids": list(ids), "tokens": logits.argmax(dim=-1).tolist()}],
        tensors=dict(tensor_entries(contents)),
        files={path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size} for path in model_files(files)},
    )


def hidden_entry(model: GPT, ids: Sequence[int], place: str) -> dict[str, Any]:
    """The ends of the first, middle and last row at a point."""
    states = activations(model, ids, place)
    rows = sorted({0, len(ids) // 2, len(ids) - 1})
    kept = [{"row": row, "first": _rounded(states[row, :EDGE]), "last": _rounded(states[row, -EDGE:])} for row in rows]
    return {"ids": list(ids), "place": place, "decimals": DECIMALS, "rows": kept}


def attention_entry(model: GPT, ids: Sequence[int], layer: int, head: int) -> dict[str, Any]:
    """The pattern of a head, each row up to its own token."""
    pattern = activations(model, ids, f"h.{layer}.pattern")[head]
    rows = [_rounded(row[: query + 1]) for query, row in enumerate(pattern)]
    return {"ids": list(ids), "layer": layer, "head": head, "decimals": DECIMALS, "rows": rows}


def tensor_entries(contents: Contents) -> Iterator[tuple[str, dict[str, Any]]]:
    """Statistics and hash of each tensor."""
    for name in contents:
        array = contents.array(name)
        yield name, {**statistics_of(array), "decimals": DECIMALS, "sha256": tensor_sha256(array)}


def _rounded(numbers: torch.Tensor) -> list[float]:
    return [round(number, DECIMALS) for number in numbers.tolist()]
