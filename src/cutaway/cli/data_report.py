"""The report on prepared data, for people or for programs."""

from collections.abc import Callable
from pathlib import Path

from cutaway.cli import terminal
from cutaway.cli.table import Column, print_table
from cutaway.data import Report

BAR = 40


def show_report(report: Report, piece: Callable[[int], str], folder: Path, *, as_json: bool) -> None:
    """Print the figures; `piece` gives a token in printable form."""
    if as_json:
        common = [{"token": c.token, "piece": piece(c.token), "count": c.count} for c in report.most_frequent]
        never = [{"token": token, "piece": piece(token)} for token in report.never_used]
        figures = report.to_dict() | {"most_frequent": common, "never_used": never}
        terminal.print_json({"folder": str(folder), **figures})
        return
    show_splits(report)
    print()
    show_tokens(report, piece)
    print()
    show_lengths(report)


def show_splits(report: Report) -> None:
    """Documents and tokens of each split."""
    headings = ["split", "documents", "tokens", "bytes of text", "bytes/token"]
    rows = [
        (name, f"{t.n_documents:,}", f"{t.n_tokens:,}", f"{t.text_bytes:,}", f"{t.bytes_per_token:.2f}")
        for name, t in report.splits.items()
    ]
    print_table([Column(heading, right=heading != "split") for heading in headings], rows)


def show_tokens(report: Report, piece: Callable[[int], str]) -> None:
    """The commonest tokens, and those that never occur."""
    total = sum(totals.n_tokens for totals in report.splits.values())
    rows = [(repr(piece(c.token)), f"{c.count:,}", f"{100 * c.count / total:.2f}%") for c in report.most_frequent]
    print_table([Column("most frequent"), Column("count", right=True), Column("share", right=True)], rows)
    examples = f", such as {' '.join(repr(piece(token)) for token in report.never_used)}" if report.never_used else ""
    print(f"never used: {report.n_never_used:,} of {report.n_vocab:,} tokens{examples}")


def show_lengths(report: Report) -> None:
    """How long the documents are."""
    most = max((length.n_documents for length in report.lengths), default=1)
    rows = [
        (f"{b.from_tokens:,} to {b.below_tokens - 1:,}", f"{b.n_documents:,}", "█" * round(BAR * b.n_documents / most))
        for b in report.lengths
    ]
    print_table([Column("tokens in a document", right=True), Column("documents", right=True), Column("")], rows)
