"""`cutaway inspect compare`: two texts, two models, or a run at several of its checkpoints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.labelled_report import LabelledReport, number, rounded, view_of
from cutaway.cli.inspect.options import DEFAULT_TEXT, Files
from cutaway.cli.inspect.patch import CLEAN, CORRUPTED
from cutaway.cli.inspect.report import deliver, progress
from cutaway.cli.inspect.screen import Table, fitting
from cutaway.cli.options import OUTPUT, ModelOptions, refuse_together
from cutaway.cli.source_text import checked_argument
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.inspect import Comparison
    from cutaway.labelled import Labelled
    from cutaway.pages import View

One = Annotated[str | None, Parameter(help="The text, or the first of two (default: an example).")]
Other = Annotated[str | None, Parameter(help="Another text of as many tokens, for the same model.")]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """With what."""

    other_model: Annotated[str | None, Parameter(name=["--with", "-w"], show_default=False)] = None
    """Another model of the same shape, to read the same text."""
    run: Path | None = None
    """The folder of a training run, whose checkpoints read the text one after the other."""


def compare(
    one: One = None,
    other: Other = None,
    /,
    *,
    model: ModelOptions | None = None,
    options: CompareOptions | None = None,
    files: Files | None = None,
) -> None:
    """Set two texts, two models (--with), or the checkpoints of a training run (--run) side by side."""
    model, options, files = model or ModelOptions(), options or CompareOptions(), files or Files()
    if options.other_model is not None and options.run is not None:
        refuse_together("--with", "--run")
    alone = options.other_model is not None or options.run is not None
    if alone and other is not None:
        raise ConfigError("there are two texts, and models are compared on one; leave out the second")
    if not alone and (one is None) != (other is None):
        raise ConfigError("there is one text and one model; give a second text, --with MODEL or --run FOLDER")
    files.check()
    first, second = (None if text is None else checked_argument(text) for text in (one, other))
    if options.run is not None:
        deliver(RunReport(options.run, first or DEFAULT_TEXT, model), files)
    elif options.other_model is not None:
        deliver(models_report(model, options.other_model, first or DEFAULT_TEXT), files)
    else:
        deliver(texts_report(model, first or CLEAN, second or CORRUPTED), files)


def texts_report(model: ModelOptions, one: str, other: str) -> "ComparisonReport":
    """Two texts in one model."""
    gpt = loading.load(model)
    from cutaway.inspect import compare_prompts

    return ComparisonReport(compare_prompts(gpt, one, other), (one, other))


def models_report(model: ModelOptions, other: str, text: str) -> "ComparisonReport":
    """Two models on one text."""
    one, two = loading.load(model), loading.load(replace(model, model=other))
    from cutaway.inspect import compare_models

    return ComparisonReport(compare_models(one, two, text), (model.model, other))


class ComparisonReport(LabelledReport):
    """Where two readings part."""

    def __init__(self, found: "Comparison", names: tuple[str, str]) -> None:
        super().__init__(found.hidden)
        self.found, self.names = found, names

    def show(self) -> None:
        """The tokens with their surprise and how far apart the streams are; then what either expects."""
        print(f"one    {self.names[0]}\nother  {self.names[1]}\n")
        print("how far the stream of the other is from that of the one, in parts of its length\n")
        chosen = fitting(len(self.shown.axes[0]), self._table)
        distances = self.shown.values[chosen].T.tolist()
        print_table(*self._table(chosen), shades=[(None, None, None, *line, None) for line in distances])
        print("\nexpected after the text\n")
        self._show_next()

    def figure(self) -> Any:
        """The distances."""
        return self.shown.plot()

    def views(self) -> "Sequence[View]":
        """Distances, how differently the layers would speak, surprise, and the heads that looked elsewhere."""
        from cutaway.labelled import Labelled

        moved = self.found.patterns
        title, axes = "Attention moved, averaged over the text", moved.axes[:2]
        heads = Labelled(title=title, values=moved.values.mean(axis=2), axes=axes)
        return [view_of(each) for each in (self.shown, self.found.kl, self.found.surprise, heads)]

    def json(self) -> Any:
        """Everything that was compared."""
        parts = ("hidden", "patterns", "kl", "next_tokens", "surprise")
        return {"one": self.names[0], "other": self.names[1]} | {
            part: getattr(self.found, part).to_dict() for part in parts
        }

    def _table(self, layers: Sequence[int]) -> Table:
        """A row for each token: its surprise in both, the distances where it enters these layers, and the KL."""
        stages, tokens = self.shown.axes
        names = ["end" if layer == len(stages) - 1 else f"before {layer}" for layer in layers]
        columns = [Column("token"), *(Column(name, right=True) for name in ("bits", "other", *names, "KL, nats"))]
        bits, kl = self.found.surprise.values, self.found.kl.values[-1]
        rows = [
            [str(token), *map(rounded, (*bits[:, place].tolist(), *self.shown.values[layers, place], kl[place]))]
            for place, token in enumerate(tokens.labels)
        ]
        return columns, rows

    def _show_next(self) -> None:
        expected = self.found.next_tokens
        columns = [Column("token"), Column("one", right=True), Column("other", right=True)]
        rows = [
            [str(token), f"{one:.2%}", f"{two:.2%}"]
            for token, (one, two) in zip(expected.axes[1].labels, expected.values.T.tolist(), strict=True)
        ]
        print_table(columns, rows)


class RunReport(LabelledReport):
    """The surprise of each token at each checkpoint of a run."""

    def __init__(self, run: Path, text: str, model: ModelOptions) -> None:
        from cutaway.inspect import along, surprise
        from cutaway.train.checkpoint_folder import CheckpointFolder, step_of

        found = CheckpointFolder(run, keep=1).all() if run.is_dir() else []
        if not found:
            raise ConfigError(f"{str(run)!r} holds no checkpoints; name the folder of a training run")

        def models() -> Iterator[tuple[int, Any]]:
            with progress("checkpoints") as tell:
                for done, path in enumerate(found):
                    yield step_of(path), loading.load(replace(model, model=str(path)))
                    tell(done + 1, len(found))

        def measure(gpt: Any) -> "Labelled":
            return surprise(gpt, text).bits

        super().__init__(along(models(), measure))
        self.text = text

    def show(self) -> None:
        """A row for each checkpoint: the mean, and the tokens it learned most about since the one before."""
        steps, tokens = self.shown.axes
        columns = [Column("step", right=True), Column("bits a token", right=True), Column("learned most since")]
        rows = []
        for place, step in enumerate(steps.labels):
            line = self.shown.values[place, 1:]
            gain = line - self.shown.values[max(place - 1, 0), 1:]
            best = [i for i in gain.argsort(kind="stable")[:4].tolist() if gain[i] < 0]
            rows.append(
                [
                    f"{step:,}",
                    number(float(line.mean())),
                    "  ".join(f"{tokens.labels[i + 1]} {gain[i]:.2f}" for i in best),
                ]
            )
        print(f"surprise of: {self.text}\n")
        print_table(columns, rows)
