"""`cutaway inspect surprise`: a text, coloured by how surprising each token was."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cutaway.cli import loading, terminal
from cutaway.cli.inspect.options import DEFAULT_TEXT, Files, Text, TextOptions
from cutaway.cli.inspect.report import deliver, table_of
from cutaway.cli.options import ModelOptions
from cutaway.cli.shades import ground
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.language_model import LanguageModel
    from cutaway.pages import View

STRONGEST_BITS = 16.0
"""Where the colour is full: one of 65,536 equally likely tokens."""

ALTERNATIVES = 5


def surprise(
    text: Text = None,
    /,
    *,
    model: ModelOptions | None = None,
    source: TextOptions | None = None,
    files: Files | None = None,
) -> None:
    """Colour a text of any length by how surprising each token was, in bits; in a pipe, print a row a token."""
    source, files = source or TextOptions(), files or Files()
    files.check()
    given = source.read(text)
    gpt = loading.load(model or ModelOptions())
    deliver(SurpriseReport(gpt, source.ids(gpt, DEFAULT_TEXT if given is None else given)), files)


class SurpriseReport:
    """What the model made of a text."""

    def __init__(self, gpt: "LanguageModel", ids: Sequence[int]) -> None:
        from cutaway.inspect import surprise as measure

        self.gpt, self.ids = gpt, ids
        self.found = measure(gpt, ids)

    @property
    def pieces(self) -> list[str]:
        """The tokens in printable form."""
        return [str(label) for label in self.found.bits.axes[0].labels]

    @cached_property
    def texts(self) -> list[str]:
        """The tokens as they read."""
        return [self.gpt.tokenizer.decode([token]) for token in self.ids]

    @property
    def summary(self) -> str:
        """The whole text in a line."""
        n, mean = len(self.ids) - 1, self.found.mean_bits
        if not n:
            return "a single token follows nothing, so there is nothing to be surprised at"
        n_bytes = sum(len(self.gpt.tokenizer.token_bytes(token)) for token in self.ids[1:])
        return f"{mean:.2f} bits a token, perplexity {2**mean:,.1f}, {mean * n / n_bytes:.2f} bits a byte"

    def show(self) -> None:
        """The text in colours, or a table where there are none."""
        if terminal.has_colour():
            self._show_text()
        else:
            columns = [Column("token"), *(Column(name, right=True) for name in ("bits", "expected bits", "rank"))]
            print_table(columns, [self._row(place) for place in range(len(self.ids))])
        print(f"\n{self.summary}")

    def figure(self) -> Any:
        """The text in colours."""
        from cutaway.plots import draw_text

        title = f"How surprising each token was to {self.gpt.name}"
        return draw_text(self.found.bits.values, tokens=self.texts, title=title, unit="bits")

    def views(self) -> "Sequence[View]":
        """The text in colours, with what was expected in each token's place."""
        from cutaway.pages import text_view

        after = [
            [(expected.piece, expected.probability) for expected in score.predictions]
            for score in self.gpt.next_tokens(self.ids, ALTERNATIVES)
        ]
        ranks = [None if rank != rank else int(rank) for rank in self.found.rank.values.tolist()]
        title = f"Surprise of {self.gpt.name}"
        return [text_view(self.pieces, self.found.bits.values, ranks=ranks, expected=[[], *after[:-1]], title=title)]

    def csv(self) -> str:
        """A row for each token."""
        return table_of(self._rows())

    def json(self) -> Any:
        """The text in figures, and a row for each token."""
        mean = self.found.mean_bits
        return {"model": self.gpt.name, "mean_bits": mean if mean == mean else None, "tokens": self._rows()}

    def _rows(self) -> list[dict[str, Any]]:
        bits, expected, rank = (of.to_rows() for of in (self.found.bits, self.found.expected, self.found.rank))
        return [
            {
                "position": place,
                "token": token,
                "piece": piece,
                "bits": bits[place]["value"],
                "expected_bits": expected[place]["value"],
                "rank": None if rank[place]["value"] is None else int(rank[place]["value"]),
            }
            for place, (token, piece) in enumerate(zip(self.ids, self.pieces, strict=True))
        ]

    def _row(self, place: int) -> list[str]:
        if not place:
            return [self.pieces[place], "", "", ""]
        bits, expected, rank = (of.values[place] for of in (self.found.bits, self.found.expected, self.found.rank))
        return [self.pieces[place], f"{bits:.2f}", f"{expected:.2f}", f"{int(rank):,}"]

    def _show_text(self) -> None:
        from rich.console import Console
        from rich.text import Text as RichText

        line = RichText()
        for text, bits in zip(self.texts, self.found.bits.values.tolist(), strict=True):
            line.append(terminal.harmless(text), style=ground(bits / STRONGEST_BITS))
        Console().print(line, soft_wrap=False)
