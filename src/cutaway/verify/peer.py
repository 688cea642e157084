"""The optional witness: the same folder as `transformers` reads it, where that is installed. Its one door."""

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.verify.check import Check, judged, skipped
from cutaway.verify.numbers import logits_of
from cutaway.verify.tokens import ROUND_TRIPS, encode
from cutaway.verify.witnesses import EXACT, apart
from cutaway.weights.locate import ModelFiles
from cutaway.weights.packed_file import is_packed
from cutaway.weights.shards import WEIGHT_FILES


def peer_checks(files: ModelFiles, exact: GPT, tokenizer: AnyTokenizer | None, ids: Sequence[int]) -> Iterator[Check]:
    """Logits in float64, and token ids, as `transformers` has them."""
    if reason := why_absent(files):
        yield skipped("transformers", reason)
        return
    with _quiet():
        yield logits_check(files, exact, ids)
        if tokenizer is not None and (files.folder / "tokenizer.json").is_file():
            yield ids_check(files, tokenizer)


def why_absent(files: ModelFiles) -> str | None:
    """What keeps the witness away, if anything does."""
    if importlib.util.find_spec("transformers") is None:
        return "not installed; pip install transformers adds this witness"
    if files.weights.name not in WEIGHT_FILES:
        return f"it reads {WEIGHT_FILES[0]}, not {files.weights.name}"
    if is_packed(files.weights):
        return "it does not read what cutaway quantize made"
    return None


def logits_check(files: ModelFiles, exact: GPT, ids: Sequence[int]) -> Check:
    """Whether its network, from the same folder, gives our logits."""
    import torch
    from transformers import GPT2LMHeadModel  # type: ignore[import-not-found,unused-ignore]

    theirs: Any = GPT2LMHeadModel.from_pretrained(files.folder, dtype=torch.float64, local_files_only=True)
    theirs.eval()
    with torch.inference_mode():
        truth = theirs(torch.tensor([list(ids)])).logits[0].numpy()
    difference, scale = apart(logits_of(exact, ids).numpy(), truth)
    return judged(
        "transformers",
        holds=difference <= EXACT * scale,
        seen=f"logits of {len(ids)} tokens at most {difference:.1e} apart in float64",
        expected=f"logits within {EXACT:g} of the largest, {scale:.3g}",
        cause="the two read config.json or the tensors' layout differently; the plain operations say which is right",
    )


def ids_check(files: ModelFiles, tokenizer: AnyTokenizer) -> Check:
    """Whether its tokenizer, from the same folder, gives our ids."""
    from transformers import AutoTokenizer  # type: ignore[import-not-found,unused-ignore]

    theirs: Any = AutoTokenizer.from_pretrained(files.folder, local_files_only=True)
    for text in ROUND_TRIPS[:-1]:  # the last is plain text to us, and a special token to them
        ours, found = encode(tokenizer, text), theirs(text, add_special_tokens=False)["input_ids"]
        if ours != found:
            return judged(
                "transformers' ids",
                holds=False,
                seen=f"{text!r} becomes {ours}",
                expected=str(found),
                cause="one of the two adds a space, a special token, or normalises the text",
            )
    return judged(
        "transformers' ids", holds=True, seen=f"{len(ROUND_TRIPS) - 1} texts become the same ids", expected="", cause=""
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without its bars and advice on stderr."""
    from transformers.utils import logging  # type: ignore[import-not-found,unused-ignore]

    voice: Any = logging
    told, bars = voice.get_verbosity(), voice.is_progress_bar_enabled()
    voice.set_verbosity_error()
    voice.disable_progress_bar()
    try:
        yield
    finally:
        voice.set_verbosity(told)
        if bars:
            voice.enable_progress_bar()
