"""The loss curve of a run's log as an SVG picture, and the log thinned to what the picture needs.

Usage: python scripts/draw_loss.py RUN/log.jsonl FOLDER    writes FOLDER/loss.svg and FOLDER/loss.jsonl
"""

import json
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 56, 48, 24, 16
LINES = 300
COLOURS = {"children": "#d1495b", "stories": "#00798c", "novels": "#8d6a9f"}
Points = list[tuple[float, float]]


def main(log: Path, folder: Path) -> None:
    lines = thinned([json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()])
    folder.joinpath("loss.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    folder.joinpath("loss.svg").write_text(picture(lines), encoding="utf-8")


def thinned(lines: list[dict]) -> list[dict]:
    """Every evaluation and an even choice of the losses."""
    losses = [line for line in lines if "loss" in line]
    every = max(1, len(losses) // LINES)
    kept = [line for line in lines if "loss" not in line] + losses[::every]
    return sorted(kept, key=lambda line: line["elapsed_s"])


def picture(lines: list[dict]) -> str:
    """Two panels side by side: the training loss, and bits per byte of held-out books, over the minutes."""
    minutes = max(line["elapsed_s"] for line in lines) / 60
    loss = [(line["elapsed_s"] / 60, line["loss"]) for line in lines if "loss" in line]
    curves = {kind: held_out(lines, kind) for kind in COLOURS}
    half = WIDTH / 2
    body = panel(0, half, minutes, {"": ("#444", loss)}, "training loss, nats per token", 1.0)
    named = {kind: (COLOURS[kind], points) for kind, points in curves.items()}
    body += panel(half, half, minutes, named, "held-out books, bits per byte", 0.2)
    size = f"xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}'"
    style = "font-family='sans-serif' font-size='12' fill='#222'"
    return f"<svg {size} {style}>\n<rect width='100%' height='100%' fill='#fff'/>\n{body}</svg>\n"


def held_out(lines: list[dict], kind: str) -> Points:
    """Bits per byte of one kind of books over the minutes."""
    return [(line["elapsed_s"] / 60, line["bits_per_byte"][kind]) for line in lines if "bits_per_byte" in line]


def panel(
    x0: float, width: float, minutes: float, curves: dict[str, tuple[str, Points]], title: str, step: float
) -> str:
    """One pair of axes with its curves, `step` apart on the vertical axis."""
    values = [value for _, points in curves.values() for _, value in points]
    low, high = step * (min(values) // step), step * (max(values) // step + 1)
    left, right, bottom = x0 + LEFT, x0 + width - RIGHT, HEIGHT - BOTTOM

    def place(minute: float, value: float) -> tuple[float, float]:
        across, up = minute / minutes, (value - low) / (high - low)
        return left + across * (right - left), bottom - up * (bottom - TOP - 16)

    out = f"<text x='{left}' y='{TOP}' font-weight='bold'>{title}</text>\n"
    for number in range(round((high - low) / step) + 1):
        _, y = place(0, low + number * step)
        out += f"<path d='M{left} {y:.1f}H{right}' stroke='#ddd'/>"
        out += f"<text x='{left - 6}' y='{y + 4:.1f}' text-anchor='end'>{low + number * step:.1f}</text>\n"
    for minute in range(0, int(minutes) + 1, 15 if minutes <= 150 else 30):
        x, _ = place(minute, low)
        out += f"<text x='{x:.1f}' y='{bottom + 18}' text-anchor='middle'>{minute}</text>\n"
    out += f"<text x='{(left + right) / 2}' y='{HEIGHT - 8}' text-anchor='middle'>minutes</text>\n"
    for number, (name, (colour, points)) in enumerate(curves.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        out += f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='1.6'/>\n"
        out += f"<text x='{right}' y='{TOP + 34 + 16 * number}' text-anchor='end' fill='{colour}'>{name}</text>\n"
    return out


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
