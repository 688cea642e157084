"""`cutaway inspect patch`: which activations carry the difference between two texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.labelled_report import LabelledReport
from cutaway.cli.inspect.options import Files
from cutaway.cli.inspect.report import deliver, progress
from cutaway.cli.options import OUTPUT, ModelOptions
from cutaway.cli.source_text import checked_argument
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.inspect import Grid
    from cutaway.language_model import LanguageModel

CLEAN = "Once upon a time there was a little fox. The little"
CORRUPTED = "Once upon a time there was a little king. The little"
ANSWER, WRONG = " fox", " king"

Clean = Annotated[str | None, Parameter(help="The text to take activations from (default: one with a fox).")]
Corrupted = Annotated[str | None, Parameter(help="The text to put them into, of as many tokens (default: a king).")]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class PatchOptions:
    """What is carried over, and what is measured."""

    answer: Annotated[str | None, Parameter(show_default=False)] = None
    """The token that should follow the clean text, such as " fox" (default: the likeliest)."""
    wrong: Annotated[str | None, Parameter(show_default=False)] = None
    """Measure the answer's lead over this token; without it, the answer's log-probability."""
    over: Literal["position", "head"] = "position"
    """Carry over one position of one layer at a time, or one head at all positions."""
    point: str | None = None
    """Which activation: resid_pre, attn_out, mlp_out, q, k, v, z, pattern, … (default resid_pre, for heads z)."""


def patch(
    clean: Clean = None,
    corrupted: Corrupted = None,
    /,
    *,
    model: ModelOptions | None = None,
    options: PatchOptions | None = None,
    files: Files | None = None,
) -> None:
    """Run one text again and again, each time with one activation of another text in it, and see what changes.

    Where the answer comes back, there the network holds what tells the texts apart. Both need as many tokens.
    """
    options, files = options or PatchOptions(), files or Files()
    if (clean is None) != (corrupted is None):
        raise ConfigError("there is one text, and patching needs two of as many tokens; give both, or neither")
    files.check()
    texts = [checked_argument(text) for text in (clean or CLEAN, corrupted or CORRUPTED)]
    gpt = loading.load(model or ModelOptions())
    answer, wrong = options.answer, options.wrong
    if clean is None and answer is None and wrong is None:
        answer, wrong = ANSWER, WRONG
    if answer is None:
        answer = gpt.next_tokens(texts[0], 1)[-1].predictions[0].piece
    deliver(PatchReport(gpt, texts, answer, wrong, options), files)


class PatchReport(LabelledReport):
    """How much of the answer each patch brings back."""

    def __init__(
        self, gpt: "LanguageModel", texts: Sequence[str], answer: str, wrong: str | None, options: PatchOptions
    ) -> None:
        from cutaway.inspect import patching_grid

        point = options.point or ("z" if options.over == "head" else "resid_pre")
        with progress("patching") as tell:
            self.grid: Grid = patching_grid(
                gpt, *texts, answer=answer, wrong=wrong, point=point, over=options.over, progress=tell
            )
        super().__init__(self.grid.recovered)
        self.texts, self.point = texts, point

    def show(self) -> None:
        """What was measured, and the grid."""
        metric = self.grid.metric.title
        print(f"clean      {self.texts[0]}\ncorrupted  {self.texts[1]}")
        print(f"{metric}: {self.grid.clean:.3f} clean, {self.grid.corrupted:.3f} corrupted\n")
        print(f"how much of that comes back with the clean {self.point} in one place: 0 nothing, 1 all\n")
        self.show_grid()

    def show_grid(self) -> None:
        """The grid with positions downwards, for texts are longer than networks are deep."""
        from cutaway.cli.inspect.labelled_report import print_largest, print_matrix
        from cutaway.labelled import Labelled

        layer, place = self.shown.axes
        turned = Labelled(title=self.shown.title, values=self.shown.values.T, axes=(place, layer), diverging=True)
        if not print_matrix(turned):
            print_largest(self.shown, self.top)

    def json(self) -> Any:
        """The texts, the metric with and without them, and the grid."""
        about = {"clean_text": self.texts[0], "corrupted_text": self.texts[1], "point": self.point}
        measured = {"metric": self.grid.metric.title, "clean": self.grid.clean, "corrupted": self.grid.corrupted}
        return {**about, **measured, **self.shown.to_dict(), "metric_values": self.grid.metric.to_dict()["values"]}
