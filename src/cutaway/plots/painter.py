"""The frames of an animation of attention, each painted over the one before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.plots import ink, stage
from cutaway.plots.colours import Array, Scale
from cutaway.plots.ink import Pixels
from cutaway.plots.stage import Stage
from cutaway.plots.text_flow import Piece, TextFlow

TICKS = (0.0, 0.01, 0.1, 0.25, 0.5, 1.0)
BAR_WIDTH, WORD_SIZE, TITLE_SIZE = 12, 12, 15


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One step: the newest rows of every panel's pattern, and the text so far, whose last token is the newest.

    Shapes: patterns (P, n, t) for the last n of t tokens; n = t gives whole patterns
    """

    patterns: ArrayLike
    tokens: Sequence[str]


def growing(patterns: ArrayLike, tokens: Sequence[str], start: int = 1) -> Iterator[Frame]:
    """The frames of a text that grows token by token, out of the patterns of the whole text.

    That is right because a token's row does not depend on what comes after it.

    Shapes: patterns (P, T, T)

    Raises: ConfigError when patterns and tokens do not fit.
    """
    array = np.asarray(patterns)
    if array.ndim != 3 or array.shape[1:] != (len(tokens), len(tokens)):
        raise ConfigError(f"patterns of shape {array.shape} do not fit {len(tokens)} tokens; give (P, T, T)")
    for t in range(start, len(tokens) + 1):
        yield Frame(patterns=array[:, 0 if t == start else t - 1 : t, :t], tokens=tokens[:t])


class Painter:
    """A sheet of pixels that shows one frame after the other. It holds one of each panel, however many frames come."""

    def __init__(self, names: Sequence[str], positions: int, scale: Scale, title: str = "") -> None:
        self.stage, self.scale = Stage(panels=len(names), positions=positions, titled=bool(title)), scale
        shown = self.stage.side // self.stage.cell
        self.values = np.full((len(names), shown, shown), np.nan, dtype=np.float32)
        self.pixels = np.full((self.stage.height, self.stage.width), ink.PAPER_TEXT, dtype=np.uint8)
        self.flow, self.pieces = TextFlow(self.stage.columns), list[Piece]()
        if title:
            ink.draw_words(self.pixels, stage.MARGIN, stage.MARGIN - 4, title, TITLE_SIZE)
        for panel, name in enumerate(names):
            left, top = self.stage.corner(panel)
            ink.draw_words(self.pixels[:, : left + self.stage.side], left, top - stage.NAME + 4, name, WORD_SIZE)
            self.panel(panel)[:] = ink.EMPTY
        self.draw_legend()

    def panel(self, panel: int) -> Pixels:
        """The pixels of one panel."""
        left, top = self.stage.corner(panel)
        return self.pixels[top : top + self.stage.side, left : left + self.stage.side]

    def draw_legend(self) -> None:
        """Which weight has which colour, to the right of the panels."""
        left, top = self.stage.corner(self.stage.in_line - 1)
        left, height = left + self.stage.side + stage.GAP, self.stage.side
        ramp = np.arange(height)[::-1] * ink.N_COLOURS // height
        self.pixels[top : top + height, left : left + BAR_WIDTH] = ramp[:, None]
        for tick in TICKS:
            y = top + round((height - 1) * (1 - tick**self.scale.power)) - WORD_SIZE // 2 - 1
            ink.draw_words(self.pixels, left + BAR_WIDTH + 4, y, f"{tick:g}", WORD_SIZE - 1)

    def show(self, frame: Frame) -> Pixels:
        """Paint what the frame adds. The pixels are painted over by the next.

        Raises: ConfigError for a frame that does not fit the panels and positions.
        """
        patterns = np.asarray(frame.patterns, dtype=np.float32)
        self.check(patterns, len(frame.tokens))
        self.paint(patterns)
        self.mark(patterns.shape[2] - 1)
        for token in frame.tokens[self.flow.tokens :]:
            self.pieces += self.flow.add(token)
        self.write(newest=len(frame.tokens) - 1)
        return self.pixels

    def check(self, patterns: Array, n_tokens: int) -> None:
        """Refuse frames that cannot be painted."""
        panels, positions = len(self.values), self.stage.positions
        if patterns.ndim != 3 or len(patterns) != panels or not 0 < patterns.shape[1] <= patterns.shape[2] == n_tokens:
            raise ConfigError(f"a frame of shape {patterns.shape} does not fit {panels} panels and {n_tokens} tokens")
        if not self.flow.tokens <= n_tokens <= positions:
            raise ConfigError(f"a frame of {n_tokens} tokens is out of order; they grow to {positions} at most")

    def paint(self, patterns: Array) -> None:
        """Add the newest rows to the colours; positions that share a pixel show the largest weight."""
        block, cell = self.stage.block, self.stage.cell
        n, t = patterns.shape[1:]
        first = (t - n) // block
        columns = np.fmax.reduceat(patterns, np.arange(0, t, block), axis=2)
        for row in range(n):
            query = t - n + row
            seen = query // block + 1
            line = self.values[:, query // block, :seen]
            np.fmax(line, columns[:, row, :seen], out=line)
        colours = ink.indices(self.values[:, first : (t - 1) // block + 1], self.scale)
        for panel, rows in enumerate(colours.repeat(cell, axis=1).repeat(cell, axis=2)):
            self.panel(panel)[first * cell : first * cell + len(rows)] = rows

    def mark(self, query: int) -> None:
        """Point at the newest row, left of each panel."""
        side, height = self.stage.side, max(self.stage.cell, stage.LEAST_MARK)
        at = max(0, min(side - height, query // self.stage.block * self.stage.cell + (self.stage.cell - height) // 2))
        for panel in range(len(self.values)):
            left, top = self.stage.corner(panel)
            edge = self.pixels[top : top + side, left - stage.MARK : left - 2]
            edge[:] = ink.PAPER_TEXT
            edge[at : at + height] = ink.MARKED_TEXT

    def write(self, newest: int) -> None:
        """The last lines of the text, the newest token marked."""
        first = max(0, self.flow.line - stage.TEXT_LINES + 1)
        self.pieces = [piece for piece in self.pieces if piece.line >= first]
        self.pixels[self.stage.text_top :] = ink.PAPER_TEXT
        for piece in self.pieces:
            if piece.text:
                size = (stage.LETTER, stage.TEXT_PITCH, stage.TEXT_SIZE)
                cells = [ink.letter(character, *size) for character in piece.text]
                left = stage.MARGIN + piece.column * stage.LETTER
                top = self.stage.text_top + (piece.line - first) * stage.TEXT_PITCH
                shades = ink.MARKED_TEXT if piece.token == newest else ink.PAPER_TEXT
                ink.draw_letters(self.pixels, left, top, cells, shades)
