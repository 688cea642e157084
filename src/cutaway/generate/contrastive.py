"""Contrastive search: likely, but unlike what has been said.

Source: Su et al. 2022, "A Contrastive Framework for Neural Text Generation", section 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.generate.completion import Generation, Step, collect
from cutaway.generate.reader import Reader
from cutaway.generate.sample import Sample
from cutaway.model import GPT
from cutaway.sampling import ContrastiveParams, SamplingParams, check_possible, penalize
from cutaway.tokenizer import AnyTokenizer


@torch.inference_mode()
def contrastive_search(
    model: GPT, tokenizer: AnyTokenizer, prompt: Sequence[int], params: SamplingParams, contrastive: ContrastiveParams
) -> Generation:
    """Continue a prompt of token ids: of the `top_k` likeliest tokens take the best by likelihood and novelty.

    A candidate's novelty is its final hidden state's distance from those of all tokens before it. Penalties, bans,
    stops and lengths in `params` apply; temperature and truncation do not, for nothing is drawn.

    Raises: GenerationError for a prompt that the model cannot read, or bans that leave nothing.
    """
    reader = Reader(model, params.max_tokens, params.past_context)
    logits = reader.prefill([prompt])[0]
    context = reader.states[0]
    sample = Sample(prompt, params.replace(temperature=0), tokenizer, seed=0)
    steps: list[Step] = []
    while sample.finish_reason is None:
        spoken = logits[: tokenizer.n_vocab]
        probs, candidates = likeliest(penalize(spoken, params, prompt, sample.generated), contrastive.top_k)
        reader.select([0] * len(candidates))
        next_logits = reader.decode(candidates.tolist())
        states = reader.states[:, -1]
        best = int(scores(probs, states, context, contrastive.alpha).argmax())
        steps.append(sample.take(int(candidates[best]), logits))
        reader.select([best])
        logits, context = next_logits[best], torch.cat([context, states[best : best + 1]])
    return Generation(
        prompt=tokenizer.decode(prompt), prompt_tokens=tuple(prompt), samples=(collect(steps),), seed=None
    )


def likeliest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k most likely tokens that are possible at all, and their probabilities.

    Shapes: (V,) -> (K,), (K,)

    Raises: GenerationError when no token is possible or a logit is not a number.
    """
    check_possible(logits)
    probs, tokens = logits.softmax(dim=-1).topk(min(k, logits.shape[-1]))
    possible = probs > 0
    return probs[possible], tokens[possible]


def scores(probs: Tensor, states: Tensor, context: Tensor, alpha: float) -> Tensor:
    """(1 - α) · probability - α · the largest cosine similarity with any earlier position.

    Shapes: probs (K,), states (K, C), context (S, C) -> (K,)
    """
    similarity = F.normalize(states, dim=-1) @ F.normalize(context, dim=-1).T
    return (1 - alpha) * probs - alpha * similarity.amax(dim=-1)
