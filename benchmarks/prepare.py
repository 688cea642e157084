"""`cutaway prepare` next to tiktoken's own batch encoding of the same text.

    python -m benchmarks.prepare SOURCE… [--rounds 3] [--workers 2] [--json]
    python -m benchmarks.prepare SOURCE… --kills 20

Both sides use as many threads or processes and GPT-2's vocabulary. tiktoken gets the documents ready in memory and
keeps the ids there; `prepare` starts from the files, also decompresses, parses, hashes, splits and writes shards, and
starts its processes. Peak memory is that of all processes together, sampled. Besides the time by the clock, which
others on the machine change, stands the time of the processors, all of a side's processes together. With --kills,
prepare is killed at random moments, started again each time, and what it makes is compared with an uninterrupted
run's.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.timing import environment, median_ratio, report
from cutaway.data import PrepareSettings, all_pieces, find

ENCODE = """
import sys, time
import tiktoken
from cutaway.data import PrepareSettings, find
from cutaway.data.fragments import FileReader
from cutaway.tokenizer.fast import FastEncoder
from cutaway.tokenizer.gpt2 import gpt2_vocabulary

texts, held = [], ""
for file in find(sys.argv[2:]).files:
    for text, ends in FileReader(file, field="text", separator=None).fragments():
        held += text
        if ends:
            texts, held = texts + [held], ""
encoding = FastEncoder(gpt2_vocabulary())._encoding
start, start_cpu = time.perf_counter(), time.process_time()
encoding.encode_ordinary_batch(texts, num_threads=int(sys.argv[1]))
print(time.perf_counter() - start, time.process_time() - start_cpu)
"""
SAMPLE_S = 0.05


class Cost(NamedTuple):
    """What a run took."""

    seconds: float
    cpu_s: float
    peak_bytes: int


def memory_bytes(session: int) -> int:
    """Memory of all processes of a session; pages that they share count once each."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                total += 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # gone in the meantime
    return total


def cpu_s() -> float:
    """Seconds that processors have spent on finished commands and all of their processes."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def watched(command: list[str]) -> tuple[Cost, str]:
    """What a command takes, and its output."""
    start, start_cpu, peak = time.perf_counter(), cpu_s(), 0
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_S):
            peak = max(peak, memory_bytes(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    output, _ = process.communicate()
    done.set()
    sampler.join()
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return Cost(time.perf_counter() - start, cpu_s() - start_cpu, peak), output


def prepare_command(sources: list[str], out: Path, workers: int, *options: str) -> list[str]:
    """The command line that is measured."""
    command = [
        sys.executable,
        "-m",
        "cutaway",
        "prepare",
        *sources,
        "-o",
        str(out),
        "--workers",
        str(workers),
        "--json",
    ]
    return [*command, *options]


def run_prepare(sources: list[str], workers: int) -> Cost:
    """From nothing to a finished folder."""
    with tempfile.TemporaryDirectory() as folder:
        cost, _ = watched(prepare_command(sources, Path(folder) / "out", workers))
    return cost


def run_tiktoken(sources: list[str], workers: int) -> Cost:
    """The encoding alone; its memory with the documents."""
    cost, output = watched([sys.executable, "-c", ENCODE, str(workers), *sources])
    seconds, spent = map(float, output.split())
    return cost._replace(seconds=seconds, cpu_s=spent)


def measure(sources: list[str], workers: int, rounds: int) -> dict[str, Any]:
    """Both in turns."""
    megabytes = sum(len(piece.text.encode()) for piece in all_pieces(find(sources), PrepareSettings())) / 1e6
    contestants: dict[str, Callable[[list[str], int], Cost]] = {
        "cutaway prepare": run_prepare,
        "tiktoken alone": run_tiktoken,
    }
    results: dict[str, list[Cost]] = {name: [] for name in contestants}
    for number in range(rounds):
        print(f"\rround {number + 1}/{rounds}", end="\r", file=sys.stderr, flush=True)
        for name, run in contestants.items():
            results[name].append(run(sources, workers))
    seconds = {name: [run.seconds for run in runs] for name, runs in results.items()}
    spent = {name: [run.cpu_s for run in runs] for name, runs in results.items()}
    return {
        "text_mb": megabytes,
        "workers": workers,
        "mb_per_s": {name: megabytes / statistics.median(times) for name, times in seconds.items()},
        "mb_per_cpu_s": {name: megabytes / statistics.median(times) for name, times in spent.items()},
        "peak_mb": {name: max(run.peak_bytes for run in runs) / 1e6 for name, runs in results.items()},
        "speed_of_prepare_to_tiktoken": median_ratio(seconds["tiktoken alone"], seconds["cutaway prepare"]),
        "work_of_tiktoken_to_prepare": median_ratio(spent["tiktoken alone"], spent["cutaway prepare"]),
        "environment": environment(),
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_at_random(sources: list[str], workers: int, kills: int) -> list[str]:
    """Kill and start again, many times; the sentences that say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        whole, out, rng = Path(folder) / "whole", Path(folder) / "out", random.Random(0)
        small = ("--shard-mib", "1")  # many units, so that there is something to keep
        (seconds, _, _), _ = watched(prepare_command(sources, whole, workers, *small))
        lines = []
        for number in range(kills):
            command = prepare_command(sources, out, workers, *small)
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            after = rng.uniform(0.05, 0.6) * seconds
            try:
                process.wait(after)
                lines.append(f"{number + 1:3}. was done before it could be killed; starting over")
                shutil.rmtree(out)
            except subprocess.TimeoutExpired:
                # Every other time the parent alone: its workers must then end by themselves.
                (os.killpg if number % 2 else os.kill)(process.pid, signal.SIGKILL)
                process.wait()
                finished = len(list(out.glob(".progress/[0-9]*.json")))
                lines.append(f"{number + 1:3}. killed after {after:.1f} s with {finished} units finished")
        watched(prepare_command(sources, out, workers, *small))
        same = contents(out) == contents(whole)
        return [*lines, f"the {len(contents(whole))} files are {'identical' if same else 'DIFFERENT'}"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.kills:
        print("\n".join(kill_at_random(args.sources, args.workers, args.kills)))
        return
    result = measure(args.sources, args.workers, args.rounds)
    lines = [f"{result['text_mb']:.1f} MB of text, {args.workers} workers or threads"]
    lines += [
        f"{name:16} {result['mb_per_s'][name]:6.2f} MB/s, {result['mb_per_cpu_s'][name]:6.2f} MB per CPU second, "
        f"peak {result['peak_mb'][name]:5.0f} MB"
        for name in result["mb_per_s"]
    ]
    lines.append(
        f"prepare runs at {result['speed_of_prepare_to_tiktoken']:.2f} of the bare encoder's speed, "
        f"and {result['work_of_tiktoken_to_prepare']:.2f} of its work is the encoding"
    )
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
