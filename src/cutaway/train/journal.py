"""What is said about a run, and to whom."""

from collections.abc import Sequence

from cutaway.train.checkpoint_folder import held_out_loss
from cutaway.train.evaluate import Evaluation
from cutaway.train.log import LOG, Listener, RunLog
from cutaway.train.run import Run


class Journal:
    """What is said about a run."""

    def __init__(self, run: Run, listeners: Sequence[Listener]) -> None:
        self.run, self.log, self.listeners = run, RunLog(run.config.out / LOG), listeners
        self.measured: tuple[int, float] | None = None
        best = run.checkpoints.best()
        self.best_loss = float("inf") if best is None else held_out_loss(best) or float("inf")

    @property
    def held_out_loss(self) -> float | None:
        """The mean loss of the held-out texts, if they were measured at this very step."""
        return self.measured[1] if self.measured and self.measured[0] == self.run.step else None

    def report(self, **values: object) -> None:
        """Log these values of the present moment; of several processes, the first does."""
        if not self.run.processes.is_first:
            return
        line = {"step": self.run.step, "elapsed_s": round(self.run.elapsed_s, 1), **values}
        self.log.append(**line)
        for listener in self.listeners:
            listener(line)

    def losses(self) -> None:
        """Log how the training goes, and count anew."""
        run = self.run
        self.report(
            loss=round(run.meter.loss, 4),
            grad_norm=round(run.meter.grad_norm, 4),
            lr_scale=round(run.learning_rate_scale, 4),
            tokens_per_s=round(run.meter.tokens_per_s(run.elapsed_s)),
            memory_bytes=run.reading().memory_bytes,
        )
        run.meter.begin(run.elapsed_s)

    def evaluation(self, results: dict[str, Evaluation]) -> bool:
        """Log an evaluation; whether it is the best so far."""
        self.report(
            bits_per_byte={name: round(result.bits_per_byte, 4) for name, result in results.items()},
            held_out_loss={name: round(result.loss, 4) for name, result in results.items()},
        )
        if not results:
            return False
        loss = sum(result.loss for result in results.values()) / len(results)
        self.measured = (self.run.step, loss)
        improved = loss < self.best_loss
        self.best_loss = min(loss, self.best_loss)
        # What the best was is read from a disk, which may be slow to show it to others.
        return self.run.processes.first(improved) > 0
