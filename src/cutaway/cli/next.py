"""`cutaway next`: what the model expects along a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from cutaway.cli import loading, source_text, terminal
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions, Text
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.generate import Prediction, TokenScore

BAR_WIDTH = 40


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class NextOptions:
    """Where the text comes from, and what is shown."""

    file: Path | None = None
    """Read the text from a file; its final line end is dropped."""
    top: Count = 5
    """How many of the likeliest tokens to show."""
    last: Flag = False
    """Show only what follows the whole text."""
    json: Flag = False
    """Print JSON."""


def next_tokens(text: Text = None, /, *, model: ModelOptions | None = None, options: NextOptions | None = None) -> None:
    """Show for each token how surprising it was, in bits, its rank, and which tokens the model expects after it."""
    from cutaway.sampling.params import MAX_LOGPROBS, check_count  # brings numpy, which help must not wait for

    options = options or NextOptions()
    check_count("top", options.top, 1, MAX_LOGPROBS)
    content = source_text.required_text(text, options.file)
    if text is None:
        content = source_text.without_final_newline(content)
    scores = loading.load(model or ModelOptions()).next_tokens(content, options.top)
    if options.json:
        shown = scores[-1:] if options.last else scores
        terminal.print_json({"text": content, "tokens": [score.to_dict() for score in shown]})
    elif options.last:
        print_bars(scores[-1].predictions)
    else:
        print_scores(scores)


def print_scores(scores: Sequence["TokenScore"]) -> None:
    """One row a token."""
    columns = [Column("token"), Column("bits", right=True), Column("rank", right=True), Column("expected next")]
    rows = [
        (
            score.piece,
            "" if score.surprise_bits is None else f"{score.surprise_bits:.2f}",
            "" if score.rank is None else f"{score.rank:,}",
            "  ".join(f"{expected.piece} {expected.probability:.1%}" for expected in score.predictions),
        )
        for score in scores
    ]
    print_table(columns, rows)


def print_bars(predictions: Sequence["Prediction"]) -> None:
    """One bar a token, as long as it is likely."""
    columns = [Column("token"), Column("probability", right=True), Column("")]
    rows = [(p.piece, f"{p.probability:.2%}", "█" * round(BAR_WIDTH * p.probability)) for p in predictions]
    print_table(columns, rows)
