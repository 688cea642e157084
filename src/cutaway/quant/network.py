"""A network's matrices as whole numbers, layer after layer.

A layer's inputs are taken where everything before it is rounded already, so that it is fitted to what it will read. The
embedding is first, since all else reads it; where it is the head too, its inputs are the final states of the network as
it was.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cutaway.model import GPT, Observer
from cutaway.native.packed import FORMATS, pack
from cutaway.quant.fit import Method, fit
from cutaway.quant.moments import moments_at
from cutaway.quant.rounding import of_each_input
from cutaway.weights.names import HEAD, stored_shapes
from cutaway.weights.packed_file import parts_of
from cutaway.weights.save_packed import PackedModel

READS = {"attn.c_attn": "ln_1", "attn.c_proj": "z", "mlp.c_fc": "ln_2", "mlp.c_proj": "mlp_post"}
"""Where each matrix's inputs can be seen, in the order of the layer."""

EMBEDDING = 0.3
"""How much the embedding counts beside the head, where they are one matrix."""

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
        self.precision, self.method, self.tell = precision, method, tell
        self.batches = list(torch.split(tokens, max(1, BATCH_TOKENS // tokens.shape[1])))
        self.whole: dict[str, tuple[Tensor, Tensor]] = {}
        self.errors: list[TensorError] = []

    def run(self) -> Quantized:
        """Round everything, in the order in which it is read."""
        model, tied = self.model, self.model.config.tie_word_embeddings
        states = moments_at("ln_f", lambda idx, observer: model.hidden(idx, observer=observer), self.batches)
        self.round("wte.weight", _also_read(states.products) if tied else torch.eye(model.config.n_embd).double())
        x = [model.wte(idx) + model.wpe.weight[: idx.shape[1]] for idx in self.batches]
        for number, block in enumerate(model.h):
            self.round_layer(number, block, x)
            x = [_through(block, part, None) for part in x]
        if not tied:
            self.tell("lm_head")
            self.round(HEAD, moments_at("ln_f", lambda part, listen: listen("ln_f", model.ln_f(part)), x).products)
        return Quantized(model=model, packed=self.packed(), errors=tuple(self.errors))

    def round_layer(self, number: int, block: nn.Module, x: list[Tensor]) -> None:
        """Round a layer's matrices, each fitted to what it reads behind the ones before it."""
        for module, point in READS.items():
            name = f"h.{number}.{module}"
            self.tell(name)
            moments = moments_at(f"h.{number}.{point}", lambda part, observer: _through(block, part, observer), x)
            lost = self.round(f"{name}.weight", moments.covariance)
            # So that the outputs have the mean they had: the bias, which stays a float, makes up for the weights.
            self.model.get_parameter(f"{name}.bias").add_((lost.double() @ moments.mean).float())
            if module == "attn.c_attn":
                self.centre_keys(name, moments.mean)

    def centre_keys(self, name: str, mean: Tensor) -> None:
        """Give a layer's keys a bias with which their mean is zero, for a cache that keeps them in bytes.

        The same added to all keys adds the same to all scores of a query, so that attention is what it was.

        Shapes: mean (C,)
        """
        weight, bias = self.model.get_parameter(f"{name}.weight"), self.model.get_parameter(f"{name}.bias")
        keys = slice(len(mean), 2 * len(mean))
        bias[keys] = -(weight[keys].double() @ mean).float()

    def round(self, name: str, hessian: Tensor) -> Tensor:
        """Put what its whole numbers stand for in the place of a matrix; what it has lost.

        Shapes: hessian (in, in) -> (out, in)
        """
        parameter = self.model.get_parameter(name)
        weight = parameter.detach().clone()
        integers, scales = fit(weight, hessian, FORMATS[self.precision], self.method)
        rounded = integers * of_each_input(scales, weight.shape[1], FORMATS[self.precision])
        parameter.copy_(rounded)
        self.whole[name] = integers.to(torch.int8), scales.half()
        self.errors.append(error_of(name, weight, rounded, hessian))
        return weight - rounded

    def packed(self) -> PackedModel:
        """The whole model as a file holds it."""
        floats = {}
        for name in stored_shapes(self.model.config).keys() - self.whole.keys():
            floats[name] = self.model.get_parameter(name).detach().float().numpy()
        matrices = {
            name: pack(integers.numpy(), scales.numpy(), FORMATS[self.precision], parts_of(name))
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
        return math.sqrt(max(0.0, float(((change @ product) * change).sum(dtype=torch.float64))))

    return TensorError(
        name=name,
        weight_error=float(error.norm() / weight.norm()) if weight.any() else 0.0,
        output_error=size(error) / size(weight) if size(weight) else 0.0,
    )


def _also_read(products: Tensor) -> Tensor:
    """For a head that is the embedding too: what a row is off by counts as such as well, when its token is read."""
    return products + EMBEDDING * products.diagonal().mean() * torch.eye(len(products)).double()


def _through(block: nn.Module, x: Tensor, observer: Observer | None) -> Tensor:
    after: Tensor = block(x, torch.arange(x.shape[1])[None], None, None, observer)
    return after
