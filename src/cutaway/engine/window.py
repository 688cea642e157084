"""Which part of a text is read for its next token: the one place in the engine that knows the rule past the context."""


def window_start(length: int, context: int) -> int:
    """Where the window of a text of that many tokens begins; it ends where the text does.

    The rule is the plain reader's: within the context everything is read, past it the last `context` tokens alone. The
    rest of the engine only compares what a slot holds with what the window wants, and would serve another rule too.
    """
    return max(0, length - context)


def shared_prefix(one: list[int], other: list[int]) -> int:
    """How many tokens two texts have in common from the beginning on."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
