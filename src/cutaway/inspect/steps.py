"""The forward pass by hand: every step of GPT-2 written out with plain operations on the weights, and checked.

This is the network once more, as one would work it out on paper: nothing of `cutaway.model` is called but its weights.
Each step carries what the model itself had at that place, so that one can see that they agree.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cutaway.inspect.passage import AnyModel, Passage, Prompt, read
from cutaway.inspect.trace import Trace, trace

Weights = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One operation and its result."""

    name: str
    """The activation's name, as in a trace; that of the last step is `probabilities`."""
    what: str
    """What happens, in a sentence."""
    formula: str
    """The operation."""
    value: Tensor
    """Its result, without the batch."""
    difference: float | None
    """The largest difference from the model's own activation; None for what the model itself does not form."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple(self.value.shape)

    def to_dict(self, numbers: int = 4) -> dict[str, Any]:
        """Everything but the numbers, of which only the first of the last row."""
        first = self.value.reshape(-1, self.value.shape[-1])[-1, :numbers].tolist()
        about = {"name": self.name, "what": self.what, "formula": self.formula, "shape": list(self.shape)}
        return {**about, "first_of_last_row": first, "difference": self.difference}


def steps(model: AnyModel, prompt: Prompt) -> Iterator[Step]:
    """Read a text step by step, from the rows of the tables to the probabilities of the next token.

    Raises: InspectionError for a text longer than the context.
    """
    passage = read(model, prompt)
    return _checked(passage, trace(passage.model, passage.ids))


@torch.no_grad()
def _checked(passage: Passage, seen: Trace) -> Iterator[Step]:
    for name, what, formula, value in _forward(passage):
        difference = (value - seen[name]).abs().max().item() if name in seen else None
        yield Step(name=name, what=what, formula=formula, value=value, difference=difference)


Worked = tuple[str, str, str, Tensor]
"""Name, what happens, formula, result."""


def _forward(passage: Passage) -> Iterator[Worked]:
    """The whole network. T tokens, C channels, V vocabulary; the stream x is (T, C) all the way."""
    config = passage.model.config
    w = {name: tensor.detach() for name, tensor in passage.model.named_parameters(remove_duplicate=False)}
    ids = torch.tensor(passage.ids, device=passage.model.device)

    tokens = w["wte.weight"][ids]
    yield "embed", "each token's row of the table of tokens", "wte[ids]", tokens
    positions = w["wpe.weight"][: len(ids)]
    yield "pos_embed", "each position's row of the table of positions", "wpe[0 … T-1]", positions
    x = tokens + positions
    for layer in range(config.n_layer):
        yield f"h.{layer}.resid_pre", "the stream enters the layer", STREAM[bool(layer)], x
        for step in _block(
            {name: w[f"h.{layer}.{name}"] for name in BLOCK}, x, config.n_head, config.layer_norm_epsilon
        ):
            name, what, formula, x = step  # the last is the stream as it leaves the layer
            yield f"h.{layer}.{name}", what, formula, x
    x = layer_norm(x, w["ln_f.weight"], w["ln_f.bias"], config.layer_norm_epsilon)
    yield "ln_f", "the stream at mean 0 and spread 1, times weight plus bias", "layer_norm(resid_post)", x
    logits = x @ w["lm_head.weight"].T
    yield (
        "logits",
        "how well each token of the vocabulary would fit next",
        "ln_f @ wte.T" if config.tie_word_embeddings else "ln_f @ lm_head.T",
        logits,
    )
    yield "probabilities", "the same as shares of 1", "softmax(logits)", softmax(logits)


STREAM = ("embed + pos_embed", "resid_post of the layer before")

BLOCK = tuple(
    f"{module}.{part}"
    for module in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    for part in ("weight", "bias")
)
"""The weights of a layer. Those of linear maps are (out, in), so that they are applied as `x @ weight.T + bias`."""


def _block(w: Weights, x: Tensor, n_head: int, eps: float) -> Iterator[Worked]:
    """One layer. H heads of D channels each; the MLP is M wide."""
    T, C = x.shape
    normed = layer_norm(x, w["ln_1.weight"], w["ln_1.bias"], eps)
    yield "ln_1", "the stream at mean 0 and spread 1, times weight plus bias", "layer_norm(resid_pre)", normed
    both = normed @ w["attn.c_attn.weight"].T + w["attn.c_attn.bias"]
    # (T, 3C) -> three of (T, C) -> (T, H, D) -> (H, T, D)
    q, k, v = (part.reshape(T, n_head, C // n_head).transpose(0, 1) for part in torch.chunk(both, 3, dim=1))
    yield "q", "what each token looks for, in each head", "ln_1 @ c_attn, first third", q
    yield "k", "what each token can be found by", "ln_1 @ c_attn, second third", k
    yield "v", "what each token hands on where it is looked at", "ln_1 @ c_attn, last third", v
    scores = (q @ k.transpose(1, 2) / math.sqrt(C // n_head)).masked_fill(future(T, x), -math.inf)
    pattern = softmax(scores)
    yield "pattern", "how much each token looks at itself and those before it", "softmax(q @ k.T / √D), causal", pattern
    z = pattern @ v
    yield "z", "what each head gathers: the values, mixed by the pattern", "pattern @ v", z
    # (H, T, D) -> (T, H, D) -> (T, C): the heads side by side
    gathered = z.transpose(0, 1).reshape(T, C) @ w["attn.c_proj.weight"].T + w["attn.c_proj.bias"]
    yield "attn_out", "what the heads together write into the stream", "z @ c_proj", gathered
    x = x + gathered
    yield "resid_mid", "the stream with it", "resid_pre + attn_out", x
    normed = layer_norm(x, w["ln_2.weight"], w["ln_2.bias"], eps)
    yield "ln_2", "at mean 0 and spread 1 again", "layer_norm(resid_mid)", normed
    wide = normed @ w["mlp.c_fc.weight"].T + w["mlp.c_fc.bias"]
    yield "mlp_pre", "each token on its own: one number for each neuron", "ln_2 @ c_fc", wide
    bent = gelu(wide)
    yield "mlp_post", "bent: what is below zero nearly vanishes", "gelu(mlp_pre)", bent
    narrow = bent @ w["mlp.c_proj.weight"].T + w["mlp.c_proj.bias"]
    yield "mlp_out", "what the neurons together write into the stream", "mlp_post @ c_proj", narrow
    yield "resid_post", "the stream as it leaves the layer", "resid_mid + mlp_out", x + narrow


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Each row less its mean, divided by its spread; then each channel times its weight, plus its bias."""
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def softmax(x: Tensor) -> Tensor:
    """Numbers as shares of 1, the larger the more. The largest is taken off first, so that nothing overflows."""
    grown = torch.exp(x - x.amax(-1, keepdim=True))
    return grown / grown.sum(-1, keepdim=True)


def gelu(x: Tensor) -> Tensor:
    """Nearly x above zero and nearly 0 below, in the tanh form that GPT-2 was trained with.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)", section 2.
    """
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def future(T: int, like: Tensor) -> Tensor:
    """Which keys each query may not look at: those that come after it. Shapes: -> (T, T)."""
    return torch.ones(T, T, dtype=torch.bool, device=like.device).triu(1)
