"""`cutaway inspect attribution`: which part of the network said how much of a logit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect.labelled_report import LabelledReport, print_largest, view_of
from cutaway.cli.inspect.options import DEFAULT_TEXT, Files, Text, TextOptions
from cutaway.cli.inspect.report import deliver
from cutaway.cli.options import OUTPUT, Count, ModelOptions

if TYPE_CHECKING:
    from cutaway.inspect import Attribution
    from cutaway.labelled import Labelled
    from cutaway.pages import View

By = Literal["part", "layer", "head", "token", "neuron"]

PARTS = {"embed": "the token itself", "pos_embed": "its position", "ln_f.bias": "final bias"}
KINDS = {"heads": "heads", "attn.bias": "attention bias", "mlp": "MLP", "mlp.bias": "MLP bias"}


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class AttributionOptions:
    """Which logit, and into what it is taken apart."""

    by: By = "part"
    """Each head and MLP by itself, whole layers, heads alone, the tokens that heads gathered it from, or neurons."""
    token: Count = -1
    """The place of the token after which the logit is taken, from 0; -1 is the last."""
    target: Annotated[str | None, Parameter(show_default=False)] = None
    """The token whose logit it is, such as " fox" (default: the likeliest)."""
    against: Annotated[str | None, Parameter(show_default=False)] = None
    """Take the logit's lead over that of this token."""
    top: Count = 20
    """How many bars to show."""


def attribution(
    text: Text = None,
    /,
    *,
    model: ModelOptions | None = None,
    source: TextOptions | None = None,
    options: AttributionOptions | None = None,
    files: Files | None = None,
) -> None:
    """Take the logit of the next token apart: what each head, MLP and token added. The parts sum to the logit."""
    source, options, files = source or TextOptions(), options or AttributionOptions(), files or Files()
    files.check()
    given = source.read(text)
    gpt = loading.load(model or ModelOptions())
    from cutaway.inspect import attribute

    ids = source.ids(gpt, DEFAULT_TEXT[: -len(" fox")] if given is None else given)
    found = attribute(gpt, ids, options.target, against=options.against, position=options.token)
    deliver(AttributionReport(found, gpt.tokenizer.pieces(ids), options.by, options.top), files)


class AttributionReport(LabelledReport):
    """The parts of a logit."""

    def __init__(self, found: "Attribution", tokens: Sequence[str], by: By, top: int) -> None:
        super().__init__(chosen(found, by), top)
        self.found, self.tokens = found, tokens

    @property
    def heading(self) -> str:
        """Which logit it is."""
        token, foil = self.found.token, self.found.against
        lead = "" if foil is None else f" over {foil}"
        return f"the logit of {token}{lead} after {self.tokens[self.found.position]} (token {self.found.position})"

    def show(self) -> None:
        """The largest parts."""
        rest = self.found.logit - float(self.shown.values.sum())
        print(f"{self.heading} is {self.found.logit:.3f}; these parts make {self.found.logit - rest:.3f} of it\n")
        print_largest(self.shown, self.top)

    def figure(self) -> Any:
        """The largest parts as bars."""
        from cutaway.plots import draw_bars

        values, labels = self.bars()
        title = f"What made {self.heading}: {self.found.logit:.2f}"
        return draw_bars(values, labels=labels, title=title, unit="logit", largest=min(self.top, len(labels)))

    def views(self) -> "Sequence[View]":
        """The parts as bars to sort; the heads as colours."""
        from cutaway.pages import bars_view

        parts = chosen(self.found, "part")
        names = [str(label) for label in parts.axes[0].labels]
        groups = [name.rpartition(", ")[2].split()[0] if name.startswith("layer") else "embedding" for name in names]
        sources = self.found.tokens
        places = [f"{place}: {piece}" for place, piece in enumerate(sources.axes[0].labels)]
        return [
            bars_view(names, parts.values, groups=groups, title=f"Parts of {self.heading}"),
            view_of(self.found.heads),
            bars_view(places, sources.values, title="By the token it was gathered from"),
        ]

    def json(self) -> Any:
        """The logit and its parts."""
        about = {"token": self.found.token, "against": self.found.against, "position": self.found.position}
        return {**about, "logit": self.found.logit, "gap": self.found.gap, **self.shown.to_dict()}

    def bars(self) -> tuple[Any, list[str]]:
        """The parts in one row, with what to call them."""
        axes = self.shown.axes
        if len(axes) == 1:
            numbered = axes[0].name == "token"
            names = [f"{place}: {label}" if numbered else str(label) for place, label in enumerate(axes[0].labels)]
            return self.shown.values, names
        names = [f"layer {i}, {axes[1].name} {j}" for i in axes[0].labels for j in axes[1].labels]
        return self.shown.values.reshape(-1), names


def chosen(found: "Attribution", by: By) -> "Labelled":
    """The parts of that kind."""
    if by == "layer":
        return _renamed(found.parts, [part_name(str(name)) for name in found.parts.axes[0].labels])
    if by == "part":
        names, values = zip(*_single(found), strict=True)
        return _renamed(found.parts, names, values)
    return {"head": found.heads, "token": found.tokens, "neuron": found.neurons}[by]


def part_name(name: str) -> str:
    """A part as people call it: `h.3.mlp` is `layer 3, MLP`."""
    if name in PARTS:
        return PARTS[name]
    _, layer, kind = name.split(".", 2)
    return f"layer {layer}, {KINDS[kind]}"


def _single(found: "Attribution") -> Iterator[tuple[str, float]]:
    """Every part, but each head by itself."""
    for name, value in zip(found.parts.axes[0].labels, found.parts.values.tolist(), strict=True):
        if str(name).endswith(".heads"):
            layer = int(str(name).split(".")[1])
            heads = found.heads.values[layer].tolist()
            yield from ((f"layer {layer}, head {head}", share) for head, share in enumerate(heads))
        else:
            yield part_name(str(name)), value


def _renamed(shown: "Labelled", names: Sequence[str], values: Any = None) -> "Labelled":
    import numpy as np

    from cutaway.labelled import Axis, Labelled

    array = shown.values if values is None else np.array(values)
    return Labelled(title=shown.title, values=array, axes=(Axis("part", names),), unit=shown.unit, diverging=True)
