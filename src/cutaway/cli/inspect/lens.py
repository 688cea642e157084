"""`cutaway inspect lens`: what the model would say if it stopped after each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.options import DEFAULT_TEXT, Files, Text, TextOptions
from cutaway.cli.inspect.report import deliver, table_of
from cutaway.cli.inspect.screen import Table, fitting
from cutaway.cli.options import OUTPUT, Count, ModelOptions
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.inspect import Lens
    from cutaway.labelled import Labelled
    from cutaway.language_model import LanguageModel
    from cutaway.pages import View

BITS = 1.4426950408889634
"""Bits in a nat."""


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class LensOptions:
    """What the colours and numbers are."""

    by: Literal["probability", "target", "entropy", "kl"] = "probability"
    """Of the likeliest token its probability; of the token that follows its log-probability; how undecided the layer
    is; or how far it is from what the model says in the end."""
    target: str | None = None
    """Follow the log-probability of this token instead of the one that follows, such as --target " fox"."""
    top: Count = 10
    """How many likely tokens a page, and JSON, know of each cell."""


def lens(
    text: Text = None,
    /,
    *,
    model: ModelOptions | None = None,
    source: TextOptions | None = None,
    options: LensOptions | None = None,
    files: Files | None = None,
) -> None:
    """Show for each token what the model would say next if it stopped after each layer: the logit lens."""
    source, options, files = source or TextOptions(), options or LensOptions(), files or Files()
    files.check()
    given = source.read(text)
    gpt = loading.load(model or ModelOptions())
    ids = source.ids(gpt, DEFAULT_TEXT if given is None else given)
    by = "target" if options.target is not None and options.by == "probability" else options.by
    deliver(LensReport(gpt, ids, by, options.target, options.top), files)


class LensReport:
    """The lens over a text."""

    def __init__(self, gpt: "LanguageModel", ids: Sequence[int], by: str, target: str | None, top: int) -> None:
        from cutaway.inspect import logit_lens

        self.gpt, self.by = gpt, by
        self.lens: Lens = logit_lens(gpt, ids, target=target, top=top)
        self.shown: Labelled = getattr(self.lens, by)

    @property
    def tokens(self) -> Sequence[str]:
        """The text."""
        return [str(label) for label in self.shown.axes[1].labels]

    @property
    def layers(self) -> list[str]:
        """What was read: the stream where it enters each layer, and where it leaves the last."""
        count = len(self.shown.axes[0])
        return [*(f"before layer {layer}" for layer in range(count - 1)), "end"]

    def show(self) -> None:
        """A row for each token; as many layers as the screen is wide, always the last."""
        measure = self.shown.title[0].lower() + self.shown.title[1:]
        print(f"likeliest next token before each layer and at the end; {measure}\n")
        layers = fitting(len(self.layers), self._table)
        columns, rows = self._table(layers)
        print_table(columns, rows, shades=[(None, *self._shades(layers, place)) for place in range(len(rows))])
        if left := len(self.layers) - len(layers):
            print(f"{left} layers do not fit here; --html shows them all")

    def figure(self) -> Any:
        """The grid, with the predictions in it."""
        from cutaway.plots import draw_heat_map

        axes = [("layer", self.layers), ("token", self.tokens)]
        title = "What each layer would say"
        unit = self.shown.heading if self.by != "probability" else "probability"
        few = len(self.tokens) <= MAX_WRITTEN
        return draw_heat_map(
            self.shown.values, axes=axes, title=title, unit=unit, texts=self.lens.pieces if few else None
        )

    def views(self) -> "Sequence[View]":
        """The grid with what is likeliest in each cell."""
        from cutaway.pages import lens_view

        entropy = self.lens.entropy.values * BITS
        return [
            lens_view(
                self.tokens,
                self.layers,
                self.lens.alternatives,
                entropy_bits=entropy,
                title=f"Logit lens of {self.gpt.name}",
            )
        ]

    def csv(self) -> str:
        """A row for each layer and token."""
        return table_of(self.lens.to_rows())

    def json(self) -> Any:
        """Predictions and all numbers."""
        numbers = {
            name: getattr(self.lens, name).to_dict()["values"] for name in ("probability", "target", "entropy", "kl")
        }
        return {
            "model": self.gpt.name,
            "tokens": self.tokens,
            "layers": [str(label) for label in self.shown.axes[0].labels],
            "predictions": self.lens.alternatives,
            **numbers,
        }

    def _table(self, layers: Sequence[int]) -> Table:
        columns = [Column("token"), *(Column(self.layers[layer].replace("layer ", "")) for layer in layers)]
        cells = [[piece, *(self._cell(layer, place) for layer in layers)] for place, piece in enumerate(self.tokens)]
        return columns, cells

    def _cell(self, layer: int, place: int) -> str:
        value = self.shown.values[layer, place]
        return f"{self.lens.pieces[layer][place]} {'' if value != value else f'{value:.2f}'}".rstrip()

    def _shades(self, layers: Sequence[int], place: int) -> list[float | None]:
        return [float(self.lens.probability.values[layer, place]) for layer in layers]


MAX_WRITTEN = 64
"""Tokens whose predictions are still written into the cells of a picture."""
