"""When a network's numbers are not the reference's: the usual mistake that would bring them out."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from cutaway.config import GPTConfig
from cutaway.verify.check import Check, passed, skipped
from cutaway.verify.contents import Contents
from cutaway.verify.numbers import EMBEDDED, worst_row
from cutaway.verify.plain import GPT2, Lookup, Variant, states
from cutaway.verify.reference import Entry, Reference

EPSILONS = (1e-12, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3)
ORDERS = ("kqv", "vkq", "qvk", "kvq", "vqk")
ALL_PAIRS = 12
"""Models of up to this many layers are tried with any two of them swapped, deeper ones with neighbours."""


def diagnosis(contents: Contents, config: GPTConfig, reference: Reference) -> Check:
    """The one change with which plain operations on the file's tensors give the reference's hidden states."""
    if not by_text(config, reference):
        return skipped("diagnosis", "the reference has no hidden states to try explanations on")
    arrays = {name: contents.array(name) for name in contents}
    tried = 0
    for variant in variants(config):
        tried += 1
        if reproduces(arrays.__getitem__, config, reference, variant):
            return passed("diagnosis", f"the reference's numbers come out if {variant.what}")
    where = first_wrong(arrays.__getitem__, config, reference)
    return skipped("diagnosis", f"none of {tried} usual mistakes explains it; the numbers first differ at {where}")


def variants(config: GPTConfig) -> Iterator[Variant]:
    """The usual mistakes, the likeliest first."""
    yield Variant(what="these weights are computed with plain operations: the weights are right, the network is not")
    yield Variant(what="GELU is the exact form, not the tanh form", exact_gelu=True)
    for epsilon in EPSILONS:
        if epsilon != config.layer_norm_epsilon:
            yield Variant(
                what=f"the LayerNorm epsilon is {epsilon:g}, not {config.layer_norm_epsilon:g}", epsilon=epsilon
            )
    for order in ORDERS:
        yield Variant(what=f"the thirds of every c_attn are taken as {' '.join(order)}, not q k v", parts=order)
    for shift in (1, -1, 2):
        yield Variant(what=f"positions begin {abs(shift)} {'later' if shift > 0 else 'earlier'} in wpe", shift=shift)
    for layer in range(config.n_layer):
        name = f"h.{layer}.attn.c_proj.weight"
        yield Variant(what=f"{name} is turned over (transposed)", transposed=name)
    for a, b in sorted(combinations(range(config.n_layer), 2), key=lambda pair: pair[1] - pair[0]):
        if b - a == 1 or config.n_layer <= ALL_PAIRS:
            yield Variant(what=f"layers {a} and {b} are swapped", layers={a: b, b: a})


def reproduces(weights: Lookup, config: GPTConfig, reference: Reference, variant: Variant) -> bool:
    """Whether a variant gives the reference's hidden states to the last digit printed."""
    return first_wrong(weights, config, reference, variant) is None


def first_wrong(weights: Lookup, config: GPTConfig, reference: Reference, variant: Variant = GPT2) -> str | None:
    """The first place along the network, of those the reference has, whose numbers differ; None where none does."""
    for text, entries in by_text(config, reference).items():
        with np.errstate(all="ignore"):
            # In float32 the weights are not copied first, and there may be a hundred variants.
            for place, found in states(config, weights, text, variant, np.float32):
                for entry in entries.get(place, ()):
                    if not worst_row(found, entry)[0] <= 10.0 ** -entry["decimals"]:
                        return place
    return None


def by_text(config: GPTConfig, reference: Reference) -> dict[tuple[int, ...], dict[str, list[Entry]]]:
    """The reference's hidden states by text and place."""
    found: dict[tuple[int, ...], dict[str, list[Entry]]] = {}
    for entry in reference.hidden:
        if entry["place"] in known_places(config):
            found.setdefault(tuple(entry["ids"]), {}).setdefault(entry["place"], []).append(entry)
    return found


def known_places(config: GPTConfig) -> list[str]:
    """The points that the plain operations show, in their order."""
    return [EMBEDDED, *(f"h.{layer}.resid_post" for layer in range(config.n_layer)), "ln_f"]
