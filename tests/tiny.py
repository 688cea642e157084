"""Models so small that a test can try everything with them, and a tokenizer to go with them."""

import torch

from cutaway.config import GPTConfig
from cutaway.tokenizer import Tokenizer
from peers import random_peer, twin_of

STORY = "Once upon a time there was a little fox. The fox met an owl, and the owl said: who are you? " * 3

TOKENIZER = Tokenizer.train([STORY], 272)
EOT = TOKENIZER.eot


def config(**changes) -> GPTConfig:
    """An odd little shape: three heads, a vocabulary that is a multiple of nothing convenient."""
    shape = {"block_size": 32, "vocab_size": TOKENIZER.n_vocab, "n_layer": 2, "n_head": 3, "n_embd": 24}
    return GPTConfig(**(shape | changes))


def twins(seed: int = 0, *, dtype: torch.dtype = torch.float32, eot: int | None = None, **changes):
    """Our model and the one of `transformers` with the same weights, sharp enough to have opinions.

    At its initial scale a tied model only repeats the last token; positions and layers must outweigh the embedding.
    With `eot`, that token is extreme: very likely at some places and impossible at others.
    """
    shape = config(**changes)
    peer = random_peer(shape, dtype=dtype, seed=seed)
    with torch.no_grad():
        peer.transformer.wpe.weight *= 3
        peer.transformer.ln_f.weight *= 4
        for layer in peer.transformer.h:
            for projection in (layer.attn.c_attn, layer.attn.c_proj, layer.mlp.c_fc, layer.mlp.c_proj):
                projection.weight *= 4
        if eot is not None:
            peer.lm_head.weight[eot] *= 2.5
    return twin_of(peer, shape), peer


def tiny_model(seed: int = 0, *, dtype: torch.dtype = torch.float64, eot: int | None = None, **changes):
    """Our model alone, in float64 so that no rounding can change a choice."""
    return twins(seed, dtype=dtype, eot=eot, **changes)[0]


def prompt_of(length: int, seed: int = 0, vocab_size: int = TOKENIZER.n_vocab - 1) -> list[int]:
    """Random token ids, none of them `<|endoftext|>`."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.randint(vocab_size, (length,), generator=generator).tolist()
