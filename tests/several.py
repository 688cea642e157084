"""Several processes that train together, as torchrun would start them, and what tests have them do."""

import contextlib
import errno
import itertools
import math
import multiprocessing
import os
import socket
import time
import traceback
from unittest.mock import patch

from cutaway.errors import CutawayError
from cutaway.train.loop import train, workers_for
from cutaway.train.processes import joined
from cutaway.train.run import Run

PATIENCE_S = 300
PORTS = itertools.count()
PRELOADED = [
    "torch._dynamo",
    "torch.distributed.tensor",
    "torch.distributed.fsdp",
    "torch.distributed.checkpoint",
    "cutaway.train.loop",
]


def together(world_size, work, *arguments):
    """What `work(*arguments)` returns in each of so many processes, which find each other by the environment.

    They are forked from one in which PyTorch is loaded already. An error in any of them is raised here.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    port = free_port()
    pipes = [context.Pipe(duplex=False) for _ in range(world_size)]
    processes = [
        context.Process(target=take_part, args=(sender, rank, world_size, port, work, arguments))
        for rank, (_, sender) in enumerate(pipes)
    ]
    for process, (_, sender) in zip(processes, pipes, strict=True):
        process.start()
        sender.close()
    try:
        outcomes = [received(receiver) for receiver, _ in pipes]
    finally:
        for process in processes:
            process.join(5)
            process.kill()
    errors = [error for _, error in outcomes if error is not None]
    assert not errors, "\n".join(errors)
    return [result for result, _ in outcomes]


def received(receiver):
    """What a process has sent, if it does so in time."""
    return receiver.recv() if receiver.poll(PATIENCE_S) else (None, f"a process has said nothing for {PATIENCE_S} s")


def take_part(sender, rank, world_size, port, work, arguments):
    """Do the work as one of the processes."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    try:
        sender.send((work(*arguments), None))
    except BaseException:  # noqa: BLE001, for it is raised again where somebody waits
        sender.send((None, traceback.format_exc()))


def free_port():
    """A port that nobody is given who does not ask for it, and for which no other process that runs tests asks."""
    while True:
        port = 20_000 + (60 * os.getpid() + next(PORTS)) % 12_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


# What they do


def losses(config, steps=math.inf, asked=0):
    """Train, and the exact loss of each step; process number `asked` is asked to stop after so many steps."""
    found, this = [], int(os.environ.get("RANK", 0))
    train(
        config, stopping=lambda: this == asked and len(found) == steps, watch=lambda reading: found.append(reading.loss)
    )
    return found


def refusal(config, spoilt=None):
    """The sentence with which the run is refused; process number `spoilt` cannot read its tokenizer."""
    broken = patch("cutaway.train.run.read_tokenizer", side_effect=CutawayError("the tokenizer of one is gone"))
    try:
        if spoilt == int(os.environ["RANK"]):
            broken.start()
        train(config)
    except CutawayError as error:
        return str(error)
    return None


def refusal_after_nan(config):
    """The sentence with which a run ends when the last process's loss is no number."""
    loss_of = Run.loss_of
    if os.environ["RANK"] != "0":
        Run.loss_of = lambda self, part, last: loss_of(self, part, last) * math.nan
    return refusal(config)


def refusal_of_a_full_disk(config):
    """The sentence when one process cannot write its share of the second checkpoint."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

    write, calls = HuggingFaceStorageWriter.write_data, []

    def full(self, plan, planner):
        calls.append(plan)
        if len(calls) == 2 and os.environ["RANK"] == "1":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, plan, planner)

    HuggingFaceStorageWriter.write_data = full
    return refusal(config)


def steps_by_own_clocks(config):
    """How many steps a run with a time limit takes where each process's clock runs at a speed of its own."""
    seconds, pace = iter(range(1_000_000)), 1 + 10 * int(os.environ["RANK"])
    found = []
    train(config, lambda: float(next(seconds) * pace), watch=lambda reading: found.append(reading.step))
    return found[-1]


def own_losses(config):
    """The losses of this process's own rows in the first two steps, before they are averaged."""
    found = []
    with joined() as processes, workers_for(config, processes) as workers:
        run, mean = Run(config, workers, time.monotonic, processes), processes.mean
        processes.mean = lambda *values: found.append(values[0]) or mean(*values)
        for _ in range(2):
            run.train_step()
    return found


def gradients_after_each_part(config):
    """The gradient of one weight as it grows with the parts of a batch."""
    from cutaway.train.batches import parts_of
    from cutaway.train.sharding import whole

    found = []
    with joined() as processes, workers_for(config, processes) as workers:
        run = Run(config, workers, time.monotonic, processes)
        parts = parts_of(run.batches, 0, run.part_rows, run.device)
        for part in parts:
            run.loss_of(part, last=parts[-1]).backward()
            grad = run.optimizers.parameters["h.0.mlp.c_fc.weight"].grad
            found.append(None if grad is None else whole(grad).tolist())
    return found
