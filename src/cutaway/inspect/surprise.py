"""How surprising each token of a text was, and how surprised the model expected to be."""

from dataclasses import dataclass

import numpy as np
import torch

from cutaway.generate.scoring import logits_along
from cutaway.inspect.passage import AnyModel, Prompt, read
from cutaway.labelled import Axis, Labelled
from cutaway.sampling import log_softmax

BITS = np.log(2)


@dataclass(frozen=True, kw_only=True)
class Surprise:
    """What a model made of a text, token by token; NaN at the first, which follows nothing."""

    bits: Labelled
    """-log₂ of the token's probability."""
    expected: Labelled
    """The entropy of what the model expected there: the surprise on average, if the model is right."""
    rank: Labelled
    """How many tokens were likelier, plus one."""

    @property
    def mean_bits(self) -> float:
        """Bits a token over the whole text, NaN for a text of one token."""
        bits = self.bits.values[1:]
        return float(bits.mean()) if len(bits) else float("nan")


@torch.inference_mode()
def surprise(model: AnyModel, prompt: Prompt) -> Surprise:
    """The surprise of every token of a text of any length.

    What does not fit the context is read in windows that overlap by half.

    Raises: GenerationError for an unreadable text.
    """
    passage = read(model, prompt, any_length=True)
    # (bits, expected, rank) of each token
    rows = [(np.nan, np.nan, np.nan)]
    for token, logits in zip(passage.ids[1:], logits_along(passage.model, passage.ids), strict=False):
        logprobs = log_softmax(logits)
        entropy = -float((np.exp(logprobs) * logprobs).sum())
        rows.append((-float(logprobs[token]) / BITS, entropy / BITS, int((logits > logits[token]).sum()) + 1))
    columns = np.array(rows).T
    axes = (Axis("token", passage.pieces),)
    titles = [("Surprise", "bits"), ("Expected surprise", "bits"), ("Rank", "")]
    bits, expected, rank = (
        Labelled(title=title, values=values, axes=axes, unit=unit)
        for (title, unit), values in zip(titles, columns, strict=True)
    )
    return Surprise(bits=bits, expected=expected, rank=rank)
