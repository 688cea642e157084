"""`cutaway inspect heads`: heads that look back at where the text has been the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.labelled_report import LabelledReport, view_of
from cutaway.cli.inspect.options import Files
from cutaway.cli.inspect.report import deliver
from cutaway.cli.options import OUTPUT, Count, ModelOptions
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.inspect import HeadScores
    from cutaway.pages import View

CLEAR = 0.3
"""A score from which a head may be called one of its kind."""


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class HeadsOptions:
    """The random text that the heads read."""

    length: Count | None = None
    """Random tokens, which then come once more (default 64, or what the context holds)."""
    rows: Count = 8
    """How many such texts."""
    seed: Count = 0
    """Which random tokens."""


def heads(
    *, model: ModelOptions | None = None, options: HeadsOptions | None = None, files: Files | None = None
) -> None:
    """Find heads that look at the token before, at the same token earlier, or at what followed it (induction).

    The model reads random tokens and their repetition, where nothing but such heads can help it.
    """
    options, files = options or HeadsOptions(), files or Files()
    files.check()
    gpt = loading.load(model or ModelOptions())
    from cutaway.inspect import detect_heads

    deliver(HeadsReport(detect_heads(gpt, length=options.length, rows=options.rows, seed=options.seed)), files)


class HeadsReport(LabelledReport):
    """How much each head is one of each kind."""

    def __init__(self, found: "HeadScores") -> None:
        super().__init__(found.scores)
        self.found = found

    def show(self) -> None:
        """A row for each head, and what the repetition gained."""
        kinds, layers, heads = (axis.labels for axis in self.shown.axes)
        columns = [
            Column("layer", right=True),
            Column("head", right=True),
            *(Column(str(k), right=True) for k in kinds),
        ]
        rows, shades = [], []
        for layer in range(len(layers)):
            for head in range(len(heads)):
                scores = self.shown.values[:, layer, head].tolist()
                kind = max(range(len(scores)), key=scores.__getitem__)
                rows.append([str(layer), str(head), *(f"{s:.3f}" for s in scores), self._verdict(scores[kind], kind)])
                shades.append((None, None, *scores, None))
        print("share of their attention that heads put where a head of each kind looks\n")
        print_table([*columns, Column("")], rows, shades=shades)
        print(f"\n{self.summary}")

    @property
    def summary(self) -> str:
        """What chance would score, and how well the model copies."""
        first, again = self.found.first_loss, self.found.repeated_loss
        return (
            f"a head that looks everywhere alike scores {self.found.chance:.3f}; "
            f"loss on random tokens {first:.2f} nats, on their repetition {again:.2f}"
        )

    def views(self) -> "Sequence[View]":
        """A tab for each kind."""
        return [view_of(self.found.of(str(kind))) for kind in self.shown.axes[0].labels]

    def json(self) -> Any:
        """The scores, what chance scores, and the losses."""
        losses = {"first_loss": self.found.first_loss, "repeated_loss": self.found.repeated_loss}
        return {"chance": self.found.chance, **losses, **self.shown.to_dict()}

    def _verdict(self, score: float, kind: int) -> str:
        return str(self.shown.axes[0].labels[kind]) if score >= CLEAR else ""
