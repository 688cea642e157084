"""Worker processes that encode units side by side."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

from cutaway.data.unit import Encoder, Unit, UnitRecord, encode_unit
from cutaway.errors import DataError


def encode_units(units: Iterable[Unit], encoder: Encoder, folder: Path, workers: int) -> Iterator[UnitRecord]:
    """Write the shards of all units; the record of each as it is finished, in any order.

    One unit more than there are workers is in memory at a time.

    Raises: DataError when the folder cannot be written to, or a worker is killed.
    """
    if workers == 1:
        yield from map(partial(encode_unit, encoder=encoder, folder=folder), units)
        return
    # Not fork: threads and locks of this process do not survive it.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(encoder, folder))
    try:
        yield from _through(pool, units, workers)
    except BrokenProcessPool:
        raise DataError(
            "a worker process was killed, perhaps for want of memory; run the same again with fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _through(pool: ProcessPoolExecutor, units: Iterable[Unit], workers: int) -> Iterator[UnitRecord]:
    running: set[Future[UnitRecord]] = set()
    for unit in units:
        running.add(pool.submit(_encode, unit))
        if len(running) > workers:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in wait(running).done:
        yield future.result()


_work: "partial[UnitRecord] | None" = None


def _start(encoder: Encoder, folder: Path) -> None:
    """In a new worker: keep the tokenizer, and end when the parent does."""
    global _work
    _work = partial(encode_unit, encoder=encoder, folder=folder)
    # Ctrl-C reaches every process of the terminal; the parent alone decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers, which would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _encode(unit: Unit) -> UnitRecord:
    assert _work is not None, "workers are started by _start"
    return _work(unit)
