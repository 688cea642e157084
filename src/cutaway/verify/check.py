"""What one check found: that all is well, or what was expected, what was seen, and what usually causes it."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    seen: str
    """What was found; for a skipped check, why it was not made."""
    expected: str = ""
    """What should have been found, where it was not."""
    cause: str = ""
    """What usually causes it."""

    def to_dict(self) -> dict[str, Any]:
        """The check, ready for JSON."""
        return dataclasses.asdict(self)


def passed(name: str, seen: str) -> Check:
    """All is well."""
    return Check(name=name, state="passed", seen=seen)


def failed(name: str, *, expected: str, seen: str, cause: str) -> Check:
    """Something is wrong."""
    return Check(name=name, state="failed", seen=seen, expected=expected, cause=cause)


def skipped(name: str, why: str) -> Check:
    """It could not be looked at, or does not apply."""
    return Check(name=name, state="skipped", seen=why)


def judged(name: str, *, holds: bool, seen: str, expected: str, cause: str) -> Check:
    """Passed or failed, as it turns out."""
    return passed(name, seen) if holds else failed(name, expected=expected, seen=seen, cause=cause)
