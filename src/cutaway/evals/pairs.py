"""A context and what may follow it, from text to tokens."""

from collections.abc import Sequence

from cutaway.errors import EvaluationError
from cutaway.evals.passage import Passage, continuation
from cutaway.tokenizer import AnyTokenizer


def encode_pair(tokenizer: AnyTokenizer, context: str, following: str) -> tuple[list[int], list[int]]:
    """The tokens of a context and of what follows it, cut where the context's own tokens end.

    Spaces at the end of the context go to what follows, for GPT-2's tokens begin with their space. Where a token
    would go over the border, the context keeps its own tokens, and what follows has those of both together from there
    on. After no context at all comes `<|endoftext|>`, which begins every document.

    Raises: EvaluationError when there is no context and the vocabulary has no `<|endoftext|>`.

    Source: lm-evaluation-harness, so that figures can be compared item by item.
    """
    stem = context.rstrip()
    following, context = context[len(stem) :] + following, stem
    if not context:
        if tokenizer.eot is None:
            raise EvaluationError("there is no context, and this vocabulary has no <|endoftext|> to stand for none")
        return [tokenizer.eot], tokenizer.encode(following)
    before = tokenizer.encode(context)
    return before, tokenizer.encode(context + following)[len(before) :]


def pair_passage(
    tokenizer: AnyTokenizer, context: str, following: str, most: int, ignored: frozenset[int] = frozenset()
) -> Passage:
    """What follows a context as a passage, of which the beginning is left out where it is too long for the model.

    Raises: EvaluationError when nothing follows, or more than the model can read.
    """
    passage = continuation(*encode_pair(tokenizer, context, following), most)
    return Passage(tokens=passage.tokens, first=passage.first, ignored=ignored) if ignored else passage


def text_of(parts: Sequence[str]) -> str:
    """Worked examples and the question after them, as one text."""
    return "\n\n".join(parts)
