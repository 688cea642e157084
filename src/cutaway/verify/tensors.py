"""The tensors themselves: names and shapes, number format, finite values, and statistics that give damage away."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np

from cutaway.anatomy import num_parameters
from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.verify.check import Check, failed, judged, passed, skipped
from cutaway.verify.contents import Contents, Floats
from cutaway.verify.reference import Entry, Reference
from cutaway.weights.names import HEAD, check_shapes

ALONE = 300.0
"""How many times the spread of all others a number may be: GPT-2's own farthest is 40 times, a flipped exponent 1e5."""
APART = 30.0
"""How many times wider or narrower than in most layers a matrix may spread; in GPT-2 it is up to 3 times."""
GAINS = (0.01, 100.0)
"""The mean of a LayerNorm's weights lies between these; in GPT-2 between 0.1 and 2."""

PADDING = 128
"""Rows of zeros at the end of wte that are no damage: vocabularies are padded for speed."""

_LAYER = re.compile(r"^h\.\d+\.")
SHOWN = 3


def tensor_checks(contents: Contents, config: GPTConfig, reference: Reference | None) -> Iterator[Check]:
    """Everything about the tensors that needs no forward pass."""
    shapes = shape_check(contents, config, reference)
    yield shapes
    if shapes.state == "failed":
        return
    yield dtype_check(contents)
    finite = finite_check(contents)
    yield finite
    if finite.state == "passed":
        yield statistics_check(contents)
    yield head_check(contents, config)
    yield recorded_check(contents, config, reference)


def checksum_checks(contents: Contents) -> Iterator[Check]:
    """Whether the bytes of a quantised checkpoint are those that were written; other checkpoints have no checksums."""
    for file in contents.packed_files:
        if not file.checksums:
            yield skipped("checksums", f"{file.path.name} was quantised before checksums were stored; make it again")
            continue
        damaged = file.damaged()
        yield judged(
            "checksums",
            holds=not damaged,
            seen=f"{_some(damaged)} not what was written" if damaged else f"{len(file.checksums)} tensors are whole",
            expected="every tensor's bytes as cutaway quantize wrote them",
            cause="a flipped bit on the disk or on the way; copy the folder again, or make it again",
        )


def shape_check(contents: Contents, config: GPTConfig, reference: Reference | None) -> Check:
    """Whether names and shapes are those of the configuration, and this that of the reference."""
    if reference and (wrong := [key for key, value in reference.config.items() if getattr(config, key, None) != value]):
        return failed(
            "shapes",
            expected=f"{reference.name}: " + ", ".join(f"{key}={reference.config[key]}" for key in wrong),
            seen=", ".join(f"{key}={getattr(config, key, None)}" for key in wrong) + " in config.json",
            cause="another model than it is said to be, or a config.json that does not belong to it",
        )
    try:
        check_shapes(contents.shapes, config, "the checkpoint")
    except CheckpointError as error:
        return failed(
            "shapes",
            expected=f"the tensors of {config.n_layer} layers of {config.n_embd} channels, as config.json says",
            seen=str(error),
            cause="the config.json of another model, or matrices stored (out, in), as nn.Linear has them, "
            "where GPT-2 checkpoints have (in, out)",
        )
    parameters = num_parameters(config)
    what = f"{len(contents.shapes)} tensors, {parameters:,} parameters"
    if reference and reference.parameters not in (None, parameters):
        expected = f"{reference.parameters:,} parameters"
        return failed("shapes", expected=expected, seen=what, cause="another model than it is said to be")
    return passed("shapes", what)


def dtype_check(contents: Contents) -> Check:
    """Which number formats there are."""
    formats = Counter(str(contents.tensor(name).dtype).removeprefix("torch.") for name in contents)
    return judged(
        "dtype",
        holds=len(formats) == 1,
        seen=", ".join(f"{count} tensors in {kind}" for kind, count in formats.most_common()),
        expected="one number format for all tensors",
        cause="parts of two checkpoints put together, or a quantisation that was not undone",
    )


def finite_check(contents: Contents) -> Check:
    """Whether every number is one."""
    found = []
    for name in contents:
        array = contents.array(name)
        if bad := int(array.size - np.isfinite(array).sum()):
            first = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
            found.append(f"{name} has {bad:,} NaN or infinite, the first at {list(first)}")
    return judged(
        "finite values",
        holds=not found,
        seen=_some(found) or "every number is finite",
        expected="no NaN and no infinity",
        cause="a flipped bit in an exponent, training that ran away, or float16 where numbers are above 65,504",
    )


def statistics_check(contents: Contents) -> Check:
    """Whether each tensor looks like others of its kind: not all zero, no number alone, no layer apart."""
    spreads: dict[str, dict[str, float]] = defaultdict(dict)
    found: list[str] = []
    for name in contents:
        array = contents.array(name)
        found += oddities(name, array)
        if array.ndim == 2:
            spreads[_LAYER.sub("h.*.", name)][name] = float(array.std(dtype=np.float64))
    for kind in spreads.values():
        usual = float(np.median(list(kind.values())))
        found += [
            f"{name} spreads by {spread:.2g}, the same in most layers by {usual:.2g}"
            for name, spread in kind.items()
            if usual and not usual / APART < spread < usual * APART
        ]
    return judged(
        "statistics",
        holds=not found,
        seen=_some(found) or places(contents),
        expected="tensors like others of their kind: not all zero, no number far from all others, no layer apart",
        cause="a flipped bit, a tensor that was never filled, or a scale applied twice or not at all",
    )


def oddities(name: str, array: Floats) -> Iterator[str]:
    """What is odd about one tensor by itself."""
    if name.endswith("weight") and not array.any():
        yield f"{name} is zero all over"
        return
    if array.ndim == 1 and name.endswith("weight") and not GAINS[0] < (mean := float(array.mean())) < GAINS[1]:
        yield f"{name}, gains of a LayerNorm, has the mean {mean:.3g}; usual is {GAINS[0]:g} to {GAINS[1]:g}"
    empty = np.flatnonzero(~array.any(axis=1)) if array.ndim == 2 else np.empty(0)
    if name == "wte.weight":
        empty = empty[empty < len(array) - PADDING]
    if empty.size:
        yield f"{name} has {empty.size:,} rows of zeros, the first is row {empty[0]:,}"
    far, times = loneliest(array)
    if times > ALONE:
        place = list(map(int, np.unravel_index(far, array.shape)))
        yield f"{name} at {place} is {array.flat[far]:.3g}, {times:.2g} times the spread of all its others"


def loneliest(array: Floats) -> tuple[int, float]:
    """Where the number farthest from the mean is, and how many times the others' spread it is away."""
    flat = array.reshape(-1).astype(np.float64)
    far = int(np.abs(flat).argmax())
    others = np.delete(flat, far)
    spread = float(others.std()) if others.size else 0.0
    return far, abs(float(flat[far]) - float(others.mean())) / spread if spread else 0.0


def places(contents: Contents) -> str:
    """The table of positions in a line, as others have printed it."""
    if "wpe.weight" not in contents:
        return "as usual"
    table = contents.array("wpe.weight")
    low, high = float(table.min()), float(table.max())
    return f"as usual; wpe has mean {table.mean():.4f}, std {table.std():.4f}, from {low:.4f} to {high:.4f}"


def head_check(contents: Contents, config: GPTConfig) -> Check:
    """Whether the head is the table of tokens where it should be."""
    if not config.tie_word_embeddings:
        return passed("head", "lm_head has weights of its own, as config.json says")
    if HEAD not in contents:
        return passed("head", "lm_head is wte and is not stored again")
    same = np.array_equal(contents.tensor(HEAD).float().numpy(), contents.tensor("wte.weight").float().numpy())
    return judged(
        "head",
        holds=same,
        seen="lm_head is stored and equals wte" if same else "lm_head is stored and differs from wte",
        expected="lm_head.weight equal to wte.weight, for config.json ties them",
        cause="a model that was trained untied; set tie_word_embeddings to false, or one table is damaged",
    )


def recorded_check(contents: Contents, config: GPTConfig, reference: Reference | None) -> Check:
    """Whether tensors are those that were recorded: by hash where there is one, else by their statistics."""
    if not reference or not reference.tensors:
        return skipped("recorded tensors", "no statistics or hashes of single tensors are known")
    found = []
    for name, entry in reference.tensors.items():
        if name not in contents:
            found.append(f"{name} is missing")
        elif fault := difference(contents, name, entry, reference.tensors):
            found.append(f"{name} {fault}")
    return judged(
        "recorded tensors",
        holds=not found,
        seen=_some(found) or f"{len(reference.tensors)} tensors are those recorded",
        expected=f"the tensors of {reference.name}",
        cause="a flipped bit, layers or thirds in another order, a matrix turned over, or other weights altogether",
    )


def difference(contents: Contents, name: str, entry: Entry, recorded: Mapping[str, Entry]) -> str | None:
    """How a tensor differs from the one recorded, in words; None when it does not."""
    array = contents.array(name)
    if "sha256" in entry:
        return None if tensor_sha256(array) == entry["sha256"] else _likeness(array, name, entry["sha256"], recorded)
    found, unit = statistics_of(array), 10.0 ** -entry.get("decimals", 4)
    wrong = [key for key in found if key in entry and not abs(found[key] - entry[key]) <= unit]
    told = ", ".join(f"{key} {found[key]:.6g} for {entry[key]:.6g}" for key in wrong)
    return f"has {told}" if wrong else None


def _likeness(array: Floats, name: str, expected: str, recorded: Mapping[str, Entry]) -> str:
    """What a tensor that is not the recorded one is instead."""
    found = tensor_sha256(array)
    for other, entry in recorded.items():
        if entry.get("sha256") == found:
            return f"holds what {other} should hold"
    if array.ndim == 2 and tensor_sha256(array.T) == expected:
        return "is turned over: its transpose is the one recorded"
    if name.endswith(("c_attn.weight", "c_attn.bias")):
        for order in permutations(range(3)):
            thirds = np.split(array, 3, axis=-1)
            if tensor_sha256(np.concatenate([thirds[i] for i in order], axis=-1)) == expected:
                return f"has its thirds in the order {' '.join('qkv'[order.index(i)] for i in range(3))}, not q k v"
    if array.ndim == 2:
        for shift in (-1, 1):
            if tensor_sha256(np.roll(array, shift, axis=0)) == expected:
                return "is shifted by one row: rolled back, it is the one recorded"
    return "has other numbers"


def tensor_sha256(array: Floats) -> str:
    """The SHA-256 of a tensor's numbers as little-endian float32, in the order of the file."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f4").tobytes()).hexdigest()


def statistics_of(array: Floats) -> dict[str, float]:
    """Mean, spread and ends."""
    wide = array.astype(np.float64)
    return {"mean": float(wide.mean()), "std": float(wide.std()), "min": float(wide.min()), "max": float(wide.max())}


def _some(found: list[Any]) -> str:
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
