"""An exercise of the guide: a question, and a way to find out by running whether an answer is right."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Verdict(NamedTuple):
    """What came of an answer."""

    right: bool
    remark: str
    """What was found when it was tried, right or not."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One question of a chapter."""

    question: str
    """In Markdown."""
    hint: str
    """Shown after an answer that is not right yet."""
    check: Callable[[str], Verdict]

    def verdict(self, answer: str) -> Verdict:
        """What comes of an answer; one that is empty is not right yet."""
        return self.check(answer) if answer.strip() else Verdict(False, "no answer yet")


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """The exercises of a chapter, the first of which is answered under the letter a."""

    title: str
    exercises: tuple[Exercise, ...]

    def by_letter(self) -> dict[str, Exercise]:
        """Each exercise under the letter it is answered by."""
        return {chr(ord("a") + place): exercise for place, exercise in enumerate(self.exercises)}


def number_check(right: Callable[[], float], unit: str, tolerance: float = 0.0) -> Callable[[str], Verdict]:
    """A check of a number against the one that `right` works out, or comes as near as the tolerance allows."""

    def check(answer: str) -> Verdict:
        number = number_in(answer)
        if number is None:
            return Verdict(False, f"{answer!r} is not a number")
        if abs(number - right()) <= tolerance:
            return Verdict(True, f"{right():,.10g} {unit}".rstrip())
        return Verdict(False, f"it is not {number:,.10g} {unit}".rstrip())

    return check


def number_in(answer: str) -> float | None:
    """The number that an answer is, commas between thousands allowed; None where it is none."""
    try:
        return float(answer.replace(",", "").replace("_", "").strip())
    except ValueError:
        return None
