"""A network's matrices as whole numbers, layer after layer.

A layer's inputs are taken where everything before it is rounded already, so that it is fitted to what it will read. The
embedding is first, since all else reads it; where it is the head too, its inputs are the final states of the network as
it was.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from cutaway.model import GPT, Block
from cutaway.native.packed import FORMATS, pack
from cutaway.quant.descent import descend
from cutaway.quant.gptq import gptq
from cutaway.quant.moments import Moments, moments_at
from cutaway.quant.rounding import best_scales, nearest, of_each_input
from cutaway.weights.names import HEAD, stored_shapes
from cutaway.weights.packed_file import parts_of
from cutaway.weights.save_packed import PackedModel

Method: TypeAlias = Literal["gptq", "nearest"]

READS = {"attn.c_attn": "ln_1", "attn.c_proj": "z", "mlp.c_fc": "ln_2", "mlp.c_proj": "mlp_post"}
"""Where each matrix's inputs can be seen, in the order of the layer."""

DAMPING = 0.01
"""Added to the diagonal of H, as a fraction of its mean: inputs seen too rarely to tell cost something all the same."""

BATCH_TOKENS = 4096

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class TensorError:
    """How far one matrix is from what it was, by root mean squares, as fractions of the whole."""

    name: str
    weight_error: float
    output_error: float
    """On the calibration text; the mean of the outputs, which the bias takes care of, left out."""


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """A model whose matrices are whole numbers."""

    model: GPT
    """In PyTorch, with the floats that the whole numbers stand for."""
    packed: PackedModel
    errors: tuple[TensorError, ...]


class Quantizer:
    """Goes through a copy of a network and rounds it."""

    def __init__(self, model: GPT, tokens: Tensor, precision: str, method: Method, tell: Tell) -> None:
        self.model = copy.deepcopy(model).float().eval()
        self.format, self.precision, self.method, self.tell = FORMATS[precision], precision, method, tell
        self.batches = list(torch.split(tokens, max(1, BATCH_TOKENS // tokens.shape[1])))
        self.whole: dict[str, tuple[Tensor, Tensor]] = {}
        self.errors: list[TensorError] = []

    def run(self) -> Quantized:
        """Round everything, in the order in which it is read."""
        config = self.model.config
        states = moments_at("ln_f", lambda idx, observer: self.model.hidden(idx, observer=observer), self.batches)
        tied = config.tie_word_embeddings
        self.round("wte.weight", self.model.wte, states.products if tied else torch.eye(config.n_embd).double())
        x = [self.model.wte(idx) + self.model.wpe.weight[: idx.shape[1]] for idx in self.batches]
        for number, block in enumerate(self.model.h):
            self.round_layer(number, block, x)
            x = [_through(block, part, None) for part in x]
        if not tied:
            x = [self.model.ln_f(part) for part in x]
            products = sum((part.flatten(0, 1).T @ part.flatten(0, 1)).double() for part in x)
            self.round(HEAD, self.model.lm_head, torch.as_tensor(products) / sum(part[..., 0].numel() for part in x))
        return Quantized(model=self.model, packed=self.packed(), errors=tuple(self.errors))

    def round_layer(self, number: int, block: Block, x: list[Tensor]) -> None:
        """Round a layer's matrices, each fitted to what it reads behind the ones before it."""
        for name, point in READS.items():
            self.tell(f"h.{number}.{name}")
            module = block.get_submodule(name)
            moments = moments_at(f"h.{number}.{point}", lambda part, observer: _through(block, part, observer), x)
            before = module.weight.clone()
            self.round(f"h.{number}.{name}.weight", module, moments.covariance)
            _keep_mean(module, before, moments)

    def round(self, name: str, module: nn.Module, hessian: Tensor) -> None:
        """Replace a matrix by what its whole numbers stand for, and note both."""
        weight = module.weight.detach().float()  # type: ignore[union-attr]
        damped = hessian + (DAMPING * hessian.diagonal().mean() + 1e-12) * torch.eye(len(hessian)).double()
        scales = best_scales(weight, damped.diagonal().float(), self.format)
        wide = of_each_input(scales, weight.shape[1], self.format)
        if self.method == "gptq":
            integers = gptq(weight, damped, scales, self.format)
            integers = descend(weight, integers, scales, damped, self.format)
        else:
            integers = nearest(weight, wide, self.format)
        rounded = integers * wide
        self.whole[name] = integers.to(torch.int8), scales.half()
        self.errors.append(error_of(name, weight, rounded, hessian))
        module.weight.copy_(rounded)  # type: ignore[union-attr,operator]

    def packed(self) -> PackedModel:
        """The whole model as a file holds it."""
        floats = {}
        for name in stored_shapes(self.model.config).keys() - self.whole.keys():
            floats[name] = self.model.get_parameter(name).detach().float().numpy()
        matrices = {
            name: pack(integers.numpy(), scales.numpy(), self.format, parts_of(name))
            for name, (integers, scales) in self.whole.items()
        }
        return PackedModel(
            config=self.model.config, precision=self.precision, matrices=matrices, floats=dict(sorted(floats.items()))
        )


@torch.no_grad()
def quantize(
    model: GPT, tokens: Tensor, *, precision: str, method: Method = "gptq", tell: Tell = lambda name: None
) -> Quantized:
    """The model with its matrices in whole numbers, fitted to a text; `tell` hears the name of each matrix.

    Shapes: tokens (B, T)
    """
    return Quantizer(model, tokens, precision, method, tell).run()


def error_of(name: str, weight: Tensor, rounded: Tensor, hessian: Tensor) -> TensorError:
    """How far a matrix is from what it was."""
    error, product = weight - rounded, hessian.float()

    def size(change: Tensor) -> float:
        return max(0.0, float(((change @ product) * change).sum(dtype=torch.float64))) ** 0.5

    return TensorError(
        name=name,
        weight_error=float(error.norm() / weight.norm()) if weight.any() else 0.0,
        output_error=size(error) / size(weight) if size(weight) else 0.0,
    )


def _keep_mean(module: nn.Module, before: Tensor, moments: Moments) -> None:
    """Have the outputs the mean they had: the bias, which stays a float, makes up for what the weights lost."""
    lost = (before - module.weight).double() @ moments.mean  # type: ignore[operator]
    module.bias += lost.float()  # type: ignore[operator]


def _through(block: Block, x: Tensor, observer: Moments | None) -> Tensor:
    return block(x, torch.arange(x.shape[1])[None], None, None, observer)  # type: ignore[no-any-return]
