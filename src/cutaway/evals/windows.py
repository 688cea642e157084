"""A text of any length in windows that a model can read, each token after the first scored once."""

from collections.abc import Iterable, Iterator, Sequence

from cutaway.errors import EvaluationError
from cutaway.evals.passage import Passage


def sliding_windows(chunks: Iterable[Sequence[int]], context: int, stride: int) -> Iterator[Passage]:
    """Windows over the tokens of one document, which come in chunks of any size.

    The first window scores the tokens 1 to `context` (counted from 0), each given all before it. Every later window
    moves on by `stride`: it reads the last `context` tokens before its end and scores the `stride` newest. So a token
    behind the first window is seen with at least context - stride + 1 tokens before it, and at most `context`. The
    last window reads as much as the others, and scores what is left.

    Raises: EvaluationError for a stride that is impossible.
    """
    check_stride(context, stride)
    held: list[int] = []
    start, step = 1, context  # the first token to score, and how many
    for chunk in chunks:
        held += chunk
        while len(held) >= start + step:
            yield _window(held, start, start + step, context)
            start, step = start + step, stride
            # No later window begins before this; forgetting only now and then keeps it linear.
            unused = start - context
            if unused > context:
                held, start = held[unused:], start - unused
    if len(held) > start:
        yield _window(held, start, len(held), context)


def _window(held: Sequence[int], start: int, end: int, context: int) -> Passage:
    begin = max(0, end - context - 1)
    return Passage(tokens=held[begin:end], first=start - begin)


def check_stride(context: int, stride: int) -> None:
    """Refuse windows that would leave tokens out, or never move on.

    Raises: EvaluationError naming both.
    """
    if not 1 <= stride <= context:
        raise EvaluationError(f"stride={stride:,} is out of range; it is from 1 to {context:,}, what a window reads")
