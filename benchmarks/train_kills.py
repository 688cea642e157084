"""Kill a training run without warning, again and again, and see whether it ends as if nobody had.

Usage: python -m benchmarks.train_kills [KILLS]

A small model is trained in a process of its own, with dropout and both optimizers, a checkpoint every few steps. The
process is killed at random moments (with so many checkpoints, many fall into the writing of one), started again, and
so on. In the end the weights and the logged losses must be those of a run that was left alone, bit by bit.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from cutaway.tokenizer import Tokenizer
from cutaway.weights import load_model

CONFIG = """
tokenizer = "{folder}"
out = "{out}"
steps = 400
seed = 1
checkpoint_every = 2
log_every = 1
eval_every = 50
eval_windows = 2
outlier_sigmas = 4.0
device = "cpu"
[model]
n_layer = 2
n_head = 2
n_embd = 32
block_size = 32
vocab_size = 257
dropout = 0.1
[[sources]]
path = "{folder}/text.npy"
rows = 4
[held_out]
text = "{folder}/text.npy"
"""
TEXT = "The cat sat on the mat. The dog sat on the log. The frog sat on the bog.\n" * 100


def main(kills: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = Tokenizer.train([], 257)
        tokenizer.save(folder)
        np.save(folder / "text.npy", np.array(tokenizer.encode(TEXT), dtype=np.uint16))
        start(folder, "whole").wait()
        reached = kill_repeatedly(folder, kills)
        print(f"{len(reached)} kills, at steps {', '.join(map(str, reached))}")
        start(folder, "killed").wait()
        same = weights(folder / "whole") == weights(folder / "killed")
        same_log = losses(folder / "whole") == losses(folder / "killed")
        print(
            f"final weights {'identical' if same else 'DIFFER'}, logged losses {'identical' if same_log else 'DIFFER'}"
        )
        return 0 if same and same_log else 1


def start(folder: Path, name: str) -> subprocess.Popen:
    """A run as a process."""
    config = folder / f"{name}.toml"
    config.write_text(CONFIG.format(folder=folder.as_posix(), out=(folder / name).as_posix()))
    return subprocess.Popen([sys.executable, "-m", "cutaway.train", str(config)], env=os.environ)


def kill_repeatedly(folder: Path, kills: int) -> list[int]:
    """Start and kill the run so many times; the checkpoint that each kill left."""
    rng, reached = random.Random(0), [0]
    for _ in range(kills):
        process = start(folder, "killed")
        while process.poll() is None and newest(folder / "killed") <= reached[-1]:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            print("the run was over before it could be killed: give it more steps")
            break
        reached.append(newest(folder / "killed"))
    return reached[1:]


def newest(run: Path) -> int:
    """The step of the newest checkpoint."""
    return max((int(path.name.removeprefix("step-")) for path in run.glob("checkpoints/step-*")), default=0)


def weights(run: Path) -> dict[str, bytes]:
    """Every weight as its bytes."""
    return {name: value.numpy().tobytes() for name, value in load_model(run / "latest").state_dict().items()}


def losses(run: Path) -> list[tuple[int, float]]:
    """What the log says of each step."""
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
