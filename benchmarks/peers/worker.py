"""One contestant in a process of its own: orders come in as lines of JSON, answers go out so.

Runs in the contestant's environment, as a script: python worker.py ADAPTER FILES DTYPE THREADS

An adapter is a file with a class `Model(files, dtype, threads)`, which has
    read(rows, ids)       forget all, then read these tokens into each row, up to the logits after the last
    decode_s(rows, ids, steps)   the seconds of each of some new tokens, one after the other in every row, behind these
"""

import importlib.util
import json
import sys
import time
from pathlib import Path


def adapter(name):
    """The adapter of that name, a file beside this one."""
    file = Path(__file__).with_name("adapters") / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"adapter_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peak_bytes():
    """The largest resident size so far; Linux tells."""
    try:
        with Path("/proc/self/status").open() as status:
            return 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    except OSError:
        return None


def tokens(count):
    """So many ids, the same each time."""
    return [(7919 * i + 13) % 8000 for i in range(count)]


def main(name, files, dtype, threads):
    # This folder holds files that are named like libraries.
    sys.path = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]
    answers, sys.stdout = sys.stdout, sys.stderr  # some libraries chat
    load, start = adapter(name).Model, time.perf_counter()
    model = load(files, dtype, int(threads))
    load_s = time.perf_counter() - start
    model.read(1, tokens(4))
    print(json.dumps({"peak_bytes": peak_bytes(), "load_s": load_s}), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["steps"]:
            seconds = model.decode_s(order["rows"], tokens(order["length"]), order["steps"])
        else:
            start = time.perf_counter()
            model.read(order["rows"], tokens(order["length"]))
            seconds = [time.perf_counter() - start]
        print(json.dumps({"seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
