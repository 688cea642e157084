"""Exercises of chapter 9: learning."""

import math

from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in

STEPS, FAR, NEAR = 20, 1e3, 1e-3


def cube_slope() -> float:
    """The slope of w³ + 2w at 2, by PyTorch."""
    import torch

    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (w**3 + 2 * w).backward()  # type: ignore[no-untyped-call]
    assert w.grad is not None
    return w.grad.item()


def first_step() -> float:
    """How far AdamW turns a number in its first step at rate 0.003 when its slope is 1,000."""
    import torch

    w = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.AdamW([w], lr=0.003, weight_decay=0.0)
    w.grad = torch.full_like(w, 1000.0)
    optimizer.step()
    return abs(w.item())


def descended(rate: float) -> float:
    """Where descent on w² from 1 has come after so many steps, no farther than a huge number."""
    w = 1.0
    for _ in range(STEPS):
        w = max(-1e100, min(1e100, w - rate * 2 * w))
    return w


def leaves(answer: str) -> Verdict:
    """Whether descent at that rate goes away from the lowest point, and farther with each step."""
    rate = number_in(answer)
    if rate is None or not math.isfinite(rate):
        return Verdict(False, f"{answer!r} is not a number")
    end = descended(rate)
    return Verdict(rate > 0 and abs(end) > FAR, f"after {STEPS} steps w is {end:.3g}")


def best_rate(answer: str) -> Verdict:
    """Whether descent at that rate is there within the steps."""
    rate = number_in(answer)
    if rate is None or not math.isfinite(rate):
        return Verdict(False, f"{answer!r} is not a number")
    end = descended(rate)
    return Verdict(abs(end) < NEAR, f"after {STEPS} steps w is {end:.3g}")


CHAPTER = Chapter(
    title="Learning",
    exercises=(
        Exercise(
            question="What is the slope of $w^3 + 2w$ at $w = 2$?",
            hint="write it with Value: w * w * w + w + w, then backward()",
            check=number_check(cube_slope, "", tolerance=1e-6),
        ),
        Exercise(
            question=f"Descent on $w^2$ from $w = 1$, {STEPS} steps. Give a rate at which $w$ ends beyond 1,000 "
            "or −1,000.",
            hint="the slope is 2w; at which rate does a step jump farther to the other side than it came from?",
            check=leaves,
        ),
        Exercise(
            question=f"And one at which it ends within 0.001 of the lowest point after those {STEPS} steps.",
            hint="each step multiplies w by 1 − 2 × rate",
            check=best_rate,
        ),
        Exercise(
            question="At a rate of 0.003, how far does AdamW without decay turn a number in its first step, if the "
            "slope is 1,000?",
            hint="m_hat is the slope and v_hat its square: what is left of the 1,000?",
            check=number_check(first_step, "", tolerance=1e-5),
        ),
    ),
)
