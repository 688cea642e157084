"""`cutaway inspect attention`: where each token looks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli import loading
from cutaway.cli.inspect import film, places
from cutaway.cli.inspect.options import DEFAULT_TEXT, FILES, Files, Text, TextOptions
from cutaway.cli.inspect.report import deliver, name, progress, table_of
from cutaway.cli.inspect.screen import room
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions
from cutaway.cli.table import Column, print_table, width
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.labelled import Labelled
    from cutaway.language_model import LanguageModel
    from cutaway.pages import View

MAX_NUMBERS = 1 << 22
"""Weights of all heads that are still written as CSV or JSON."""

SHOWN_KEYS = 5


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class AttentionOptions:
    """Which heads."""

    layer: Count = -1
    """The layer of the head that is shown, from 0; -1 is the last."""
    head: Count = 0
    """Which head of the layer, from 0."""
    all: Flag = False
    """Show all heads of all layers: in numbers, or small in a picture. A page shows them all anyway."""


@Parameter(name="*", group=FILES)
@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """A film of the head's attention while the model writes on; without a text, it begins at <|endoftext|>."""

    gif: Path | None = None
    """Make a film as GIF."""
    mp4: Path | None = None
    """Make a film as MP4, by the program ffmpeg."""
    layers: Annotated[str | None, Parameter(show_default=False)] = None
    """The layers beside each other in the film, such as 0-3 or 0,5,11 (default: the first four)."""
    max_tokens: Count | None = None
    """How long the text of the film becomes, at most the context (default 256, or the context)."""
    seed: Count = 0
    """The same seed writes the same text."""


def attention(
    text: Text = None,
    /,
    *,
    model: ModelOptions | None = None,
    source: TextOptions | None = None,
    options: AttentionOptions | None = None,
    files: Files | None = None,
    film_options: FilmOptions | None = None,
) -> None:
    """Show where each token of a text looks, by one head or by all.

    A page holds every head of a text of up to 1,024 tokens. A film shows one head in several layers at work.
    """
    source, files = source or TextOptions(), files or Files()
    options, moving = options or AttentionOptions(), film_options or FilmOptions()
    files.check()
    film.check(moving.gif, moving.mp4, layers=moving.layers, max_tokens=moving.max_tokens)
    given = source.read(text)
    gpt = loading.load(model or ModelOptions())
    layer = places.one("--layer", options.layer, gpt.config.n_layer, "layers")
    head = places.one("--head", options.head, gpt.config.n_head, "heads")
    if films := [path for path in (moving.gif, moving.mp4) if path is not None]:
        start = source.ids(gpt, "" if given is None else given)
        plan = film.plan(gpt, start, head, moving.layers, moving.max_tokens, moving.seed)
        name(plan.write(films), files)
        if not files.asked:
            return
    ids = source.ids(gpt, DEFAULT_TEXT if given is None else given)
    deliver(AttentionReport(gpt, ids, layer, head, whole=options.all), files)


class AttentionReport:
    """The patterns of a text."""

    def __init__(self, gpt: "LanguageModel", ids: Sequence[int], layer: int, head: int, *, whole: bool) -> None:
        from cutaway.inspect import trace

        self.gpt, self.layer, self.head, self.whole = gpt, layer, head, whole
        self.seen = trace(gpt, ids, "pattern")

    @cached_property
    def pattern(self) -> "Labelled":
        """The chosen head's. Shapes: query, key."""
        return self._layer(self.layer).at(head=self.head)

    def show(self) -> None:
        """A table for a sentence, the strongest looks of each token for more."""
        if self.whole:
            self._show_heads()
            return
        print(f"layer {self.layer}, head {self.head}: each row is a token, and how much of it looks at each column\n")
        tokens, weights = self.seen.pieces, self.pattern.values
        columns = [Column("token"), *(Column(piece, right=True) for piece in tokens)]
        rows = [
            (piece, *("" if key > query else f"{weights[query, key]:.3f}" for key in range(len(tokens))))
            for query, piece in enumerate(tokens)
        ]
        if width(columns, rows) <= room():
            print_table(columns, rows, shades=[(None, *line) for line in weights.tolist()])
        else:
            self._show_strongest()

    def figure(self) -> Any:
        """One head, or all of them small."""
        from cutaway.plots import draw_attention, draw_model_view

        if self.whole:
            with progress("reading the heads") as tell:
                title = f"All heads of {self.gpt.name}"
                return draw_model_view((layer.values for layer in self._layers(tell)), title=title)
        title = f"Attention, layer {self.layer}, head {self.head}"
        return draw_attention(self.pattern.values, tokens=self.seen.pieces, title=title)

    def views(self) -> "Sequence[View]":
        """Every head."""
        from cutaway.pages import attention_view

        return [attention_view(self.seen.pieces, self._patterns(), title=f"Attention of {self.gpt.name}")]

    def csv(self) -> str:
        """The weights, the head's or all, with their tokens."""
        if not self.whole:
            return self.pattern.to_csv()
        return table_of({"layer": number, **row} for number, layer in self._few_layers() for row in layer.to_rows())

    def json(self) -> Any:
        """The weights, the head's or all."""
        if not self.whole:
            return {"model": self.gpt.name, "layer": self.layer, "head": self.head, **self.pattern.to_dict()}
        layers = [layer.to_dict()["values"] for _, layer in self._few_layers()]
        return {"model": self.gpt.name, "tokens": list(self.seen.pieces), "axes": AXES, "values": layers}

    def _layer(self, layer: int) -> "Labelled":
        return self.seen.labelled(f"h.{layer}.pattern")

    def _layers(self, tell: Any) -> "Iterator[Labelled]":
        for layer in range(self.seen.n_layer):
            yield self._layer(layer)
            tell(layer + 1, self.seen.n_layer)

    def _few_layers(self) -> "Iterator[tuple[int, Labelled]]":
        numbers = self.seen.n_layer * self.gpt.config.n_head * len(self.seen.ids) ** 2
        if numbers > MAX_NUMBERS:
            raise ConfigError(
                f"{numbers:,} weights are too many for CSV or JSON, which take {MAX_NUMBERS:,}; choose one head"
            )
        return ((layer, self._layer(layer)) for layer in range(self.seen.n_layer))

    def _patterns(self) -> Iterator[tuple[int, int, Any]]:
        with progress("writing the heads") as tell:
            for number, layer in enumerate(self._layers(tell)):
                yield from ((number, head, weights) for head, weights in enumerate(layer.values))

    def _show_strongest(self) -> None:
        rows: list[tuple[str, str, str]] = []
        left = room() - len("place") - 2 - max(len(piece) for piece in self.seen.pieces) - 2
        for query, line in enumerate(self.pattern.values):
            best = (-line[: query + 1]).argsort(kind="stable")[:SHOWN_KEYS].tolist()
            looks = [f"{self.seen.pieces[key]} ({key}) {line[key]:.2f}" for key in best if line[key] >= 0.005]
            rows.append((str(query), self.seen.pieces[query], within(looks, left)))
        print_table([Column("place", right=True), Column("token"), Column("looks at")], rows)

    def _show_heads(self) -> None:
        """Where each head looks on average, for no screen holds all weights."""
        columns = [Column(name, right=True) for name in ("layer", "head", "at the first", "at the one before")]
        rows, shades = [], []
        for number, layer in enumerate(self._layers(lambda *_: None)):
            for head, weights in enumerate(layer.values):
                before = weights.diagonal(-1)
                shares = [weights[1:, 0].mean(), before.mean(), weights.diagonal()[1:].mean()] if len(before) else []
                rows.append((str(number), str(head), *(f"{share:.3f}" for share in shares or [1.0] * 3)))
                shades.append((None, None, *(shares or [1.0] * 3)))
        print_table([*columns, Column("at itself", right=True)], rows, shades=shades)


def within(looks: Sequence[str], room: int) -> str:
    """As many as fit in a line, one at least."""
    fitting = [n for n in range(1, len(looks) + 1) if len("  ".join(looks[:n])) <= room]
    return "  ".join(looks[: max(fitting, default=1)])


AXES = ["layer", "head", "query", "key"]
