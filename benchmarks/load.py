"""How long checkpoints take to load and how much memory that needs, next to transformers, each in a fresh process.

    python -m benchmarks.load [--models gpt2 gpt2-medium gpt2-large gpt2-xl] [--rounds 3] [--json]

The checkpoints are written by transformers with random weights. Peak memory is the largest resident size of the
process (VmHWM), Python and torch included; `mapped` is the part that lies in files when all is done, pages that several
processes share and the system takes back when others need them; `own` is the rest. The ratio is of the time from the
start of loading to the first logits: whoever maps a file without looking at it pays for reading it then. Linux only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.timing import environment, median_ratio, report
from cutaway.config import PRESETS

LIBRARIES = ("cutaway", "transformers")
TOKENS = [464, 3290, 318, 257, 922, 3290, 13, 198]

WRITE = """
import sys, torch
from transformers import GPT2Config, GPT2LMHeadModel
from cutaway.config import PRESETS
torch.manual_seed(0)
GPT2LMHeadModel(GPT2Config(**PRESETS[sys.argv[1]])).save_pretrained(sys.argv[2])
"""

LOAD = """
import json, sys, time, torch
library, folder, tokens = sys.argv[1], sys.argv[2], torch.tensor([json.loads(sys.argv[3])])

def memory_bytes(key):
    with open("/proc/self/status") as status:
        return 1024 * int(next(line for line in status if line.startswith(key)).split()[1])

if library == "cutaway":
    from cutaway.weights import load_model as load
else:
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    load = transformers.GPT2LMHeadModel.from_pretrained
start = time.perf_counter()
model = load(folder)
loaded = time.perf_counter()
with torch.inference_mode():
    output = model.eval()(tokens)
    logits = (output[0] if library == "cutaway" else output.logits)[0, -1]
ran = time.perf_counter()
print(json.dumps({
    "load_s": loaded - start,
    "first_logits_s": ran - loaded,
    "ready_s": ran - start,
    "peak_bytes": memory_bytes("VmHWM"),
    "own_bytes": memory_bytes("RssAnon"),
    "mapped_bytes": memory_bytes("RssFile"),
    "logits": logits[:1000].tolist(),
}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(PRESETS), default=["gpt2"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = [measure(model, arguments.rounds) for model in arguments.models]
    report({"environment": environment(), "models": results}, table(results), arguments.json)


def measure(model: str, rounds: int) -> dict[str, Any]:
    """Medians over the rounds for each library, after one that warms the page cache, and their ratios."""
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        in_own_process(WRITE, model, folder)
        checkpoint_bytes = sum(file.stat().st_size for file in Path(folder).iterdir())
        turns = [[load(library, folder) for library in LIBRARIES] for _ in range(rounds + 1)]
    logits = [loaded.pop("logits") for loaded in turns[0]]
    columns = dict(zip(LIBRARIES, zip(*turns[1:], strict=True), strict=True))
    return {
        "model": model,
        "checkpoint_bytes": checkpoint_bytes,
        "max_logit_difference": max(abs(a - b) for a, b in zip(*logits, strict=True)),
        **{library: medians(column) for library, column in columns.items()},
        "ready_time_ratio": ratio(columns, "ready_s"),
        "peak_memory_ratio": ratio(columns, "peak_bytes"),
    }


def load(library: str, folder: str) -> dict[str, Any]:
    """One measurement."""
    return json.loads(in_own_process(LOAD, library, folder, json.dumps(TOKENS)))


def medians(column: tuple[dict[str, Any], ...]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(loaded[key] for loaded in column) for key in column[0] if key != "logits"}


def ratio(columns: dict[str, tuple[dict[str, Any], ...]], key: str) -> float:
    """How many times transformers' figure is ours."""
    theirs, ours = ([loaded[key] for loaded in columns[library]] for library in reversed(LIBRARIES))
    return median_ratio(theirs, ours)


def in_own_process(program: str, *arguments: str) -> str:
    """What the program prints."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def table(results: list[dict[str, Any]]) -> list[str]:
    """The results for people."""
    lines = [f"{'':12} {'':12} {'load':>9} {'first logits':>13} {'peak MiB':>9} {'own MiB':>9} {'mapped MiB':>10}"]
    for result in results:
        for library in LIBRARIES:
            m = result[library]
            mib = {key: m[f"{key}_bytes"] / 2**20 for key in ("peak", "own", "mapped")}
            times = f"{m['load_s']:7.3f} s {m['first_logits_s']:11.3f} s"
            memory = f"{mib['peak']:9,.0f} {mib['own']:9,.0f} {mib['mapped']:10,.0f}"
            lines.append(f"{result['model']:12} {library:12} {times} {memory}")
        size_mib, apart = result["checkpoint_bytes"] / 2**20, result["max_logit_difference"]
        ratios = f"{result['ready_time_ratio']:.2f} times as long and {result['peak_memory_ratio']:.2f} times the peak"
        lines.append(f"  checkpoint {size_mib:,.0f} MiB; logits within {apart:.1e}; transformers takes {ratios}")
    return lines


if __name__ == "__main__":
    main()
