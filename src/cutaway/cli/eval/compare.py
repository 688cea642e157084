"""`cutaway eval compare`: two evaluations of the same items, and whether they really differ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.options import OUTPUT, Json
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.evals.compare import Change
    from cutaway.evals.item_log import FinishedItems

Items = Annotated[Path, Parameter(help="What --items kept.")]


def compare(before: Items, after: Items, /, *, json: Annotated[Json, Parameter(group=OUTPUT)] = False) -> None:
    """Compare two evaluations of the same items: two models, or one at two precisions.

    Items are compared one by one, so the ± of the difference is much smaller than that of either side alone. p says
    how often chance alone would bring a difference as large.
    """
    from cutaway.evals import compare as comparison
    from cutaway.evals.item_log import FinishedItems

    one, other = FinishedItems.read(before), FinishedItems.read(after)
    changes, unlike = comparison.compare(one, other), list(comparison.differences(one, other))
    left_out = len(one.outcomes.keys() ^ other.outcomes.keys())
    if json:
        about = {"before": one.key, "after": other.key, "differences": unlike, "left_out": left_out}
        terminal.print_json({**about, "measures": [change.to_dict() for change in changes]})
        return
    show(one, other, changes)
    for difference in unlike:
        print(f"\nnot the same: {difference}")
    if left_out:
        print(f"\n{left_out:,} items that only one of them has finished are left out")


def show(one: "FinishedItems", other: "FinishedItems", changes: "list[Change]") -> None:
    """A row for each measure."""
    print(f"{one.key['evaluation']}, {changes[0].of:,} items\nbefore  {model(one.key)}\nafter   {model(other.key)}\n")
    names = ("before", "after", "difference", "±", "better", "worse", "p")
    columns = [Column("measure"), *(Column(name, right=True) for name in names)]
    print_table(columns, [row(change) for change in changes])


def model(key: dict[str, Any]) -> str:
    """Which model, and in which number format."""
    return f"{key.get('model', 'unknown')} in {key.get('dtype', 'an unknown format')}"


def row(change: "Change") -> list[str]:
    """A measure of both, shares in %."""
    share = change.measure.unit == "share"
    scale, digits = (100, 2) if share else (1, 4)
    name = f"{change.measure.name}, {'%' if share else change.measure.unit}"
    sides = [f"{scale * value:.{digits}f}" for value in (change.before, change.after)]
    error = "–" if change.stderr is None else f"{scale * change.stderr:.{digits}f}"
    counts = [f"{change.better:,}", f"{change.worse:,}"]
    p = "–" if change.p_value is None else f"{change.p_value:.2g}"
    return [name, *sides, f"{scale * change.difference:+.{digits}f}", error, *counts, p]
