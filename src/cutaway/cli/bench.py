"""`cutaway bench`: how fast a model is on this machine, and what the machine could do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.options import OUTPUT, Flag
from cutaway.cli.quantities import scaled
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.speed import SpeedReport
    from cutaway.speed.timing import Spread

Model: TypeAlias = Annotated[
    str, Parameter(help="A name (see cutaway models), a Hub id such as owner/name, a folder or a weight file.")
]
Precision: TypeAlias = Literal["float32", "bfloat16", "int8", "int4", "w8a8", "torch"]

DEFAULT: tuple[Precision, ...] = ("float32", "int8", "torch")
LONGEST_S = 3600
VERDICTS = {"faster": "faster", "slower": "SLOWER", "noise": "within the noise"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What to measure, and for how long."""

    precision: Annotated[tuple[Precision, ...], Parameter(show_default=False)] = ()
    """Of the native kernels, or torch for PyTorch; may be given several times (default: float32, int8 and torch)."""
    seconds: float = 30.0
    """About how long to measure; everything is measured once at least."""
    no_training: Flag = False
    """Leave the training step out."""
    compare: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)] = ()
    """Compare two reports of --json, the earlier first, instead of measuring."""
    json: Annotated[Flag, Parameter(group=OUTPUT)] = False
    """Print JSON, which --compare reads."""


def bench(model: Model = "fable", /, *, options: BenchOptions | None = None) -> None:
    """Measure loading, the first token, reading, writing in batches of 1, 4 and 16, memory and a training step.

    Figures are medians of repeats that take turns; the scatter is the distance between their quarters. Shares are of
    what this machine reads from memory, or multiplies, measured in the same run.
    """
    options = options or BenchOptions()
    if options.compare:
        compare(options)
        return
    if not 0 < options.seconds <= LONGEST_S:
        raise ConfigError(f"seconds={options.seconds:g} is out of range; it must be above 0, up to {LONGEST_S:,}")
    from cutaway.weights.locate import locate

    locate(model)  # a wrong name is told before torch is loaded
    from cutaway.speed import measure

    report = measure(
        model,
        chosen_precisions(model, options),
        seconds=options.seconds,
        clock=time.perf_counter,
        train=not options.no_training,
        tell=terminal.progress,
    )
    terminal.progress("")
    if options.json:
        terminal.print_json(report.to_dict())
    else:
        show(report)


def chosen_precisions(model: str, options: BenchOptions) -> Sequence[str]:
    """Those asked for, or those that can be had here.

    Raises: ConfigError when native ones are asked for and cannot be had.
    """
    from cutaway.native import available
    from cutaway.weights.native import suits_native

    native = suits_native(model)
    if options.precision:
        if not native and set(options.precision) != {"torch"}:
            why = "they do not suit this checkpoint" if available() else available().detail
            raise ConfigError(f"the native kernels cannot be used: {why}; measure --precision torch")
        return options.precision
    if not native:
        terminal.notice("cutaway: the native kernels cannot be used here; only PyTorch is measured")
    return DEFAULT if native else ("torch",)


def show(report: "SpeedReport") -> None:
    """The figures for people."""
    about = report.environment
    load = about["load_average"]
    kernels = f"kernels for {about['instructions']}" if about["instructions"] else "no native kernels"
    print(f"{report.model} on {about['processor']}, {about['usable_cores']} cores, {kernels}")
    told = "unknown" if load is None else f"{load:.1f}"
    print(
        f"load average before {told}; medians, ± half the distance of the quarters; shares of the best of a ceiling\n"
    )
    columns = [
        Column("what"),
        Column("median", right=True),
        Column("±", right=True),
        Column("repeats", right=True),
        Column("share", right=True),
        Column("of"),
    ]
    rows = [
        (
            figure.name,
            quantity(figure.spread.median, figure.unit),
            f"{figure.spread.noise / 2:.1%}",
            str(figure.spread.repeats),
            "" if figure.share is None else f"{figure.share:.0%}",
            figure.ceiling or "" if figure.share is not None else "",
        )
        for figure in report.figures
    ]
    print_table(columns, rows)
    known = {precision: size for precision, size in report.memory_bytes.items() if size is not None}
    if known:
        print("\nmemory when loaded: " + ", ".join(f"{name} {scaled(size, 'B')}" for name, size in known.items()))
    if any((figure.share or 0) > 1 for figure in report.figures):
        print(
            "a share above 100%: the weights stay in the processor's caches, which are faster than memory, "
            "or products are of 8 bits"
        )


def compare(options: BenchOptions) -> None:
    """Two reports side by side.

    Raises: ConfigError when there are not two of them.
    """
    if len(options.compare) != 2:
        raise ConfigError(f"--compare takes two reports, the earlier first; {len(options.compare)} were given")
    from cutaway.speed import SpeedReport
    from cutaway.speed import compare as compare_reports
    from cutaway.speed.compare import differences

    before, after = map(SpeedReport.read, options.compare)
    changes, unlike = compare_reports(before, after), list(differences(before, after))
    if not changes:
        raise ConfigError("the two reports have no figure in common; measure the same precisions")
    if options.json:
        terminal.print_json({"differences": unlike, "changes": [change.to_dict() for change in changes]})
        return
    for difference in unlike:
        print(f"not the same: {difference}")
    columns = [
        Column("what"),
        Column("before", right=True),
        Column("after", right=True),
        Column("times as fast", right=True),
        Column("verdict"),
    ]
    rows = [
        (
            change.name,
            with_noise(change.before, change.unit),
            with_noise(change.after, change.unit),
            f"{change.ratio:.2f}",
            VERDICTS[change.verdict],
        )
        for change in changes
    ]
    print_table(columns, rows)


def quantity(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{value:.3g} ms" if unit == "ms" else scaled(value, unit)


def with_noise(spread: "Spread", unit: str) -> str:
    """A figure and how far its repeats scatter."""
    return f"{quantity(spread.median, unit)} ± {spread.noise / 2:.1%}"
