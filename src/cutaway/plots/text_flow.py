"""Where the letters of a text go, token by token, on lines of equally wide letters."""

from typing import NamedTuple

from cutaway.plots import glyphs

RETURN = "↵"


class Piece(NamedTuple):
    """A stretch of a token on one line."""

    token: int
    line: int
    column: int
    text: str


class TextFlow:
    """A text that grows: a line ends where the text says so, or before a token that does not fit."""

    def __init__(self, columns: int) -> None:
        self.columns, self.tokens, self.line, self.column = columns, 0, 0, 0

    def add(self, token: str) -> list[Piece]:
        """The stretches of one more token."""
        *ended, rest = token.split("\n")
        pieces = [piece for text in ended for piece in self._put(text + RETURN, ends=True)]
        pieces += self._put(rest, ends=False)
        self.tokens += 1
        return pieces

    def _put(self, text: str, *, ends: bool) -> list[Piece]:
        shown = glyphs.visible(text, glyphs.MONO)
        if self.column + len(shown) > self.columns and self.column:
            self._next_line()
        pieces = []
        for start in range(0, len(shown), self.columns):
            if self.column == self.columns:
                self._next_line()
            pieces.append(piece := Piece(self.tokens, self.line, self.column, shown[start : start + self.columns]))
            self.column += len(piece.text)
        if ends:
            self._next_line()
        return pieces

    def _next_line(self) -> None:
        self.line, self.column = self.line + 1, 0
