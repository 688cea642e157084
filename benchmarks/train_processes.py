"""Train with 1, 2 and 4 processes, by DDP and by FSDP2, and lay the loss curves over each other.

Usage: python -m benchmarks.train_processes FOLDER [STEPS]

A small model learns this package's own source code, on the CPU over gloo, each time with the same seed. Also: a run of
four processes with FSDP2 is stopped half-way and gone on with by two; and of a run of two processes one is killed
without warning, torchrun starts both again, and the weights must end up the same bit by bit. FOLDER gets the logs, the
checkpoints and a picture, losses.png.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

import cutaway
from cutaway.tokenizer import Tokenizer
from cutaway.train.config import TrainConfig
from cutaway.train.loop import train
from cutaway.weights import load_model

CONFIG = """
tokenizer = "{folder}"
out = "{out}"
parallel = "{parallel}"
steps = {steps}
warmup = 0.1
micro_rows = 1
log_every = 1
checkpoint_every = 5
eval_every = 20
eval_windows = 8
device = "cpu"
[optimizer]
adamw_lr = 0.01
weight_decay = 0.1
[model]
n_layer = 4
n_head = 4
n_embd = 64
block_size = 64
vocab_size = 257
[[sources]]
path = "{folder}/text.npy"
rows = 8
[held_out]
text = "{folder}/text.npy"
"""
RUNS = {"1": ("ddp", 1), "2 DDP": ("ddp", 2), "4 DDP": ("ddp", 4), "2 FSDP2": ("fsdp", 2), "4 FSDP2": ("fsdp", 4)}


def main(folder: Path, steps: int) -> int:
    prepare(folder)
    curves = {name: run(folder, steps, name, parallel, n) for name, (parallel, n) in RUNS.items()}
    first = run(folder, steps, "4, then 2 FSDP2", "fsdp", 4, stop_after=steps // 2)
    curves["4, then 2 FSDP2"] = first + run(folder, steps, "4, then 2 FSDP2", "fsdp", 2)
    for name, losses in curves.items():
        print(f"{name:<16} first {losses[0]:.6f}  last {losses[-1]:.6f}  away {away(losses, curves['1']):.1e} at most")
    same = survives_a_kill(folder, steps)
    print(f"2 DDP, one killed and started again: final weights {'identical' if same else 'DIFFER'}")
    draw(curves, folder / "losses.png")
    print(folder / "losses.png")
    return 0 if same and max(away(losses, curves["1"]) for losses in curves.values()) < 1e-3 else 1


def prepare(folder: Path) -> None:
    """The package's source as bytes, each a token."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.train([], 257)
    tokenizer.save(folder)
    files = sorted(Path(cutaway.__file__).parent.glob("*.py"))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    np.save(folder / "text.npy", np.array(tokenizer.encode(text), dtype=np.uint16))


def run(folder: Path, steps: int, name: str, parallel: str, processes: int, stop_after: int = 0) -> list[float]:
    """The exact loss of each step of a run."""
    begun = start(folder, steps, name, parallel, processes, stop_after)
    if begun.wait() != 0:
        sys.exit(f"{name} failed: see above")
    return json.loads((folder_of(folder, name) / "losses.json").read_text())


def start(folder: Path, steps: int, name: str, parallel: str, processes: int, stop_after: int = 0) -> subprocess.Popen:
    """A run as so many processes."""
    out = folder_of(folder, name)
    out.mkdir(exist_ok=True)
    config = out / "run.toml"
    config.write_text(CONFIG.format(folder=folder.as_posix(), out=out.as_posix(), parallel=parallel, steps=steps))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts=1"]
    arguments = [f"--nproc-per-node={processes}", "-m", "benchmarks.train_processes", "worker", config, stop_after]
    return subprocess.Popen([*torchrun, *map(str, arguments)], env={**os.environ, "OMP_NUM_THREADS": "1"})


def work(config: Path, stop_after: int) -> None:
    """Be one of the processes."""
    losses: list[float] = []
    (config.parent / f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    train(
        TrainConfig.from_toml(config),
        stopping=lambda: bool(stop_after) and len(losses) == stop_after,
        watch=lambda reading: losses.append(reading.loss),
    )
    if os.environ["RANK"] == "0":
        (config.parent / "losses.json").write_text(json.dumps(losses))


def survives_a_kill(folder: Path, steps: int) -> bool:
    """Whether a run of which a process was killed ends with the weights of the one that nobody disturbed."""
    out = folder_of(folder, "killed")
    begun = start(folder, steps, "killed", "ddp", 2)
    while begun.poll() is None and len(list(out.glob("checkpoints/step-*"))) < 2:
        time.sleep(0.02)
    os.kill(int((out / "1.pid").read_text()), signal.SIGKILL)
    return begun.wait() == 0 and weights(out) == weights(folder_of(folder, "2 DDP"))


def weights(run: Path) -> dict[str, bytes]:
    """Every weight as its bytes."""
    return {name: value.numpy().tobytes() for name, value in load_model(run / "latest").state_dict().items()}


def folder_of(folder: Path, name: str) -> Path:
    return folder / name.lower().replace(", ", "-").replace(" ", "-")


def away(losses: list[float], others: list[float]) -> float:
    """How far apart two curves are where they are furthest."""
    return max(abs(a - b) for a, b in zip(losses, others, strict=True))


def draw(curves: Mapping[str, list[float]], path: Path) -> None:
    """The curves over each other, and how far each is from that of one process."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    over, under = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    for number, (name, losses) in enumerate(curves.items()):
        steps = range(1, len(losses) + 1)
        # The first is the widest, so that those over it leave its edges to be seen.
        over.plot(steps, losses, label=name, linewidth=11 - 1.8 * number)
        under.plot(steps, [1e6 * (a - b) for a, b in zip(losses, curves["1"], strict=True)], label=name)
    over.set(ylabel="loss, nats per token", title="One model, trained by 1, 2 and 4 processes")
    under.set(xlabel="step", ylabel="away from 1 process,\nmillionths of a nat")
    over.legend(title="processes")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["worker"]:
        work(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 60))
