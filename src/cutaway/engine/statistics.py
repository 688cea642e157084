"""What an engine has done so far."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Counts of samples now, and of tokens since the start."""

    running: int = 0
    waiting: int = 0
    held_tokens: int = 0
    """Tokens whose keys and values are kept, those promised to running samples included."""
    tokens_read: int = 0
    tokens_reused: int = 0
    """Tokens that were not read, because another slot held them."""
    tokens_made: int = 0
