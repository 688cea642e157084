"""An engine that guesses by looking up what was said, against one that does not: is it ever slower?

    python -m benchmarks.foresight [--model fable | --preset gpt2] [--precision int8] [--streams 1 4 16]
        [--texts code "a list" ordinary greedy drawn] [--tokens 96] [--rounds 5] [--json]

So many samples are written at the same moment, until three times as many are; they are unequally long. Given texts are
said whatever the network thinks of them, so that random weights can be measured too: what a network answers is bent to
the token that comes next, after all has been read. `greedy` and `drawn` are what the network itself writes; greedily,
random weights repeat themselves. Both engines are asserted to say the same. They take turns, and ratios are medians of
those of the rounds.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.checkpoints import random_checkpoint
from benchmarks.speculation import TEXTS
from benchmarks.timing import environment, interleaved, median_ratio, report
from cutaway.engine import Engine, EngineLimits, Request, Runner
from cutaway.engine.runner import runner_of
from cutaway.generate import Speculation
from cutaway.native import PRECISIONS, NativeModel
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.native import load_native
from cutaway.weights.tokenizer import load_tokenizer

PROMPT_TOKENS = 96
TURNS = 3
GIVEN = ("code", "a list", "ordinary")
WRITTEN = {"greedy": {"temperature": 0.0}, "drawn": {}}


class Reciter:
    """A runner over another whose samples say given texts, a text for each prompt."""

    def __init__(self, runner: Runner, texts: Sequence[Sequence[int]]) -> None:
        self.runner, self.slots, self.context, self.vocab_size = runner, runner.slots, runner.context, runner.vocab_size
        self.copies = {tuple(text[:PROMPT_TOKENS]): text for text in texts}
        self.held: list[list[int]] = [[] for _ in range(runner.slots)]

    def read(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], answers: Sequence[int]) -> NDArray[Any]:
        """What the other reads, with the text's next token the likeliest after each."""
        logits, row = self.runner.read(slots, tokens, answers), 0
        for slot, new, count in zip(slots, tokens, answers, strict=True):
            self.held[slot].extend(new)
            text = self.copies.get(tuple(self.held[slot][:PROMPT_TOKENS]), ())
            for place in range(len(self.held[slot]) - count + 1, len(self.held[slot]) + 1):
                if place < len(text):
                    logits[row, text[place]] += 1e4
                row += 1
        return logits

    def copy(self, source: int, target: int, tokens: int) -> None:
        """The other's."""
        self.runner.copy(source, target, tokens)
        self.held[target] = self.held[source][:tokens]

    def truncate(self, slot: int, tokens: int) -> None:
        """The other's."""
        self.runner.truncate(slot, tokens)
        del self.held[slot][tokens:]


def windows(ids: Sequence[int], count: int, length: int) -> list[Sequence[int]]:
    """So many parts of a text, from its beginning to its end."""
    starts = np.linspace(0, len(ids) - length, count).astype(int)
    return [ids[start : start + length] for start in starts]


def lengths(tokens: int, count: int) -> list[int]:
    """How much each of some samples says: from two thirds of so many tokens to a third more."""
    return [tokens * (2 + i % 3) // 3 for i in range(count)]


def writing(
    model: NativeModel, tokenizer: AnyTokenizer, name: str, streams: int, tokens: int, speculation: Speculation | None
) -> Callable[[], list[list[int]]]:
    """Everything that some samples say, by an engine that lives as long as a server's."""
    ids = tokenizer.encode(TEXTS.get(name, TEXTS["ordinary"]))
    texts = windows(ids, TURNS * streams, PROMPT_TOKENS + max(lengths(tokens, TURNS * streams)))
    limits = EngineLimits(max_running=streams, max_kept=0)
    runner: Runner = runner_of(model, limits.slots)
    if name in GIVEN:
        runner = Reciter(runner, texts)
    engine = Engine(runner, tokenizer, limits, speculation=speculation)
    params = SamplingParams(ignore_eot=True, seed=0, **WRITTEN.get(name, {}))
    requests = [
        Request(prompt=tuple(text[:PROMPT_TOKENS]), params=params.replace(max_tokens=length))
        for text, length in zip(texts, lengths(tokens, len(texts)), strict=True)
    ]

    def run() -> list[list[int]]:
        return [[step.token for step in outcome.steps[0]] for outcome in engine.run(requests)]

    return run


def contest(
    model: NativeModel, tokenizer: AnyTokenizer, name: str, streams: int, args: argparse.Namespace
) -> dict[str, Any]:
    """Tokens a second without guesses, the ratio with them, and what came of those of the last round."""
    speculation = Speculation()
    tasks = {
        way: writing(model, tokenizer, name, streams, args.tokens, guesses)
        for way, guesses in (("off", None), ("lookup", speculation))
    }
    assert tasks["off"]() == tasks["lookup"](), "speculation changed a text"
    before, tally = (speculation.tally.guessed, speculation.tally.right), speculation.tally
    seconds = interleaved(tasks, args.rounds)
    runs = args.rounds + 1
    ratios = sorted(a / b for a, b in zip(seconds["off"], seconds["lookup"], strict=True))
    return {
        "text": name,
        "streams": streams,
        "off_tokens_per_s": sum(lengths(args.tokens, TURNS * streams)) / sorted(seconds["off"])[args.rounds // 2],
        "ratio": median_ratio(seconds["off"], seconds["lookup"]),
        "ratios": ratios,
        "guessed": (tally.guessed - before[0]) // runs,
        "right": (tally.right - before[1]) // runs,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fable")
    parser.add_argument("--preset", help="random weights of this shape, such as gpt2")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--texts", nargs="+", default=[*GIVEN, *WRITTEN], choices=[*GIVEN, *WRITTEN])
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with ExitStack() as stack:
        source = stack.enter_context(random_checkpoint(args.preset)) if args.preset else args.model
        model = stack.enter_context(load_native(source, precision=args.precision))
        tokenizer = load_tokenizer(source)
        rows = [contest(model, tokenizer, name, n, args) for name in args.texts for n in args.streams]
    lines = [f"{'':10} {'streams':>7} {'off, tokens/s':>14} {'lookup':>7} {'from, to':>13}  right of guessed"]
    for row in rows:
        spread = f"{row['ratios'][0]:.2f}, {row['ratios'][-1]:.2f}"
        lines.append(
            f"{row['text']:10} {row['streams']:>7} {row['off_tokens_per_s']:>14.1f} {row['ratio']:>7.2f} {spread:>13}"
            f"  {row['right']} of {row['guessed']}"
        )
    report({"rows": rows, "environment": environment()} | vars(args), lines, args.json)


if __name__ == "__main__":
    main()
