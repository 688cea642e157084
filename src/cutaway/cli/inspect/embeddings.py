"""`cutaway inspect embeddings`: the tables of tokens and positions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from cutaway.cli.inspect import embedding_reports as reports
from cutaway.cli.inspect.options import Files
from cutaway.cli.inspect.report import Report, deliver
from cutaway.cli.inspect.tables import Tables, open_tables
from cutaway.cli.options import OUTPUT, Count, ModelOptions, refuse_together

Study = Literal[
    "statistics",
    "heat-map",
    "sigmoid",
    "curves",
    "norms",
    "components",
    "similarity",
    "spectrum",
    "look-alikes",
    "under-trained",
]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """Which table, and what about it."""

    table: Literal["wpe", "wte"] | None = None
    """wpe has a row for each position, wte one for each token (default wpe)."""
    study: Study | None = None
    """What to look at. Without it: statistics of both tables here, and a heat-map through a sigmoid in a picture."""
    near: Annotated[str | None, Parameter(show_default=False)] = None
    """The tokens, or positions, whose rows point most nearly the same way as that of this one, such as " king"."""
    rows: Annotated[str | None, Parameter(show_default=False)] = None
    """Only these rows, such as 177-219."""
    top: Count = 20
    """How many rows to list."""


def embeddings(
    *, model: ModelOptions | None = None, options: EmbeddingOptions | None = None, files: Files | None = None
) -> None:
    """Study the tables of tokens (wte) and positions (wpe), of a model or of a file that holds one of them."""
    options, files = options or EmbeddingOptions(), files or Files()
    if options.near is not None and options.study is not None:
        refuse_together("--near", "--study")
    files.check()
    deliver(report_of(open_tables(model or ModelOptions()), options), files)


def report_of(tables: Tables, options: EmbeddingOptions) -> Report:
    """The report that was asked for."""
    if options.near is not None:
        return reports.near(tables, options.table, options.near, options.top)
    if options.study == "under-trained":
        return reports.UnderTrainedReport(tables, options.top)
    usual = "wte" if options.study == "look-alikes" and "wte" in tables.found else None
    chosen = tables.choose(options.table or usual, options.rows)
    if options.study is None:
        others = [] if options.table or options.rows else list(tables.found.values())[1:]
        return reports.StatisticsReport(chosen, *others)
    if options.study == "look-alikes":
        return reports.LookAlikesReport(chosen, options.top)
    kinds: dict[str, Callable[..., Report]] = {
        "statistics": reports.StatisticsReport,
        "heat-map": reports.HeatMapReport,
        "sigmoid": reports.SigmoidReport,
        "curves": reports.CurvesReport,
        "norms": reports.NormsReport,
        "components": reports.ComponentsReport,
        "similarity": reports.SimilarityReport,
        "spectrum": reports.SpectrumReport,
    }
    return kinds[options.study](chosen)
