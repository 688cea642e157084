"""Where everything stands in the frames of an animation, in pixels."""

from dataclasses import dataclass

from cutaway.errors import ConfigError

PANEL = 288
"""The side of a panel, if its positions divide it."""

MAX_PANEL = 512
MAX_WIDTH, TEXT_WIDTH = 1400, 640
MARGIN, GAP, MARK, LEAST_MARK = 16, 22, 8, 4
TITLE, NAME, LEGEND = 26, 22, 64
TEXT_LINES, TEXT_PITCH, LETTER, TEXT_SIZE = 5, 18, 8, 13
"""A letter of DejaVu Sans Mono of 13 pixels moves 7.83, which is drawn letter by letter as 8."""

MAX_PANELS = 48


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The places for so many panels of so many positions, a title, a legend and the text below.

    Raises: ConfigError for more panels than one can look at, or none.
    """

    panels: int
    positions: int
    titled: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.panels <= MAX_PANELS:
            raise ConfigError(f"{self.panels} panels make no animation; choose 1 to {MAX_PANELS}")
        if self.positions < 1:
            raise ConfigError(f"{self.positions} positions make no animation; give at least one token")

    @property
    def cell(self) -> int:
        """How many pixels a position takes."""
        return max(1, PANEL // self.positions)

    @property
    def block(self) -> int:
        """How many positions share a pixel."""
        return -(-self.positions // MAX_PANEL)

    @property
    def side(self) -> int:
        """Pixels along a panel."""
        return -(-self.positions // self.block) * self.cell

    @property
    def in_line(self) -> int:
        """How many panels stand side by side, the lines as even as can be."""
        most = max(1, (MAX_WIDTH - 2 * MARGIN - LEGEND) // (self.side + GAP))
        lines = -(-self.panels // most)
        return -(-self.panels // lines)

    @property
    def lines(self) -> int:
        """How many lines of panels there are."""
        return -(-self.panels // self.in_line)

    @property
    def width(self) -> int:
        """Pixels of a frame from left to right; even, as films want it."""
        panels = self.in_line * (self.side + GAP) - GAP + LEGEND
        return even(2 * MARGIN + max(panels, TEXT_WIDTH))

    @property
    def height(self) -> int:
        """Pixels of a frame from top to bottom; even too."""
        return even(self.text_top + TEXT_LINES * TEXT_PITCH + MARGIN)

    @property
    def text_top(self) -> int:
        """Where the text begins."""
        return MARGIN + TITLE * self.titled + self.lines * (self.side + NAME + GAP)

    @property
    def columns(self) -> int:
        """How many letters fit on a line."""
        return (self.width - 2 * MARGIN) // LETTER

    def corner(self, panel: int) -> tuple[int, int]:
        """The left and the top of a panel's colours."""
        line, place = divmod(panel, self.in_line)
        left = MARGIN + place * (self.side + GAP)
        return left, MARGIN + TITLE * self.titled + NAME + line * (self.side + NAME + GAP)


def even(n: int) -> int:
    """The next even number."""
    return n + n % 2
