"""What the network computes, against the numbers of a reference."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.config import GPTConfig
from cutaway.errors import InspectionError
from cutaway.generate.reader import Reader
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.verify.check import Check, failed, judged, skipped
from cutaway.verify.reference import Entry, Reference

EMBEDDED = "embed+pos_embed"

CAUSE = "weights in another place or order, another activation, another LayerNorm epsilon, or another tokenizer"


def number_checks(model: GPT, tokenizer: AnyTokenizer | None, reference: Reference) -> Iterator[Check]:
    """Every part of the reference that is about the network's numbers."""
    if fault := unreadable(model, reference):
        yield fault
        return
    for entry in reference.hidden:
        yield hidden_check(model, entry)
    for entry in reference.attention:
        yield attention_check(model, entry)
    for entry in reference.next:
        yield next_check(model, tokenizer, entry)
    for entry in reference.among:
        yield among_check(model, tokenizer, entry)
    for entry in reference.greedy:
        yield greedy_check(model, tokenizer, entry)
    for entry in reference.loss:
        yield loss_check(model, entry)


def unreadable(model: GPT, reference: Reference) -> Check | None:
    """What keeps the model from being held to the reference at all."""
    config = model.config
    for part in ("hidden", "attention", "next", "among", "greedy", "loss"):
        for entry in getattr(reference, part):
            if wrong := misfit(config, entry):
                return failed(
                    "reference",
                    expected=f"a model that has {wrong}",
                    seen=f"a context of {config.block_size:,}, {config.vocab_size:,} tokens, {config.n_layer} layers, "
                    f"{config.n_head} heads",
                    cause="the reference of another model",
                )
    return None


def misfit(config: GPTConfig, entry: Entry) -> str | None:
    """What an entry needs and the model, or the entry's own text, has not."""
    ids = [*entry["ids"], *entry.get("continuation", ())]
    if not 0 < len(ids) <= config.block_size:
        return f"room for a text of {len(ids)} tokens"
    if not 0 <= min(ids) <= max(ids) < config.vocab_size:
        return f"tokens {min(ids)} to {max(ids):,}"
    if "head" in entry and not (0 <= entry["layer"] < config.n_layer and 0 <= entry["head"] < config.n_head):
        return f"a head {entry['head']} in a layer {entry['layer']}"
    for place, row in enumerate(entry.get("rows", ())):
        number = row["row"] if isinstance(row, dict) else max(place, len(row) - 1)
        if not 0 <= number < len(ids):
            return f"a row {number} for a text of {len(ids)} tokens"
    if "top" in entry and not 1 <= entry["top"] <= config.vocab_size:
        return f"{entry['top']:,} likeliest tokens"
    return None


class Recorder:
    """An observer that keeps what passes some points."""

    def __init__(self, *names: str) -> None:
        self.names, self.seen = names, dict[str, Tensor]()

    def wants(self, name: str) -> bool:
        """Whether it is one of the points."""
        return name in self.names

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Keep it and let it pass."""
        if name in self.names:
            self.seen[name] = x
        return x


@torch.inference_mode()
def activations(model: GPT, ids: Sequence[int], name: str) -> Tensor:
    """What passes a point for one text, without the batch.

    Raises: InspectionError when the network has no such point.
    """
    point = "h.0.resid_pre" if name == EMBEDDED else name
    recorder = Recorder(point)
    model(torch.tensor([list(ids)], device=model.device), observer=recorder)
    if point not in recorder.seen:
        raise InspectionError(f"the network has no point {name!r}; use {EMBEDDED}, ln_f, h.0.resid_post and so on")
    return recorder.seen[point][0]


def hidden_check(model: GPT, entry: Entry) -> Check:
    """Rows of an activation: their first and last numbers."""
    found, place = activations(model, entry["ids"], entry["place"]), entry["place"]
    worst, where = worst_row(found, entry)
    unit = 10.0 ** -entry["decimals"]
    return judged(
        f"hidden states {place}",
        holds=worst <= unit,
        seen=f"{len(entry['rows'])} rows, at most {worst:.2g} away" + ("" if worst <= unit else f", in {where}"),
        expected=f"at most {unit:g} from the reference's numbers",
        cause="damaged tables wte or wpe, or positions counted from another place" if place == EMBEDDED else CAUSE,
    )


def worst_row(found: Any, entry: Entry) -> tuple[float, str]:
    """The largest difference from the rows of an entry, and which row it is in."""
    worst, where = 0.0, ""
    for row in entry["rows"]:
        numbers = found[row["row"]]
        for part in ("first", "last"):
            expected = row.get(part, [])
            some = numbers[: len(expected)] if part == "first" else numbers[len(numbers) - len(expected) :]
            for a, b in zip(some.tolist(), expected, strict=True):
                if (off := distance(a, b)) > worst:
                    worst, where = off, f"row {row['row']}: {a:.4f} for {b:.4f}"
    return worst, where


def distance(a: float, b: float) -> float:
    """How far two numbers are apart; infinitely where one of them is none."""
    return math.inf if math.isnan(a - b) else abs(a - b)


def attention_check(model: GPT, entry: Entry) -> Check:
    """The first rows of a head's pattern."""
    layer, head = entry["layer"], entry["head"]
    pattern = activations(model, entry["ids"], f"h.{layer}.pattern")[head]
    unit, worst, where = 10.0 ** -entry["decimals"], 0.0, ""
    for query, expected in enumerate(entry["rows"]):
        for key, value in enumerate(expected):
            if (off := distance(pattern[query, key].item(), value)) > worst:
                worst, where = off, f"row {query}, column {key}"
    return judged(
        f"attention {layer}.{head}",
        holds=worst <= unit,
        seen=f"{len(entry['rows'])} rows of layer {layer}, head {head}, at most {worst:.2g} away, {where}".rstrip(", "),
        expected=f"at most {unit:g} from the reference's table",
        cause="q, k and v in another order, heads cut in another way, or a scale other than 1/sqrt(D)",
    )


@torch.inference_mode()
def logits_of(model: GPT, ids: Sequence[int]) -> Tensor:
    """The logits after each token of one text. Shapes: -> (T, V)."""
    logits: Tensor = model(torch.tensor([list(ids)], device=model.device))[0][0]
    return logits


def next_check(model: GPT, tokenizer: AnyTokenizer | None, entry: Entry) -> Check:
    """The likeliest token after each of the first tokens of a text."""
    found = logits_of(model, entry["ids"]).argmax(dim=-1).tolist()[: len(entry["tokens"])]
    expected = list(entry["tokens"])
    return judged(
        "next tokens",
        holds=found == expected,
        seen=spelt(found, tokenizer),
        expected=spelt(expected, tokenizer),
        cause=CAUSE,
    )


def among_check(model: GPT, tokenizer: AnyTokenizer | None, entry: Entry) -> Check:
    """Whether a token is among the likeliest after a text."""
    best = logits_of(model, entry["ids"])[-1].topk(entry["top"]).indices.tolist()
    return judged(
        "likely token",
        holds=entry["token"] in best,
        seen=f"the {entry['top']} likeliest are {spelt(best, tokenizer)}",
        expected=f"{spelt([entry['token']], tokenizer)} among the {entry['top']} likeliest",
        cause=CAUSE,
    )


@torch.inference_mode()
def greedy_check(model: GPT, tokenizer: AnyTokenizer | None, entry: Entry) -> Check:
    """What is written when always the likeliest token is taken."""
    expected = list(entry["continuation"])
    if not expected:
        return skipped("greedy text", "the reference has an empty continuation")
    reader = Reader(model, len(expected))
    found = [int(reader.prefill([entry["ids"]])[0].argmax())]
    while len(found) < len(expected):
        found.append(int(reader.decode([found[-1]])[0].argmax()))
    return judged(
        "greedy text",
        holds=found == expected,
        seen=spelt(found, tokenizer),
        expected=spelt(expected, tokenizer),
        cause=CAUSE,
    )


def loss_check(model: GPT, entry: Entry) -> Check:
    """The mean cross-entropy of a text."""
    ids = entry["ids"]
    if len(ids) < 2:
        return skipped("loss", "the reference has a text of one token, which has no loss")
    loss = F.cross_entropy(logits_of(model, ids)[:-1].double(), torch.tensor(ids[1:], device=model.device)).item()
    return judged(
        "loss",
        holds=abs(loss - entry["loss"]) <= entry["tolerance"],
        seen=f"{loss:.6f} nats a token",
        expected=f"{entry['loss']:.6f}, give or take {entry['tolerance']:g}",
        cause=CAUSE,
    )


def spelt(ids: Sequence[int], tokenizer: AnyTokenizer | None) -> str:
    """Tokens as they are written in vocabularies, or their ids."""
    known = tokenizer is not None and all(0 <= token < tokenizer.n_vocab for token in ids)
    return " ".join(tokenizer.pieces(ids) if known and tokenizer else map(str, ids))
