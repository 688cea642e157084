"""Reading ahead against reading token by token, with the bundled model and with random weights of a published shape.

    python -m benchmarks.speculation [--preset gpt2] [--precision int8] [--tokens 192] [--batch 1] [--rounds 5] [--json]

`replayed`: given texts are said token by token, whatever the network thinks of them, so that one of random weights can
be measured too; the logits are asserted to be the same bits. `written`: a model writes, greedily and by drawing; the
texts are asserted to be the same. How often the draft is right is a fact of trained weights for the bundled model only:
random ones agree with their own rounding less. Contestants take turns and ratios are medians of those of the rounds:

    off      one token at a time
    lookup   guesses from the text itself
    draft    guesses by the same network at 4 bits
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, report, with_ratio
from cutaway.generate import Speculation, generate
from cutaway.generate.read_ahead import reading_ahead
from cutaway.generate.reading import reader_of
from cutaway.generate.sample import Sample
from cutaway.native import PRECISIONS, NativeModel
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import AnyTokenizer, Tokenizer
from cutaway.weights.native import load_native
from cutaway.weights.tokenizer import load_tokenizer

HERE = Path(__file__).parents[1]
PROMPT_TOKENS = 128
PROSE = (HERE / "CONTRIBUTING.md").read_text(encoding="utf-8")
TEXTS = {
    "code": (HERE / "src/cutaway/sampling/processors.py").read_text(encoding="utf-8"),
    "a list": "\n".join(f"- name: item-{n}\n  colour: {c}\n  price: {n * 7 % 90} euro"
                        for n, c in enumerate(["red", "green", "blue", "grey"] * 30)),
    "quoting": PROSE[2000:3200] + "\n\nIn short, the text says:\n\n" + PROSE[2000:3200],
    "ordinary": PROSE,
}  # fmt: skip
PROMPTS = {
    "greedy": ("Once upon a time", {"temperature": 0}),
    "drawn": ("Once upon a time", {"seed": 0}),
    "drawn at 1": ("Once upon a time", {"seed": 1, "temperature": 1, "top_p": 1}),
}

WAYS = ("lookup", "draft")

Ways = dict[str, Callable[[], Speculation | None]]


def replayed(model: NativeModel, tokenizer: AnyTokenizer, ways: Ways, args: argparse.Namespace) -> dict[str, Any]:
    """Each given text, said in every way."""
    rows = {}
    for name, text in TEXTS.items():
        ids = tokenizer.encode(text)
        prompt, said = ids[: len(ids) - args.tokens][-PROMPT_TOKENS:], ids[-args.tokens :]
        if name == "quoting":
            # All of the source is in the prompt, and the quotation is said.
            prompt = ids[: len(ids) - args.tokens]
        tasks = {way: saying(model, tokenizer, prompt, said, make, args.batch) for way, make in ways.items()}
        rows[name] = contest(tasks, args.rounds, args.batch * args.tokens)
    return rows


def saying(
    model: NativeModel,
    tokenizer: AnyTokenizer,
    prompt: Sequence[int],
    said: Sequence[int],
    make: Callable[[], Speculation | None],
    batch: int,
) -> Callable[[], tuple[Any, Speculation | None]]:
    """The generation loop with its choices made beforehand; a token is chosen each time nevertheless."""
    params = SamplingParams(max_tokens=len(said), temperature=0.8, ignore_eot=True)

    def run() -> tuple[Any, Speculation | None]:
        speculation = make()
        reader = reader_of(model, params)
        logits = reader.prefill([prompt] * batch)
        samples = [Sample(prompt, params, tokenizer, seed=n, prompt=n) for n in range(batch)]
        following = reading_ahead(reader, samples, speculation) if speculation else reader
        digest = []
        for token in said:
            for sample, row in zip(samples, logits, strict=True):
                digest.append(sample.foresee(row))
                sample.generated.append(token)
            logits = following.decode([token] * batch)
        return [digest, logits.tobytes()], speculation

    return run


def written(model: NativeModel, tokenizer: AnyTokenizer, ways: Ways, args: argparse.Namespace) -> dict[str, Any]:
    """Each prompt, continued in every way."""
    rows = {}
    for name, (prompt, options) in PROMPTS.items():
        params = SamplingParams(max_tokens=args.tokens, ignore_eot=True, n=args.batch, **options)
        tasks = {way: writing(model, tokenizer, prompt, params, make) for way, make in ways.items()}
        rows[name] = contest(tasks, args.rounds, args.batch * args.tokens)
    return rows


def writing(
    model: NativeModel,
    tokenizer: AnyTokenizer,
    prompt: str,
    params: SamplingParams,
    make: Callable[[], Speculation | None],
) -> Callable[[], tuple[Any, Speculation | None]]:
    """The whole of `generate`."""

    def run() -> tuple[Any, Speculation | None]:
        speculation = make()
        return generate(model, tokenizer, [tokenizer.encode(prompt)], params, speculation), speculation

    return run


def contest(tasks: dict[str, Callable[[], Any]], rounds: int, tokens: int) -> dict[str, Any]:
    """Tokens a second and ratios to `off`, after everybody gave the same result."""
    results = {way: run() for way, run in tasks.items()}
    assert all(result == results["off"][0] for result, _ in results.values()), "speculation changed a text"
    seconds = interleaved(tasks, rounds)
    return {
        way: {
            "tokens_per_s": tokens / statistics.median(times),
            "ratio": median_ratio(seconds["off"], times),
            "guessed": results[way][1].tally.guessed if results[way][1] else 0,
            "right": results[way][1].tally.right if results[way][1] else 0,
        }
        for way, times in seconds.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", help="measure random weights of this shape too, such as gpt2")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS)
    parser.add_argument("--tokens", type=int, default=192)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result: dict[str, Any] = {}
    with load_native("fable", precision=args.precision) as model, load_native("fable", precision="int4") as draft:
        tokenizer = load_tokenizer("fable")
        result["fable, written"] = written(model, tokenizer, ways(draft), args)
        result["fable, replayed"] = replayed(model, tokenizer, ways(), args)
    if args.preset:
        with random_checkpoint(args.preset) as folder, load_native(folder, precision=args.precision) as model:
            result[f"{args.preset}, replayed"] = replayed(model, Tokenizer.gpt2(), ways(), args)
            with load_native(folder, precision="int4") as draft:
                result[f"{args.preset}, written"] = written(model, Tokenizer.gpt2(), ways(draft), args)
    lines = [f"{'tokens a second (and how many times off)':40}{'off':>10}{'lookup':>16}{'draft':>16}  guesses right"]
    for of, rows in result.items():
        for name, row in rows.items():
            cells = [with_ratio(row[way]["tokens_per_s"], row[way]["ratio"]) if way in row else "" for way in WAYS]
            right = ", ".join(f"{way} {row[way]['right']}/{row[way]['guessed']}" for way in WAYS if way in row)
            line = f"{of + ': ' + name:40}{row['off']['tokens_per_s']:>10.1f}"
            lines.append(line + "".join(f"{cell:>16}" for cell in cells) + f"  {right}")
    report({**result, "environment": environment()}, lines, args.json)


def ways(draft: NativeModel | None = None) -> Ways:
    """All contestants; with a draft only where a network writes what it would write."""
    made: Ways = {"off": lambda: None, "lookup": Speculation}
    return made if draft is None else {**made, "draft": lambda: Speculation(draft=draft, most=4)}


if __name__ == "__main__":
    main()
