"""A suffix automaton: all parts of some texts at once, so that a stream of tokens is matched at one step a token.

Each state stands for the parts of the texts that end at the same places; its link leads to the longest shorter part
that ends in more places. Source: Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text".
"""

from collections.abc import Sequence

ROOT = 0


class SuffixAutomaton:
    """The parts of some texts, none of which reaches from one text into the next."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self.following: list[dict[int, int]] = [{}]
        self.link, self.length = [-1], [0]
        self._last = ROOT
        self.prefixes: list[list[int]] = []
        """For each text the states of what it is up to each of its tokens."""
        for text in texts:
            self._last = ROOT
            self.prefixes.append([self._extend(token) for token in text])

    def step(self, state: int, matched: int, token: int) -> tuple[int, int]:
        """From the longest part that a stream ends with, and its length, to that after one more token."""
        while state != ROOT and token not in self.following[state]:
            state = self.link[state]
            matched = self.length[state]
        if token in self.following[state]:
            return self.following[state][token], matched + 1
        return ROOT, 0

    def _extend(self, token: int) -> int:
        """Make the text one token longer; the state of what it is now."""
        begun = self._last
        if token in self.following[begun]:
            # An earlier text went the same way.
            self._last = self._split_if_longer(begun, token)
            return self._last
        state = self._new(self.length[begun] + 1)
        at = begun
        while at != -1 and token not in self.following[at]:
            self.following[at][token] = state
            at = self.link[at]
        self.link[state] = ROOT if at == -1 else self._split_if_longer(at, token)
        self._last = state
        return state

    def _split_if_longer(self, at: int, token: int) -> int:
        """The state after `at` and a token, split off where it stands for longer parts too."""
        there = self.following[at][token]
        if self.length[there] == self.length[at] + 1:
            return there
        copy = self._new(self.length[at] + 1)
        self.following[copy], self.link[copy] = dict(self.following[there]), self.link[there]
        while at != -1 and self.following[at].get(token) == there:
            self.following[at][token] = copy
            at = self.link[at]
        self.link[there] = copy
        return copy

    def _new(self, length: int) -> int:
        self.following.append({})
        self.link.append(ROOT)
        self.length.append(length)
        return len(self.length) - 1
