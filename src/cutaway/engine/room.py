"""How much room the slots of a cache have: it grows with the longest text, so that short ones do not pay for long."""

FIRST_ROOM = 64
"""Tokens that each slot has room for at first."""


def grown_room(room: int, tokens: int, context: int) -> int:
    """The room that slots of `room` tokens need for so many: doubled, so that it is rarely too small, up to all."""
    return room if tokens <= room else min(max(tokens, 2 * room), context)
