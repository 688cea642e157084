"""The same network computed in other ways, which must agree: in float64, by plain operations, cached, batched."""

from collections.abc import Sequence

import numpy as np
import torch

from cutaway.config import GPTConfig
from cutaway.generate.reader import Reader
from cutaway.model import GPT
from cutaway.verify.check import Check, judged
from cutaway.verify.contents import Contents
from cutaway.verify.numbers import logits_of
from cutaway.verify.plain import Array, final_states

ROUNDING = 1e-4
"""How far float32 may be from float64, as a share of the largest logit."""
EXACT = 1e-9
"""How far two ways to compute in float64 may be apart, as a share of the largest number."""

TEXT = (
    "Once upon a time there was an old woman who lived by the sea. Every morning she went down to the water, "
    "and every evening she said to her cat: tomorrow the boats will come home."
)


def apart(a: Array, b: Array) -> tuple[float, float]:
    """The largest difference, and the largest number it is to be measured by."""
    return float(np.abs(a - b).max()), max(1.0, float(np.abs(b).max()))


def float64_check(model: GPT, exact: GPT, ids: Sequence[int]) -> Check:
    """Whether the network gives in float32 what it gives in float64, but for rounding."""
    found, truth = logits_of(model, ids).double().numpy(), logits_of(exact, ids).numpy()
    difference, scale = apart(found, truth)
    agree = float((found.argmax(-1) == truth.argmax(-1)).mean())
    return judged(
        "float64",
        holds=difference <= ROUNDING * scale,
        seen=f"logits of {len(ids)} tokens at most {difference:.1e} apart, largest {scale:.3g}; "
        f"the likeliest token is the same after {agree:.0%}",
        expected=f"logits within {ROUNDING:g} of the largest",
        cause="numbers so large that float32 has no digits left for the rest: damaged weights",
    )


def plain_check(exact: GPT, contents: Contents, config: GPTConfig, ids: Sequence[int]) -> Check:
    """Whether the network in float64 is what plain operations make of the file's tensors."""
    states = final_states(config, contents.array, ids)
    truth = states @ contents.array(contents.head(config)).T.astype(np.float64)
    difference, scale = apart(logits_of(exact, ids).numpy(), truth)
    return judged(
        "plain operations",
        holds=difference <= EXACT * scale,
        seen=f"logits of {len(ids)} tokens at most {difference:.1e} apart in float64",
        expected=f"logits within {EXACT:g} of the largest, {scale:.3g}: GPT-2 as written, in numpy",
        cause="a network that is not GPT-2: the exact GELU, another epsilon, or a matrix not turned over",
    )


@torch.inference_mode()
def cached_check(exact: GPT, ids: Sequence[int]) -> Check:
    """Whether reading token by token, with keys and values kept, is reading at once."""
    whole = logits_of(exact, ids)
    reader, begun = Reader(exact, len(ids)), max(1, len(ids) // 2)
    rows = [reader.prefill([ids[:begun]])[0], *(reader.decode([token])[0] for token in ids[begun:])]
    difference, scale = apart(torch.stack(rows).numpy(), whole[begun - 1 :].numpy())
    return judged(
        "cached = uncached",
        holds=difference <= EXACT * scale,
        seen=f"{len(rows) - 1} tokens read one at a time, logits at most {difference:.1e} apart",
        expected=f"logits within {EXACT:g} of the largest",
        cause="positions that do not go on where the cache ends, or a mask that hides or shows too much",
    )


@torch.inference_mode()
def batched_check(exact: GPT, ids: Sequence[int]) -> Check:
    """Whether a text in company gives what it gives alone."""
    rows = [list(ids), list(ids[: max(1, len(ids) // 3)]), list(ids[: max(1, len(ids) // 2)])]
    together = Reader(exact, 1).prefill(rows)
    alone = torch.stack([logits_of(exact, row)[-1] for row in rows])
    difference, scale = apart(together.numpy(), alone.numpy())
    return judged(
        "batched = single",
        holds=difference <= EXACT * scale,
        seen=f"{len(rows)} texts of {', '.join(str(len(row)) for row in rows)} tokens, "
        f"logits at most {difference:.1e} apart",
        expected=f"logits within {EXACT:g} of the largest",
        cause="padding that is looked at, or rows that meet",
    )
