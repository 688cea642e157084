"""The results for people: a table, and ours against the best peer of each precision."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.peers.measure import OURS

BESIDE = f"{'start, s':>9} {'peak MB':>8}"


def lines(result: dict[str, Any]) -> list[str]:
    """All of it."""
    tasks = list(result["tasks"])
    head = f"{'tokens/s':<26}" + "".join(f"{task:>18}" for task in tasks) + BESIDE
    rows = [line(row, tasks) for row in result["rows"]]
    return [head, *rows, "", *ratio_lines(result, tasks), "", *floor_lines(result)]


def line(row: dict[str, Any], tasks: Sequence[str]) -> str:
    """One contestant."""
    cells = [f"{row['tokens_per_s'][task]:>18,.1f}" if task in row["tokens_per_s"] else f"{'':>18}" for task in tasks]
    start = "" if row["first_token_s"] is None else f"{row['first_token_s']:.2f}"
    peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}"
    return f"{row['library'] + ' ' + row['dtype']:<26}" + "".join(cells) + f"{start:>9} {peak:>8}"


def best_peers(result: dict[str, Any], tasks: Sequence[str]) -> dict[str, dict[str, tuple[str, float]]]:
    """By precision and task: the fastest peer, and how many times as fast ours is."""
    found: dict[str, dict[str, tuple[str, float]]] = {}
    for row in result["rows"]:
        if row["library"] == OURS:
            continue
        best = found.setdefault(row["precision"], {})
        for task in tasks:
            ratio = row["ours_to_it"].get(task)
            if ratio is not None and ratio < best.get(task, ("", float("inf")))[1]:
                best[task] = (row["library"], ratio)
    return found


def ratio_lines(result: dict[str, Any], tasks: Sequence[str]) -> Iterator[str]:
    """How many times as fast ours is as the best peer."""
    yield f"{'ours / the best peer':<26}" + "".join(f"{task:>18}" for task in tasks)
    for precision, best in best_peers(result, tasks).items():
        cells = [f"{best[task][1]:.2f} {best[task][0]}" if task in best else "" for task in tasks]
        yield f"{precision:<26}" + "".join(f"{cell:>18}" for cell in cells)


def floor_lines(result: dict[str, Any]) -> Iterator[str]:
    """What memory allows, and how much of it ours reaches."""
    yield "decoding at batch 1, as fast as memory was read in the same turns:"
    for precision, memory in result["memory"].items():
        speed, floor = memory["bandwidth_bytes_per_s"] / 1e9, memory["floor_tokens_per_s"]
        used = f"ours reaches {memory['ours_of_floor']:.2f} of it"
        yield f"{precision:<6} {speed:.1f} GB/s allow {floor:.0f} tokens/s; {used}"
