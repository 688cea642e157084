"""What two texts begin with alike."""


def shared_prefix(one: list[int], other: list[int]) -> int:
    """How many tokens two texts have in common from the beginning on."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
