"""Large numbers as people read them."""

PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def scaled(value: float, unit: str) -> str:
    """A quantity with the prefix that leaves one to three digits before the point: 548,105,171 B are 548 MB."""
    step = 0
    # 999.5 would round to 1000, which has a prefix of its own.
    while value >= 999.5 and step < len(PREFIXES) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g} {PREFIXES[step]}{unit}"
