"""`cutaway inspect weights`: the numbers that were learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.labelled_report import LabelledReport, number, print_largest, view_of
from cutaway.cli.inspect.options import Files
from cutaway.cli.inspect.report import deliver
from cutaway.cli.options import OUTPUT, Count, ModelOptions
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.language_model import LanguageModel
    from cutaway.pages import View


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class WeightsOptions:
    """Which weights, and what about them."""

    name: Annotated[str | None, Parameter(show_default=False)] = None
    """One weight, such as h.0.mlp.c_fc; without a name, the figures of all."""
    study: Literal["histogram", "singular-values"] = "histogram"
    """Of one weight: how its numbers are spread, or how strongly it stretches each of its directions."""
    bins: Count = 80
    """Steps of the histogram."""
    top: Count = 20
    """How many singular values to list."""


def weights(
    *, model: ModelOptions | None = None, options: WeightsOptions | None = None, files: Files | None = None
) -> None:
    """Show size, mean, spread and norm of every weight; of one, its histogram or its singular values."""
    options, files = options or WeightsOptions(), files or Files()
    if options.name is None and options.study != "histogram":
        raise ConfigError("--study singular-values needs a matrix; name one, as in --name h.0.mlp.c_fc")
    files.check()
    gpt = loading.load(model or ModelOptions())
    deliver(report_of(gpt, options), files)


def report_of(gpt: "LanguageModel", options: WeightsOptions) -> LabelledReport:
    """The report that was asked for."""
    if options.name is None:
        return FiguresReport(gpt)
    if options.study == "singular-values":
        return SingularValuesReport(gpt, options.name, options.top)
    return HistogramReport(gpt, options.name, options.bins)


class FiguresReport(LabelledReport):
    """A row of figures for every weight."""

    def __init__(self, gpt: "LanguageModel") -> None:
        from cutaway.inspect import weight_figures

        super().__init__(weight_figures(gpt))

    def show(self) -> None:
        """All of them."""
        names, figures = self.shown.axes
        columns = [Column("weight"), *(Column(str(label), right=True) for label in figures.labels)]
        rows = [[str(name), *cells(line)] for name, line in zip(names.labels, self.shown.values.tolist(), strict=True)]
        print_table(columns, rows)

    def figure(self) -> Any:
        """How far the numbers of each weight are spread, along the layers."""
        from cutaway.plots import Panel, draw_curves

        panel = Panel(title="", x_label="layer", y_label="standard deviation", curves=self._spreads())
        return draw_curves([panel], title="How far the weights are spread")

    def views(self) -> "Sequence[View]":
        """The spread of every weight."""
        return [view_of(self.shown.at(figure=figure)) for figure in ("std", "norm", "mean")]

    def _spreads(self) -> dict[str, list[tuple[float, float]]]:
        """The spread of each matrix by layer."""
        curves: dict[str, list[tuple[float, float]]] = {}
        for name, std in zip(self.shown.axes[0].labels, self.shown.at(figure="std").values.tolist(), strict=True):
            parts = str(name).split(".")
            if parts[0] == "h" and parts[-1] == "weight" and "ln" not in parts[2]:
                curves.setdefault(".".join(parts[2:-1]), []).append((int(parts[1]), std))
        return curves


class HistogramReport(LabelledReport):
    """How the numbers of one weight are spread."""

    def __init__(self, gpt: "LanguageModel", name: str, bins: int) -> None:
        from cutaway.inspect import weight_histogram

        self.found, self.name = weight_histogram(gpt, name, bins), name
        super().__init__(self.found.counts)

    def show(self) -> None:
        """The steps as bars, as many as a screen is high."""
        step = -(-len(self.shown.values) // MAX_LINES)
        edges, counts = self.found.edges.tolist(), self.shown.values.tolist()
        sums = [sum(counts[at : at + step]) for at in range(0, len(counts), step)]
        columns = [Column("from", right=True), Column("to", right=True), Column("count", right=True), Column("")]
        ends = [(edges[at], edges[min(at + step, len(counts))]) for at in range(0, len(counts), step)]
        rows = [
            [f"{low:.4f}", f"{high:.4f}", f"{count:,}", "█" * round(40 * count / max(sums))]
            for (low, high), count in zip(ends, sums, strict=True)
        ]
        print(f"{self.shown.title}\n")
        print_table(columns, rows)

    def views(self) -> "Sequence[View]":
        """The counts, from the least number to the largest."""
        from cutaway.pages import bars_view

        steps, counts = self.shown.axes[0].labels, self.shown.values
        title = self.shown.title
        return [bars_view([str(s) for s in steps], counts, quantity="count", unit="", title=title, order="place")]

    def figure(self) -> Any:
        """The counts, on a scale that shows the rare ones too."""
        from cutaway.plots import draw_histogram

        return draw_histogram(self.shown.values, self.found.edges, title=self.shown.title, logarithmic=True)


class SingularValuesReport(LabelledReport):
    """How strongly a matrix stretches each of its directions."""

    def __init__(self, gpt: "LanguageModel", name: str, top: int) -> None:
        from cutaway.inspect import singular_values

        self.found = singular_values(gpt, name)
        super().__init__(self.found.values, top)

    def show(self) -> None:
        """The strongest, and how many directions there are in effect."""
        print(f"{self.shown.title}\n")
        print_largest(self.shown, self.top)
        print(f"stable rank {self.found.stable_rank:.1f}, effective rank {self.found.effective_rank:.1f}")

    def json(self) -> Any:
        """The values and the ranks."""
        ranks = {"stable_rank": self.found.stable_rank, "effective_rank": self.found.effective_rank}
        return {**ranks, **self.shown.to_dict()}


def cells(line: Sequence[float]) -> list[str]:
    """A count, and figures."""
    return [f"{line[0]:,.0f}", *(number(value) for value in line[1:])]


MAX_LINES = 40
