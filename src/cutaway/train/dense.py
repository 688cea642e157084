"""The multiplications of training on a CPU, by the fastest library, keeping nothing that is quickly made again."""

import platform
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cutaway.cache import KVCache
from cutaway.model import GPT, MLP, Attention, Block, Observer
from cutaway.train.gelu import bend_back, bent


def has_onednn() -> bool:
    """Whether PyTorch brings oneDNN for this processor, in a form that float32 can be given to."""
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return on_x86 and has_library and hasattr(torch.ops.mkldnn, "_linear_pointwise")


HAS_ONEDNN = has_onednn()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`. In float32 oneDNN takes up to a tenth less time than MKL, and half of it for a wide head.

    In other formats PyTorch asks oneDNN by itself.

    Shapes: x (…, in), weight (out, in), bias (out,) -> (…, out)
    """
    if HAS_ONEDNN and x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu":
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
    return F.linear(x, weight, bias)


def weight_gradients(grad: Tensor, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The gradients by a layer's weight and bias: here both libraries take the same time.

    Both are summed more exactly than `grad` is, and then rounded like it: a sum in `dtype` would copy all of it first.

    Shapes: grad (N, out), x (N, in) -> (out, in), (out,)
    """
    return (grad.T @ x).to(dtype), grad.sum(dim=0).to(dtype)


class Normed:
    """What a LayerNorm makes of `x`: a multiplication that gets this keeps `x`, which is kept anyway."""

    def __init__(self, norm: nn.LayerNorm, x: Tensor) -> None:
        self.norm, self.x, self.shape = norm, x, x.shape


def again(norm: nn.LayerNorm | None, x: Tensor, dtype: torch.dtype) -> Tensor:
    """The rows that were multiplied, from what was kept of them.

    Shapes: x (…, C) -> (N, C)
    """
    return x if norm is None else norm(x).to(dtype).flatten(0, -2)


class LinearFunction(torch.autograd.Function):
    """A linear layer that keeps its input in the multiplication's format, and of its weight no copy in that format."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, norm: nn.LayerNorm | None, weight: Tensor, bias: Tensor) -> Tensor:
        """Multiply in the format of `x`, which is `kept`, or what `norm` makes of that.

        Shapes: x (N, in), weight (out, in), bias (out,) -> (N, out)
        """
        ctx.norm = norm
        ctx.save_for_backward(kept, weight)
        return linear(x, weight.to(x.dtype), bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by input, weight and bias."""
        kept, weight = ctx.saved_tensors
        grad = grads[0]
        x = again(ctx.norm, kept, grad.dtype)
        return linear(grad, weight.to(x.dtype).T), None, None, *weight_gradients(grad, x, weight.dtype)


class MLPFunction(torch.autograd.Function):
    """Widen, bend, narrow. What was bent, the widest tensor of a layer, is made again on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, norm: nn.LayerNorm | None, *weights: Tensor) -> Tensor:
        """Multiply in the format of `x`, which is `kept`, or what `norm` makes of that.

        Shapes: x (N, C); weights (4C, C), (4C,), (C, 4C), (C,) -> (N, C)
        """
        fc, fc_bias, proj, proj_bias = weights
        wide = linear(x, fc.to(x.dtype), fc_bias.to(x.dtype))
        ctx.norm = norm
        ctx.save_for_backward(kept, wide, fc, proj)
        return linear(bent(wide), proj.to(x.dtype), proj_bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients by input, weights and biases."""
        kept, wide, fc, proj = ctx.saved_tensors
        wide_grad = linear(grads[0], proj.to(wide.dtype).T)
        bend_back(wide_grad, wide)
        proj_grads = weight_gradients(grads[0], wide, proj.dtype)
        fc_grads = weight_gradients(wide_grad, again(ctx.norm, kept, wide.dtype), fc.dtype)
        return linear(wide_grad, fc.to(wide.dtype).T), None, None, *fc_grads, *proj_grads


def applied(function: type[torch.autograd.Function], x: Tensor | Normed, *weights: Tensor) -> Tensor:
    """What the function makes of each position, in the number format of the multiplications around it.

    Shapes: x (…, in) -> (…, out)
    """
    norm = x.norm if isinstance(x, Normed) else None
    made = x.norm(x.x) if isinstance(x, Normed) else x
    kind = made.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else made.dtype
    rows = made.to(dtype).flatten(0, -2)
    kept = x.x.detach() if isinstance(x, Normed) else rows
    with torch.autocast(kind, enabled=False):
        out = function.apply(rows, kept, norm, *weights)  # type: ignore[no-untyped-call]
    return out.unflatten(0, x.shape[:-1])  # type: ignore[no-any-return]


def multiply_lean(model: GPT) -> None:
    """Let every layer multiply like this where gradients are wanted and nobody looks on."""
    for layer in model.modules():
        if isinstance(layer, Block):
            layer.forward = partial(block, layer)  # type: ignore[method-assign]
        if isinstance(layer, Attention):
            for projection in (layer.c_attn, layer.c_proj):
                projection.forward = partial(linear_layer, projection)  # type: ignore[method-assign]
        if isinstance(layer, MLP):
            layer.forward = partial(mlp, layer)  # type: ignore[method-assign]
    if model.config.tie_word_embeddings:
        model.wte.forward = partial(tied_embedding, model.wte)  # type: ignore[method-assign]


def multiply_as_usual(model: GPT) -> None:
    """Undo `multiply_lean`: a model that leaves the trainer is as it is written, for whatever is done with it next."""
    for module in model.modules():
        if getattr(vars(module).get("forward"), "func", None) in (block, linear_layer, mlp, tied_embedding):
            del module.forward


def tied_embedding(layer: nn.Embedding, idx: Tensor) -> Tensor:
    """The embeddings of tokens; on the way back few rows are added to the gradient that the weight has from the head.

    Not the module's own `sparse`: DDP would take that to mean that the sum is sparse, too.

    Shapes: idx (B, T) -> (B, T, C)
    """
    return F.embedding(idx, layer.weight, sparse=True)


def block(
    layer: Block, x: Tensor, positions: Tensor, mask: Tensor | None, cache: KVCache | None, observer: Observer | None
) -> Tensor:
    """A layer's output; what its LayerNorms make is not kept."""
    if observer is not None or not torch.is_grad_enabled():
        return Block.forward(layer, x, positions, mask, cache, observer)
    x = x + layer.attn(Normed(layer.ln_1, x), positions, mask, cache, observer)
    return x + layer.mlp(Normed(layer.ln_2, x), observer)  # type: ignore[no-any-return]


def linear_layer(layer: nn.Linear, x: Tensor | Normed) -> Tensor:
    """A linear layer's output."""
    if isinstance(x, Normed) or torch.is_grad_enabled():
        return applied(LinearFunction, x, layer.weight, layer.bias)
    return F.linear(x, layer.weight, layer.bias)


def mlp(layer: MLP, x: Tensor | Normed, observer: Observer | None) -> Tensor:
    """An MLP's output."""
    if isinstance(x, Normed) or (observer is None and torch.is_grad_enabled()):
        return applied(MLPFunction, x, layer.c_fc.weight, layer.c_fc.bias, layer.c_proj.weight, layer.c_proj.bias)
    return MLP.forward(layer, x, observer)
