"""A GPT in one file: it reads a text letter by letter, learns which letter comes next, and writes.

    python tiny_gpt.py                                 learns from Python's manual, which comes with Python
    python tiny_gpt.py story.txt --prompt "The king"   learns from a text of yours

It needs PyTorch and nothing else, and takes three minutes on one core of a CPU. In a free notebook (Colab, Kaggle), put
this file beside it and run `!python tiny_gpt.py`; a GPU is used if there is one. The network is GPT-2's, only small:
800,000 numbers to learn, not 124 million, and letters in place of tokens. Read it from top to bottom. In the shapes,
B is how many texts lie side by side, T how many letters each has, C how many numbers stand for a letter, V how many
different letters there are.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """How large the network is."""

    n_letters: int  # how many different letters the text has
    context: int = 64  # how many letters it sees at once
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128  # how many numbers stand for one letter on its way through the layers


class Letters:
    """Numbers for letters, and letters for numbers: the simplest tokenizer there is."""

    def __init__(self, text: str) -> None:
        self.known = sorted(set(text))
        self.number = {letter: i for i, letter in enumerate(self.known)}

    def encode(self, text: str) -> list[int]:
        if strange := sorted(set(text) - set(self.known)):
            raise SystemExit(f"the text to learn from has no {strange[0]!r}, so nothing can be said about it")
        return [self.number[letter] for letter in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.known[i] for i in ids)


class Attention(nn.Module):
    """Letters look back: each gathers from those before it what it has use for."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.n_head = shape.n_head
        self.look = nn.Linear(shape.n_embd, 3 * shape.n_embd)
        self.out = nn.Linear(shape.n_embd, shape.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        # What each letter looks for (q), what it can be found by (k), what it hands over (v): (B, heads, T, C / heads)
        q, k, v = (part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.look(x).split(C, dim=2))
        # softmax(q kᵀ / √d) v, where is_causal hides the letters to come.
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(found.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    """One layer: look back, then think about it. Each adds something to x; nothing is overwritten."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        C = shape.n_embd
        self.norm_1, self.attention = nn.LayerNorm(C), Attention(shape)
        self.norm_2 = nn.LayerNorm(C)
        self.think = nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(approximate="tanh"), nn.Linear(4 * C, C))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_1(x))
        return x + self.think(self.norm_2(x))


class TinyGPT(nn.Module):
    """The network: ids of letters in; out, for each place, a score for every letter that could come next."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.letter = nn.Embedding(shape.n_letters, shape.n_embd)  # what a letter is
        self.place = nn.Embedding(shape.context, shape.n_embd)  # where it stands
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        self.norm = nn.LayerNorm(shape.n_embd)
        self.apply(self._small)

    @staticmethod
    def _small(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.letter(ids) + self.place(torch.arange(ids.shape[1], device=ids.device))  # (B, T) -> (B, T, C)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.letter.weight.T  # (B, T, C) -> (B, T, V): how well does each letter fit?


def loss_of(model: TinyGPT, rows: Tensor) -> Tensor:
    """How surprised the model is by each next letter, on average, in nats: the one number that learning lowers."""
    return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def some_rows(text: Tensor, n_rows: int, length: int) -> Tensor:
    """Pieces cut from the text at random places."""
    starts = torch.randint(len(text) - length + 1, (n_rows, 1))
    return text[starts + torch.arange(length)]


def train(model: TinyGPT, text: Tensor, steps: int, rate: float = 3e-3, n_rows: int = 16) -> Iterator[float]:
    """Learn, and tell the loss of each step: guess, see how wrong that was, turn every number a little."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99))
    for step in range(steps):
        # Small steps while nothing is known, large ones then, small ones again to settle.
        share = min((step + 1) / 100, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = rate * share
        loss = loss_of(model, some_rows(text, n_rows, model.shape.context + 1).to(model.place.weight.device))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield loss.item()


@torch.no_grad()
def write(model: TinyGPT, ids: list[int], length: int, temperature: float = 0.8) -> Iterator[int]:
    """Go on from some letters, one at a time: ask what may come next, draw one, put it at the end, ask again."""
    ids = list(ids)
    for _ in range(length):
        seen = torch.tensor([ids[-model.shape.context :]], device=model.place.weight.device)
        chances = F.softmax(model(seen)[0, -1] / temperature, dim=-1)
        ids.append(int(torch.multinomial(chances, 1)))
        yield ids[-1]


def python_manual() -> str:
    """Half a million letters of English that every Python brings along: what `help("for")` and the like show."""
    from pydoc_data import topics

    return "\n".join(topics.topics.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a tiny GPT on a text, and let it write.")
    parser.add_argument("text", nargs="?", type=Path, help="a text file in UTF-8 (without one: Python's manual)")
    parser.add_argument("--steps", type=int, default=2000, help="how long to learn")
    parser.add_argument("--prompt", default="\n", help="what to go on from")
    parser.add_argument("--length", type=int, default=600, help="how many letters to write")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another text")
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    text = options.text.read_text(encoding="utf-8") if options.text else python_manual()
    letters = Letters(text)
    prompt = letters.encode(options.prompt or "\n")
    model = TinyGPT(Shape(n_letters=len(letters.known)))
    # The last tenth is kept back: only a text that was not learned from shows what was understood.
    ids, n_learned = torch.tensor(letters.encode(text)), len(text) * 9 // 10
    if len(ids) - n_learned <= model.shape.context:
        raise SystemExit(f"{len(text):,} letters are too few to learn from; take a text of 10,000 or more")
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    n_numbers = sum(parameter.numel() for parameter in model.parameters())
    print(f"{len(text):,} letters, {len(letters.known)} of them different; {n_numbers:,} numbers to learn")

    start = time.monotonic()
    for step, loss in enumerate(train(model, ids[:n_learned], options.steps), start=1):
        if step == 1 or step % 100 == 0 or step == options.steps:
            print(f"step {step:5}   loss {loss:.3f}   {time.monotonic() - start:4.0f} s", flush=True)
    with torch.no_grad():
        unseen = some_rows(ids[n_learned:], 64, model.shape.context + 1).to(model.place.weight.device)
        print(f"loss on the part kept back: {loss_of(model, unseen):.3f}\n")
    print(options.prompt, end="")
    for i in write(model, prompt, options.length):
        print(letters.decode([i]), end="", flush=True)
    print()


if __name__ == "__main__":
    main()
