"""In which order a tree of passages is read: in lanes, each a slot of the cache, side by side.

A lane reads a run and what follows it, then forgets the one and reads the next: the endings of a question come one
after the other behind its context, and nothing is copied. Runs that very many passages go through, such as worked
examples, are followed by a lane for each of the next, which begins with a copy, so that many are read together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cutaway.evals.prefix_tree import Run

MOST_IN_A_LANE = 16
"""Passages: more than the answers to a question, fewer than the questions that share their examples."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Runs that one slot reads, each from its start, where an earlier one has left off or passed by."""

    parent: int | None
    """Which lane of the stage before is copied."""
    runs: Sequence[Run]

    @property
    def room(self) -> int:
        """How many tokens the slot holds."""
        return max(run.end for run in self.runs)


def stages(tree: Sequence[Sequence[Run]]) -> Iterator[list[Lane]]:
    """The lanes of a tree of runs, stage by stage: those of a stage begin where one of the stage before ended."""
    after: list[list[list[int]]] = [[[] for _ in level] for level in tree]
    for depth, level in enumerate(tree[1:]):
        for index, run in enumerate(level):
            assert run.parent is not None, "only the first level comes from nothing"
            after[depth][run.parent].append(index)
    heads: dict[int, int | None] = dict.fromkeys(range(len(tree[0]))) if tree else {}
    depth = 0
    while heads:
        lanes: list[Lane] = []
        following: dict[int, int | None] = {}
        for index, parent in heads.items():
            runs = [tree[depth][index]]
            if len(runs[0].rows) <= MOST_IN_A_LANE:
                runs = list(_through(tree, after, depth, index))
            else:
                following |= dict.fromkeys(after[depth][index], len(lanes))
            lanes.append(Lane(parent=parent, runs=runs))
        yield lanes
        heads, depth = following, depth + 1


def _through(tree: Sequence[Sequence[Run]], after: list[list[list[int]]], depth: int, index: int) -> Iterator[Run]:
    """A run, then each that follows it with all that follows that."""
    yield tree[depth][index]
    for follower in after[depth][index]:
        yield from _through(tree, after, depth + 1, follower)
