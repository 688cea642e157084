"""Native models with the weights of ours in PyTorch, and the shapes that try every path of the kernels."""

import numpy as np
import pytest
import torch

from cutaway.config import GPTConfig
from cutaway.model import GPT
from cutaway.native import NativeModel, available
from cutaway.weights.names import HEAD, is_transposed
from peers import random_peer, twin_of

needs_kernels = pytest.mark.skipif(not available(), reason=available().detail)

SHAPES = {
    "tiny": GPTConfig(block_size=7, vocab_size=11, n_layer=1, n_head=3, n_embd=6),
    "odd": GPTConfig(block_size=33, vocab_size=301, n_layer=3, n_head=5, n_embd=35),
    "whole blocks": GPTConfig(block_size=40, vocab_size=64, n_layer=2, n_head=2, n_embd=128),
    "heads of 80": GPTConfig(block_size=35, vocab_size=130, n_layer=2, n_head=2, n_embd=160),
    "heads of 48, untied": GPTConfig(
        block_size=20, vocab_size=65, n_layer=2, n_head=2, n_embd=96, n_inner=50, tie_word_embeddings=False
    ),
    "heads of 1": GPTConfig(block_size=18, vocab_size=17, n_layer=2, n_head=8, n_embd=8, layer_norm_epsilon=1e-3),
    "one head of 200": GPTConfig(block_size=17, vocab_size=100, n_layer=1, n_head=1, n_embd=200),
    "long": GPTConfig(block_size=600, vocab_size=50, n_layer=1, n_head=2, n_embd=64),
}


def plain_model(config: GPTConfig, seed: int = 0) -> GPT:
    """Our model in float64, with float32's numbers for weights."""
    return twin_of(random_peer(config, dtype=torch.float32, seed=seed).double(), config)


def calm_model(config: GPTConfig, seed: int = 0) -> GPT:
    """The same with attention that spreads: where it jumps from token to token, one rounding decides what is read."""
    model = plain_model(config, seed)
    with torch.no_grad():
        for layer in model.h:
            layer.attn.c_attn.weight *= 0.3
    return model


def arrays_of(model: GPT):
    """The weights as a checkpoint holds them."""
    for name, tensor in model.state_dict().items():
        if name != HEAD or not model.config.tie_word_embeddings:
            yield name, (tensor.T if is_transposed(name) else tensor).float().numpy()


def native_model(model: GPT, **options) -> NativeModel:
    """The same network in native hands."""
    return NativeModel(model.config, arrays_of(model), **options)


def tokens_of(config: GPTConfig, length: int | None = None, seed: int = 0) -> list[int]:
    """Random ids, by default as many as the context holds."""
    length = config.block_size if length is None else length
    return np.random.default_rng(seed).integers(config.vocab_size, size=length).tolist()


@torch.inference_mode()
def plain_logits(model: GPT, tokens: list[int]) -> np.ndarray:
    """The logits after every token."""
    return model(torch.tensor([tokens]))[0][0].numpy()


def all_logits(model: NativeModel, tokens: list[int]) -> np.ndarray:
    """The logits after every token, read at once."""
    return model.forward(model.cache(), [0], [tokens], [len(tokens)])
