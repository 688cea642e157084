"""`cutaway explain`: the forward pass, step by step, by hand and checked against the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Parameter

from cutaway.cli import loading, terminal
from cutaway.cli.inspect.options import Text, TextOptions
from cutaway.cli.inspect.screen import room
from cutaway.cli.next import print_bars
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions
from cutaway.cli.table import Column, print_table, width

if TYPE_CHECKING:
    from cutaway.inspect import Step
    from cutaway.language_model import LanguageModel

EXAMPLE = "Once upon a time"
SHOWN_NUMBERS, FEWER_NUMBERS = 4, 2


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """What is shown."""

    all: Flag = False
    """Say what happens in every layer, not only in the first."""
    top: Count = 5
    """How many of the likeliest next tokens to show."""
    json: Flag = False
    """Print JSON."""


def explain(
    text: Text = None,
    /,
    *,
    model: ModelOptions | None = None,
    source: TextOptions | None = None,
    options: ExplainOptions | None = None,
) -> None:
    """Walk through the network for a text: each step with its formula, its shape and its first numbers.

    Everything is worked out from the weights with plain operations, and at each step compared with what the model
    itself computes: the last column is the largest difference.
    """
    from cutaway.sampling.params import MAX_LOGPROBS, check_count  # brings numpy, which help must not wait for

    source, options = source or TextOptions(), options or ExplainOptions()
    check_count("top", options.top, 1, MAX_LOGPROBS)
    given = source.read(text)
    gpt = loading.load(model or ModelOptions())
    from cutaway.inspect import steps

    ids = source.ids(gpt, EXAMPLE if given is None else given)
    found = list(steps(gpt, ids))
    if options.json:
        print_json(gpt, ids, found, options.top)
        return
    print_tokens(gpt, ids)
    print_steps(gpt, found, every=options.all)
    print_end(gpt, ids, found, options.top)


def print_json(gpt: "LanguageModel", ids: Sequence[int], found: "Sequence[Step]", top: int) -> None:
    """Everything, ready for other programs."""
    tokens = [{"token": token, "piece": piece} for token, piece in zip(ids, gpt.tokenizer.pieces(ids), strict=True)]
    following = [score.to_dict() for score in gpt.next_tokens(ids, top)]
    steps = [step.to_dict() for step in found]
    terminal.print_json({"model": gpt.name, "tokens": tokens, "steps": steps, "next": following})


def print_tokens(gpt: "LanguageModel", ids: Sequence[int]) -> None:
    """The text as the model gets it."""
    config = gpt.config
    print(f"1. The text is cut into tokens; each has a number (T = {len(ids)} of them)\n")
    rows = [
        (str(place), piece, str(token))
        for place, (piece, token) in enumerate(zip(gpt.tokenizer.pieces(ids), ids, strict=True))
    ]
    print_table([Column("place", right=True), Column("token"), Column("id", right=True)], rows)
    print(
        f"\nC = {config.n_embd} channels, H = {config.n_head} heads of D = {config.head_size}, "
        f"M = {config.mlp_size:,} neurons, V = {config.vocab_size:,} tokens"
    )


def print_steps(gpt: "LanguageModel", found: "Sequence[Step]", *, every: bool) -> None:
    """The steps, grouped: before the layers, each layer, after them. The numbers are the last token's."""
    groups: dict[str, list[Step]] = {}
    for step in found:
        groups.setdefault(place_of(step.name), []).append(step)
    for number, (place, some) in enumerate(groups.items(), 2):
        print(f"\n{number}. {TITLES.get(place, f'{place.capitalize()}')}\n")
        explained = every or place in TITLES or place == "layer 0"
        columns, rows = COLUMNS[: None if explained else -1], [row(step, explained=explained) for step in some]
        if width(columns, rows) > room():
            # The formula goes first: what happens says nearly as much.
            rows = [row(step, explained=explained, numbers=FEWER_NUMBERS) for step in some]
            columns, rows = [columns[0], *columns[2:]], [[cells[0], *cells[2:]] for cells in rows]
        print_table(columns, rows)


COLUMNS = [
    Column("step"),
    Column("formula"),
    Column("shape", right=True),
    Column("last token's first numbers"),
    Column("difference", right=True),
    Column("what happens"),
]

TITLES = {
    "tables": "Each token becomes a row of numbers",
    "head": "The end of the stream becomes a guess at the next token",
}


def place_of(name: str) -> str:
    """The part of the network that a step belongs to."""
    if name.startswith("h."):
        return f"layer {name.split('.')[1]}"
    return "tables" if name in ("embed", "pos_embed") else "head"


def row(step: "Step", *, explained: bool, numbers: int = SHOWN_NUMBERS) -> list[str]:
    """A step in a line."""
    first = step.to_dict(numbers)["first_of_last_row"]
    difference = "" if step.difference is None else f"{step.difference:.1e}" if step.difference else "0"
    cells = [
        step.name.rpartition(".")[2],
        step.formula,
        " × ".join(f"{size:,}" for size in step.shape),
        " ".join(f"{number:8.4f}" for number in first) + " …",
        difference,
    ]
    return [*cells, step.what] if explained else cells


def print_end(gpt: "LanguageModel", ids: Sequence[int], found: "Sequence[Step]", top: int) -> None:
    """What comes out: the next-token table, and how exactly the steps agreed."""
    scores = gpt.next_tokens(ids, top)
    print("\nWhat the model finds likeliest after each token\n")
    columns = [Column("sequence given"), Column("next token"), Column("probability", right=True)]
    best = [(score.piece, score.predictions[0]) for score in scores]
    print_table(columns, [(piece, likely.piece, f"{likely.probability:.1%}") for piece, likely in best])
    print("\nand after the whole text\n")
    print_bars(scores[-1].predictions)
    worst = max((step for step in found if step.difference is not None), key=lambda step: step.difference or 0.0)
    print(
        f"\n{len(found)} steps by hand; the largest difference from the model's own numbers "
        f"is {worst.difference:.1e}, at {worst.name}"
    )
