"""Layers, heads and rows as they are typed, checked against the model: one of them, or `0-3,7`."""

import re

from cutaway.errors import InspectionError


def one(option: str, number: int, count: int, what: str) -> int:
    """A place counted from the front, given from the front or, below zero, from the back.

    Raises: InspectionError when there is no such place.
    """
    if not -count <= number < count:
        raise InspectionError(f"{option} {number:,} is out of range; the model has {what} 0 to {count - 1:,}")
    return number % count


def several(option: str, text: str, count: int, what: str) -> list[int]:
    """The places that a text such as `0-3,7` names, in its order, each once.

    Raises: InspectionError for another form, or a place that is not there.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise InspectionError(f"{option} {text!r} is not of the form 0-3,7; give {what} and ranges of them")
        first, last = int(match[1]), int(match[2] or match[1])
        if last >= count or first > last:
            raise InspectionError(f"{option} {part.strip()} is out of range; the model has {what} 0 to {count - 1:,}")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)
