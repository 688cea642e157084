"""Passages that begin alike, as a tree: what several of them share is read once.

The four endings of a question share the question, two sentences of a minimal pair share their beginning, and prompts
with worked examples share the examples. Nobody has to say so: the tokens do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WORTH_SHARING = 4
"""Tokens; a branch for fewer would save less than one more step costs."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Neighbouring tokens that the same rows go through."""

    parent: int | None
    """Which run of the level before comes before it."""
    start: int
    """Position of its first token."""
    tokens: Sequence[int]
    rows: tuple[int, ...]
    """Which rows go through it; they end with it or later."""

    @property
    def end(self) -> int:
        """Position behind its last token."""
        return self.start + len(self.tokens)


@dataclass(frozen=True, kw_only=True)
class _Bundle:
    """Rows, in the order of their tokens, that are equal up to a position."""

    parent: int | None
    start: int
    members: Sequence[int]


def levels(rows: Sequence[Sequence[int]]) -> list[list[Run]]:
    """The tree of rows of tokens, from its roots to its leaves: the runs of a level go on where one before ends."""
    tree: list[list[Run]] = []
    order = sorted(range(len(rows)), key=lambda index: list(rows[index]))
    bundles = [_Bundle(parent=None, start=0, members=order)] if order else []
    while bundles:
        level: list[Run] = []
        following: list[_Bundle] = []
        for bundle in bundles:
            for members in _split(rows, bundle):
                run = _run(rows, bundle, members)
                left = [index for index in members if len(rows[index]) > run.end]
                if left:
                    following.append(_Bundle(parent=len(level), start=run.end, members=left))
                level.append(run)
        tree.append(level)
        bundles = following
    return tree


def _run(rows: Sequence[Sequence[int]], bundle: _Bundle, members: Sequence[int]) -> Run:
    first, last = rows[members[0]], rows[members[-1]]
    # In order, the first and the last differ the most. Of equals each must be read to its end.
    end = shared(first, last, bundle.start)
    return Run(parent=bundle.parent, start=bundle.start, tokens=first[bundle.start : end], rows=tuple(sorted(members)))


def _split(rows: Sequence[Sequence[int]], bundle: _Bundle) -> Iterator[Sequence[int]]:
    """The members in groups that share enough of what comes next."""
    group = [bundle.members[0]]
    for before, index in zip(bundle.members, bundle.members[1:], strict=False):
        one, other = rows[before], rows[index]
        if shared(one, other, bundle.start) - bundle.start >= min(WORTH_SHARING, len(one) - bundle.start):
            group.append(index)
        else:
            yield group
            group = [index]
    yield group


def shared(one: Sequence[int], other: Sequence[int], start: int = 0) -> int:
    """Up to which position two rows of tokens are equal, given that they are up to `start`."""
    for position in range(start, min(len(one), len(other))):
        if one[position] != other[position]:
            return position
    return min(len(one), len(other))
