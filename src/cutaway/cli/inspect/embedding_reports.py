"""What there is to know about a table of tokens or positions, a report for each question."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cutaway.cli.inspect.labelled_report import LabelledReport, number, print_largest, print_matrix, view_of
from cutaway.cli.inspect.report import progress, table_of
from cutaway.cli.inspect.screen import room
from cutaway.cli.inspect.tables import Tables
from cutaway.cli.table import Column, print_table, width
from cutaway.errors import InspectionError

if TYPE_CHECKING:
    from cutaway.inspect import Embedding, LookAlikes
    from cutaway.pages import View

CURVES = 8
"""Dimensions that are drawn as curves: those that vary most."""

SLOW = 32
"""Frequencies that are drawn."""

AROUND = 40
"""Rows drawn on both sides of those that look alike."""

NAMED = 80
"""Points that are named in a picture of all."""


class EmbeddingReport(LabelledReport):
    """The numbers of a table as colours."""

    sigmoid = False

    def __init__(self, embedding: "Embedding") -> None:
        super().__init__(embedding.values)
        self.embedding = embedding

    def show(self) -> None:
        """The figures, for no screen holds the numbers."""
        print_statistics([self.embedding])

    def figure(self) -> Any:
        """All numbers as colours."""
        from cutaway.plots import draw_heat_map

        axes = [(axis.name, axis.labels) for axis in self.shown.axes]
        return draw_heat_map(self.shown.values, axes=axes, title=self.shown.title, diverging=True, sigmoid=self.sigmoid)


class HeatMapReport(EmbeddingReport):
    """The numbers as they are."""


class SigmoidReport(EmbeddingReport):
    """The numbers squeezed into 0 to 1, which shows the small ones beside the large."""

    sigmoid = True


class StatisticsReport(EmbeddingReport):
    """The figures of one table or both; drawn, the table through a sigmoid; as a page, one to explore."""

    sigmoid = True

    def __init__(self, drawn: "Embedding", *others: "Embedding") -> None:
        super().__init__(drawn)
        self.all = [drawn, *others]

    def show(self) -> None:
        """A row for each table."""
        print_statistics(self.all)

    def views(self) -> "Sequence[View]":
        """The numbers, the plane in which the rows differ most, and the waves along positions."""
        import numpy as np

        from cutaway.labelled import Labelled

        # By the spread first, or one long row would leave all others pale.
        squeezed = 1 / (1 + np.exp(-self.shown.values / max(self.shown.values.std(), 1e-12)))
        title = f"{self.shown.title}, in spreads, through a sigmoid"
        even = Labelled(title=title, values=squeezed, axes=self.shown.axes)
        shown = [view_of(even), view_of(self.shown), scatter_of(self.embedding)]
        return [*shown, view_of(self.embedding.spectrum().mean)] if self.embedding.kind == "position" else shown

    def csv(self) -> str:
        """A row for each table."""
        return table_of(statistics_of(self.all))

    def json(self) -> Any:
        """The figures by table."""
        return {"tables": statistics_of(self.all)}


class CurvesReport(EmbeddingReport):
    """The dimensions that vary most, each as a curve along the rows."""

    def show(self) -> None:
        """The figures of these dimensions."""
        columns = self.embedding.weight.double()
        found = [columns.mean(0), columns.std(0, correction=0), columns.amin(0), columns.amax(0)]
        heads = [Column(name, right=True) for name in ("dimension", "mean", "std", "min", "max")]
        print(f"{self.embedding.title}: the dimensions that vary most\n")
        print_table(heads, [[str(i), *(number(of[i].item()) for of in found)] for i in self.chosen])

    @cached_property
    def chosen(self) -> list[int]:
        """The numbers of the dimensions."""
        spread = self.embedding.weight.double().std(0, correction=0)
        return spread.topk(min(CURVES, len(spread))).indices.tolist()

    def figure(self) -> Any:
        """The curves."""
        from cutaway.plots import Panel, draw_curves

        weight = self.embedding.weight.numpy()
        curves = {f"dimension {i}": list(enumerate(weight[:, i].tolist())) for i in self.chosen}
        panel = Panel(title="", x_label=self.embedding.kind, y_label="value", curves=curves)
        return draw_curves([panel], title=f"{self.embedding.title}: the dimensions that vary most")


class NormsReport(LabelledReport):
    """How long the rows are."""

    def __init__(self, embedding: "Embedding") -> None:
        super().__init__(embedding.norms())


class SimilarityReport(LabelledReport):
    """How nearly each row points the way of each other."""

    def __init__(self, embedding: "Embedding", top: int = 20) -> None:
        super().__init__(embedding.similarity(), top)

    def show(self) -> None:
        """A table of few rows; of many, the pairs that are most alike."""
        import numpy as np

        from cutaway.labelled import Labelled

        if print_matrix(self.shown):
            return
        # Each pair once, and no row with itself.
        once = np.where(np.tri(len(self.shown.values), k=-1, dtype=bool), self.shown.values, np.nan)
        shown = self.shown
        print_largest(Labelled(title=shown.title, values=once, axes=shown.axes, unit=shown.unit), self.top)


class SpectrumReport(LabelledReport):
    """The waves along the rows: positions are made of few."""

    def __init__(self, embedding: "Embedding") -> None:
        self.found = embedding.spectrum()
        super().__init__(self.found.mean)

    def figure(self) -> Any:
        """The slow waves, of which there is most."""
        from cutaway.plots import draw_bars

        values, axis = self.shown.values[:SLOW], self.shown.axes[0]
        labels = axis.labels[:SLOW]
        return draw_bars(values, labels=labels, name=axis.name, title=self.shown.title, unit="share", diverging=False)

    def views(self) -> "Sequence[View]":
        """The waves of all dimensions together, and of each."""
        return [view_of(self.found.mean), view_of(self.found.share)]


class ComponentsReport(LabelledReport):
    """The plane in which the rows differ most."""

    def __init__(self, embedding: "Embedding") -> None:
        self.embedding = embedding
        self.found = embedding.components(2)
        super().__init__(self.found.projection)

    def show(self) -> None:
        """How much of the differences lies in the plane, and the rows at its edges."""
        first, second = self.found.share.values.tolist()
        share = f"{first:.1%} of the variance lies along the first direction, {second:.1%} along the second"
        print(f"{self.shown.title}: {share}\n")
        columns = [Column("component", right=True), Column("lowest"), Column("highest")]
        print_table(columns, [[str(i + 1), self._ends(i, 1), self._ends(i, -1)] for i in range(2)])

    def figure(self) -> Any:
        """The rows as points, coloured by their place in the table or, for tokens, their length."""
        from cutaway.plots import draw_scatter

        return draw_scatter(self.shown.values, **scatter_options(self.embedding))

    def views(self) -> "Sequence[View]":
        """The rows as points to search."""
        return [scatter_of(self.embedding)]

    def _ends(self, component: int, sign: int) -> str:
        order = (sign * self.shown.values[:, component]).argsort(kind="stable")[:8]
        return "  ".join(str(self.embedding.labels[row]) for row in order.tolist())


class LookAlikesReport(EmbeddingReport):
    """Groups of rows that resemble each other more than rows should."""

    sigmoid = True

    def __init__(self, embedding: "Embedding", top: int) -> None:
        from cutaway.inspect import look_alikes

        super().__init__(embedding)
        with progress("comparing rows") as tell:
            self.groups: list[LookAlikes] = look_alikes(embedding, progress=tell)
        self.top = top

    def show(self) -> None:
        """A row for each group."""
        if not self.groups:
            print("no two rows point nearly the same way (cosine 0.95)")
            return
        columns = [Column("rows", right=True), Column("cosine", right=True), Column("which"), Column("first of them")]
        print_table(columns, [self._row(group) for group in self.groups[: self.top]])
        if len(self.groups) > self.top:
            print(f"{len(self.groups) - self.top:,} smaller groups are not shown; --top shows more")

    def figure(self) -> Any:
        """The longest run of look-alikes among the rows around it, where it is a stripe."""
        from cutaway.plots import draw_heat_map

        runs = [run for group in self.groups for run in group.runs]
        first, last = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
        some = slice(max(0, first - AROUND), last + AROUND)
        rows, dimensions = self.shown.axes
        axes = [(rows.name, rows.labels[some]), (dimensions.name, dimensions.labels)]
        title = f"{self.shown.title}: rows {first} to {last} look alike"
        return draw_heat_map(self.shown.values[some], axes=axes, title=title, sigmoid=True)

    def csv(self) -> str:
        """A row for each row that has a double."""
        rows = [
            {"group": name, "row": place, "label": label, "mean_cosine": group.mean_cosine}
            for name, group in enumerate(self.groups)
            for place, label in zip(group.places, group.labels, strict=True)
        ]
        return table_of(rows) if rows else "group,row,label,mean_cosine\n"

    def json(self) -> Any:
        """The groups with their rows."""
        return {"groups": [{**asdict(group), "runs": group.runs} for group in self.groups]}

    def _row(self, group: "LookAlikes") -> list[str]:
        runs = [f"{a}-{b}" if a != b else str(a) for a, b in group.runs]
        which = ", ".join(runs[:5]) + (", …" if len(runs) > 5 else "")
        return [f"{len(group.places):,}", f"{group.mean_cosine:.3f}", which, " ".join(map(str, group.labels[:8]))]


class UnderTrainedReport(LabelledReport):
    """The tokens that look as if no text had ever taught them anything."""

    def __init__(self, tables: Tables, top: int) -> None:
        from cutaway.inspect import under_trained

        if tables.gpt is None:
            raise InspectionError(f"{tables.name} alone does not tell which tokens were never used; name a whole model")
        self.found = under_trained(tables.gpt)
        super().__init__(self.found.likeness, top)

    def show(self) -> None:
        """The most suspicious tokens."""
        print(f"taken as never trained, for no text holds them: {' '.join(map(str, self.found.unused))}\n")
        columns = [
            Column("token"),
            Column("id", right=True),
            Column("likeness", right=True),
            Column("length", right=True),
        ]
        lengths = self.found.residual_norm.values
        rows = [
            [row["token"], str(row["token_index"]), f"{row['value']:.3f}", f"{lengths[row['token_index']]:.3f}"]
            for row in self.shown.top(self.top)
        ]
        print_table(columns, rows)

    def figure(self) -> Any:
        """Every token by likeness and length, the most suspicious named."""
        from cutaway.plots import draw_scatter

        return draw_scatter(self._points(), labels=self._named(), names=NAMES, title=self.shown.title)

    def views(self) -> "Sequence[View]":
        """The same, to search."""
        from cutaway.pages import scatter_view

        labels = [str(label) for label in self.shown.axes[0].labels]
        return [scatter_view(self._points(), labels, axes=NAMES, title=self.shown.title)]

    def _points(self) -> Any:
        import numpy as np

        return np.stack([self.shown.values, self.found.residual_norm.values], axis=1)

    def _named(self) -> list[str]:
        chosen = {row["token_index"] for row in self.shown.top(self.top)}
        return [str(label) if i in chosen else "" for i, label in enumerate(self.shown.axes[0].labels)]


NAMES = ("likeness to tokens never trained, cosine", "length without the common direction")


def near(tables: Tables, table: str | None, row: str, top: int) -> LabelledReport:
    """The rows nearest to one: a position by its number, a token as text, in printable form, or by its id."""
    chosen = tables.choose(table or ("wpe" if row.isdecimal() or "wte" not in tables.found else "wte"), None)
    if chosen.kind == "position" or (row.isdecimal() and tables.gpt is None):
        if not row.isdecimal():
            raise InspectionError(f"--near {row!r} is no position; give its number")
        return LabelledReport(chosen.nearest(int(row), top), top)
    if tables.gpt is not None:
        from cutaway.inspect import neighbours

        return LabelledReport(neighbours(tables.gpt, row, top), top)
    return LabelledReport(chosen.nearest(row.replace(" ", "Ġ"), top), top)


def statistics_of(embeddings: "Iterable[Embedding]") -> list[dict[str, Any]]:
    """A row of figures for each table."""
    return [
        {"table": each.title, "rows": len(each.labels), "dimensions": each.weight.shape[1], **asdict(each.statistics())}
        for each in embeddings
    ]


def print_statistics(embeddings: "Iterable[Embedding]") -> None:
    """The figures as a table."""
    rows = statistics_of(embeddings)
    lines = [[row["table"], *(figure(value) for value in list(row.values())[1:])] for row in rows]
    names = [name.replace("_", " ") for name in rows[0]]
    columns = [Column(name, right=bool(place)) for place, name in enumerate(names)]
    if width(columns, lines) > room():
        # Turned, it is as wide as there are tables.
        names, *lines = [list(line) for line in zip(names, *lines, strict=True)]
        columns = [Column(name, right=bool(place)) for place, name in enumerate(names)]
    print_table(columns, lines)


def figure(value: float) -> str:
    """A count in full, a number with four decimals, as everybody prints these."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def scatter_options(embedding: "Embedding") -> dict[str, Any]:
    """Names, colours and title of the points in a picture."""
    n = len(embedding.labels)
    named = set(range(0, n, max(1, n // NAMED)))
    labels = [str(label) if i in named else "" for i, label in enumerate(embedding.labels)]
    values, unit = (range(n), "position") if embedding.kind == "position" else (embedding.norms().values, "length")
    return {
        "names": ("component 1", "component 2"),
        "labels": labels,
        "values": list(values),
        "unit": unit,
        "title": f"{embedding.title}, where they differ most",
    }


def scatter_of(embedding: "Embedding") -> "View":
    """The rows as points of a page."""
    from cutaway.pages import scatter_view

    options = scatter_options(embedding)
    labels = [str(label) for label in embedding.labels]
    points, unit = embedding.components(2).projection.values, options["unit"]
    return scatter_view(points, labels, values=options["values"], quantity=unit, title=options["title"])
