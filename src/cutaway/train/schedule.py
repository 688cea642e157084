"""How large a step to take: a pure function of how far the run has come."""

import math

from cutaway.errors import ConfigError


def progress(step: int, steps: int, elapsed_s: float, max_minutes: float | None) -> float:
    """The finished share of the run, from 0 to 1, by steps or by the clock, whichever is further.

    With a time limit the learning rate so reaches its end in time even on a machine that slows down.
    """
    by_steps = step / steps
    if max_minutes is None:
        return min(by_steps, 1.0)
    return min(max(by_steps, elapsed_s / (60 * max_minutes)), 1.0)


def learning_rate_scale(progress: float, warmup: float, decay: float, final: float = 0.0) -> float:
    """The share of the peak learning rate at `progress`: a linear rise, a plateau, a linear fall to `final`.

    `warmup` and `decay` are the shares of the run that the rise and the fall take.

    Raises: ConfigError when the rise and the fall overlap.

    Source: Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations".
    """
    if not (0 <= warmup and 0 <= decay and warmup + decay <= 1):
        raise ConfigError(f"warmup={warmup} and decay={decay} are shares of one run; they must add up to 1 at most")
    if progress < warmup:
        return progress / warmup
    if progress > 1 - decay:
        return final + (1 - final) * (1 - progress) / decay
    return 1.0


def cosine_scale(progress: float, warmup: float, final: float = 0.0) -> float:
    """The share of the peak learning rate at `progress`: a linear rise, then half a cosine wave down to `final`.

    Source: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """
    if progress < warmup:
        return progress / warmup
    fallen = (progress - warmup) / (1 - warmup) if warmup < 1 else 1.0
    return final + (1 - final) * (1 + math.cos(math.pi * fallen)) / 2
