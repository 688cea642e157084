"""Train the smallest model that has induction heads, on nothing but random tokens that repeat.

    python -m scripts.train_induction [--steps 3000] [--out tests/induction]

Each row is a random sequence of random length, said again and again until the context is full: the only way to do
better than chance is to find what followed the same token before. It takes some minutes on one core. The result,
about 110 kB, is what the tests of the head detector look at.
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

CONFIG = GPTConfig(block_size=32, vocab_size=32, n_layer=2, n_head=4, n_embd=64, n_inner=64)
SHORTEST, LONGEST = 4, 15
BATCH = 64
LEARNING_RATE, WARMUP = 3e-3, 100
SPREAD = 6
"""Times the published initial weights, 0.12 in all, about 1/√64: at 0.02 so narrow a network hardly starts to learn."""


def batch_of(generator: torch.Generator) -> Tensor:
    """Rows that each repeat a random sequence of its own length, which no fixed distance gives away.

    Shapes: -> (BATCH, block_size)
    """
    tokens = torch.randint(CONFIG.vocab_size, (BATCH, CONFIG.block_size), generator=generator)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (BATCH, 1), generator=generator)
    return tokens.gather(1, torch.arange(CONFIG.block_size)[None] % lengths)


def train(steps: int, seed: int = 0) -> GPT:
    """The loop, plainly."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = GPT(CONFIG)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=parameter.std().item() * SPREAD)
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
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", default="tests/induction")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = train(args.steps)
    found = detect_heads(model, length=12)
    print(
        f"loss {found.first_loss:.2f} nats at first, {found.repeated_loss:.2f} when repeated; chance {found.chance:.3f}"
    )
    for kind in found.scores.axis("kind").labels:
        print(kind, [f"{row['layer']}.{row['head']} {row['value']:.2f}" for row in found.best(str(kind), 3)])
    save_model(model, args.out, dtype=torch.float16, overwrite=True)


if __name__ == "__main__":
    main()
