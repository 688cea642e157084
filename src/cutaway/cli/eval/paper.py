"""`cutaway eval paper`: the paper's table 3, next to its own figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.eval.options import RunOptions, figure, keeping, open_subject, sizes_of
from cutaway.cli.eval.sources import find_files
from cutaway.cli.options import OUTPUT, Count, ModelOptions
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError, CutawayError, EvaluationError

if TYPE_CHECKING:
    from cutaway.cli.eval.options import Subject
    from cutaway.evals.paper_sets import PaperSet


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class PaperOptions:
    """Which sets, and where they are."""

    set: Annotated[str | None, Parameter(show_default=False)] = None
    """Which of the sets, with commas between: lambada,wikitext2; by default all that are there."""
    data: str | None = None
    """A folder that holds the files by their usual names (--list shows them), or one file; without it, the Hub."""
    context: Annotated[Count | None, Parameter(show_default=False)] = None
    """Tokens that a window reads (default: all the model can)."""
    stride: Annotated[Count | None, Parameter(show_default=False)] = None
    """How far each window moves on (default: its length)."""
    list: Annotated[bool, Parameter(show_default=False)] = False
    """Show the sets with their files, units and notes, and stop."""


def paper(
    *, model: ModelOptions | None = None, options: PaperOptions | None = None, run: RunOptions | None = None
) -> None:
    """Measure the test sets of the paper's table 3, zero-shot, next to its own figures.

    Texts are de-tokenized as the paper describes, and the loss divided by the units of the original.
    """
    options, run = options or PaperOptions(), run or RunOptions()
    run.check()
    from cutaway.evals.paper_sets import SETS, set_named

    wanted = [set_named(name.strip()) for name in options.set.split(",")] if options.set is not None else list(SETS)
    if options.list:
        list_sets(wanted)
        return
    places = find_places(wanted, options.data, needed=options.set is not None)
    if run.items is not None and len(places) > 1:
        raise ConfigError(f"--items keeps one set and {len(places)} are found; choose one with --set")
    subject = open_subject(model or ModelOptions())
    found = {each.name: evaluate(each, files, subject, options, run) for each, files in places}
    if run.json:
        terminal.print_json({"model": subject.name, "sets": found})
    else:
        show(subject.name, [each for each, _ in places], found)


def find_places(
    wanted: "Sequence[PaperSet]", data: str | None, *, needed: bool
) -> "list[tuple[PaperSet, Sequence[Path]]]":
    """The sets whose files are there; those that are not are told of, or are an error if asked for by name.

    Raises: CutawayError for one that is needed and not there, or when none is there.
    """
    places: list[tuple[PaperSet, Sequence[Path]]] = []
    for each in wanted:
        try:
            if data is None and not each.hub:
                raise EvaluationError(f"{each.name} is not on the Hub; take it from {each.source} and give --data")
            places.append((each, find_files(each.name, data, each.files, each.hub)))
        except CutawayError as error:
            if needed:
                raise
            terminal.notice(f"left out: {error}")
    if not places:
        raise EvaluationError("none of the sets is there; cutaway eval paper --list shows which files they come in")
    return places


def evaluate(
    which: "PaperSet", files: Sequence[Path], subject: "Subject", options: PaperOptions, run: RunOptions
) -> dict[str, Any]:
    """The figures of one set."""
    from cutaway.evals.paper import evaluate_set

    settings = {
        "context": options.context,
        "stride": options.stride,
        "files": sizes_of(files),
    }
    with keeping(run, subject, which.name, run.limit, settings) as (log, progress):
        return evaluate_set(
            which,
            files,
            subject.scorer,
            subject.tokenizer,
            context=options.context,
            stride=options.stride,
            limit=run.limit,
            log=log,
            progress=progress,
        )


def list_sets(sets: "Sequence[PaperSet]") -> None:
    """Each set's files, and each figure's unit."""
    rows = []
    for each in sets:
        place = f"hub:{each.hub}" if each.hub else each.source
        rows.append([each.name, each.files[0], place, each.note])
        rows += [["", f"  {number.name}", number.unit, ""] for number in each.figures]
    print_table([Column("set"), Column("file in --data, and figures"), Column("source, or unit"), Column("note")], rows)


def show(model: str, sets: "Sequence[PaperSet]", found: dict[str, dict[str, Any]]) -> None:
    """A row for each figure."""
    from cutaway.evals.paper_sets import SIZES

    place = SIZES.index(model) if model in SIZES else 0
    columns = [
        Column("set"),
        Column("figure"),
        Column(model, right=True),
        Column(f"paper, {SIZES[place]}", right=True),
        Column("others"),
        Column("of"),
    ]
    rows = []
    for each in sets:
        for number in each.figures:
            ours, theirs = found[each.name].get(number.name), number.paper[place] if number.paper else None
            name = number.name.replace("_", " ")
            error = found[each.name].get(f"{number.name}_stderr")
            told = figure(ours) + (f" ±{figure(error)}" if error is not None else "")
            shown = [told, figure(theirs) if theirs is not None else "", number.others]
            rows.append([each.name, name, *shown, extent(found[each.name])])
    print_table(columns, rows)


def extent(found: dict[str, Any]) -> str:
    """How much was looked at."""
    return f"{found['items']:,} items" if "items" in found else f"{found['tokens']:,} tokens"
