"""Colours behind text on a terminal: white where there is nothing, stronger the more there is."""

PAPER, POSITIVE, NEGATIVE = (255, 255, 255), (217, 95, 2), (33, 102, 172)
"""Orange and blue: people of any eyesight tell them apart."""

FAINT = 0.04


def ground(shade: float | None) -> str:
    """A style of rich for a strength from -1 to 1; none for next to nothing, so that most of a screen stays plain."""
    if shade is None or not abs(shade) >= FAINT:  # not: for NaN is no number to compare
        return ""
    strength, end = min(abs(shade), 1.0), POSITIVE if shade > 0 else NEGATIVE
    red, green, blue = (round(low + (high - low) * strength) for low, high in zip(PAPER, end, strict=True))
    ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "black"
    return f"{ink} on rgb({red},{green},{blue})"
