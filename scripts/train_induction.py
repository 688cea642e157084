"""Train the smallest model that has induction heads, on nothing but random tokens that repeat.

    python -m scripts.train_induction [--steps 1000] [--out tests/induction]

Each row is made of a few random phrases, said again and again in random order: what a phrase begins with is chance,
and how it goes on can only be known from the last time, wherever that was. It takes two minutes on one core. The
result, 80 kB, is what the tests of the head detector look at.

One head of the lower layer starts out looking at the token before. Left to itself, so small a network finds that or
some other fixed distance (four and five, say, with the layer above looking five further on): it then copies just as
well, but not in the way that the papers describe. What is learned here is the layer above: to look for what followed.
"""

import argparse
import math
import sys
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.config import GPTConfig
from cutaway.inspect import detect_heads
from cutaway.model import GPT
from cutaway.weights import save_model

CONFIG = GPTConfig(
    block_size=32, vocab_size=32, n_layer=2, n_head=2, n_embd=64, n_inner=1, tie_word_embeddings=False
)  # fmt: skip
PHRASES, SHORTEST, LONGEST = 3, 2, 7
BATCH = 64
LEARNING_RATE, WARMUP = 3e-3, 100
WEIGHTS_STD = 0.12
"""About 1/√64: at the published 0.02 so narrow a network hardly starts to learn."""
POSITIONS_SIZE, SHARPNESS = 0.5, 3.0


def new_model() -> GPT:
    """Random weights, and a head in the lower layer that looks at the token before.

    Positions are sines and cosines in the channels of one head; turned by one step, they are those of the position
    before.
    """
    model = GPT(CONFIG)
    C, D = CONFIG.n_embd, CONFIG.head_size
    half = D // 2
    turns = torch.linspace(0.1, 2.8, half)
    angles = torch.arange(CONFIG.block_size)[:, None] * turns
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                # Half of it for the projections back into the stream: 1/√(2 n_layer), as published.
                parameter.normal_(std=WEIGHTS_STD / (2 if "c_proj" in name else 1))
        model.wte.weight[:, :D] = 0
        model.wpe.weight.zero_()
        model.wpe.weight[:, :D] = POSITIONS_SIZE * torch.cat([angles.sin(), angles.cos()], dim=1)
        query, key, _ = model.h[0].attn.c_attn.weight.split(C)
        query[:D], key[:D] = 0, 0
        at = torch.arange(half)
        query[at, at] = query[half + at, half + at] = turns.cos()
        query[at, half + at], query[half + at, at] = -turns.sin(), turns.sin()
        key[torch.arange(D), torch.arange(D)] = SHARPNESS
    return model


def batch_of(generator: torch.Generator) -> Tensor:
    """Rows of phrases in random order.

    Shapes: -> (BATCH, block_size)
    """

    def draw(*shape: int, low: int = 0, high: int) -> list:
        return torch.randint(low, high, (BATCH, *shape), generator=generator).tolist()

    tokens, lengths = draw(PHRASES, LONGEST, high=CONFIG.vocab_size), draw(PHRASES, low=SHORTEST, high=LONGEST + 1)
    orders = draw(CONFIG.block_size // SHORTEST, high=PHRASES)
    rows = [
        [token for phrase in order for token in said[phrase][: length[phrase]]][: CONFIG.block_size]
        for said, length, order in zip(tokens, lengths, orders, strict=True)
    ]
    return torch.tensor(rows)


def train(steps: int, seed: int) -> GPT:
    """The loop, plainly."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = new_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    start = time.perf_counter()
    for step in range(steps):
        rate = min(1, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * rate
        idx = batch_of(generator)
        logits, _ = model(idx[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), idx[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step:>5} loss {loss.item():.3f} {time.perf_counter() - start:5.0f} s", file=sys.stderr)
    return model.eval()


def main() -> None:
    """Train, look, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="tests/induction")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = train(args.steps, args.seed)
    found = detect_heads(model)
    losses = f"{found.first_loss:.2f} nats on random tokens, {found.repeated_loss:.2f} on their repetition"
    print(f"{losses}; a head that looks anywhere scores {found.chance:.2f}")
    for kind in found.scores.axis("kind").labels:
        best = [f"{row['layer']}.{row['head']} {row['value']:.2f}" for row in found.best(str(kind), 3)]
        print(f"{kind}: {', '.join(best)}")
    save_model(model, args.out, dtype=torch.float16, overwrite=True)


if __name__ == "__main__":
    main()
