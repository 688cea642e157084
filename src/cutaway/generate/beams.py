"""Beam search: carry the best few hypotheses along instead of one.

Source: Freitag & Al-Onaizan 2017, "Beam Search Strategies"; Vijayakumar et al. 2016, "Diverse Beam Search".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cutaway.errors import GenerationError
from cutaway.generate.completion import Completion, Generation
from cutaway.generate.reader import Reader
from cutaway.generate.sample import stop_tokens
from cutaway.generate.stopping import first_stop
from cutaway.model import GPT
from cutaway.sampling import BeamParams, SamplingParams, penalize
from cutaway.tokenizer import AnyTokenizer


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """A continuation under consideration."""

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    total: float = 0.0
    """Sum of the penalized log-probabilities, by which hypotheses of one length are ranked."""
    parent: int = 0
    """Row of the batch that it continues."""
    ended: bool = False

    def score(self, length_penalty: float) -> float:
        """Comparable between lengths."""
        return self.total / float(len(self.tokens) ** length_penalty)


class BeamGroup:
    """Hypotheses that compete with each other: all of them, or one group of a diverse search."""

    def __init__(self, size: int, params: BeamParams) -> None:
        self.size, self.params = size, params
        self.running = [Hypothesis()]
        self.finished: list[Hypothesis] = []

    def advance(self, candidates: Sequence[Hypothesis]) -> None:
        """Replace the running hypotheses by the best candidates, and set aside those that ended.

        Candidates come best first. One that ended counts only if it is among the first `size`, or weak endings
        would crowd out strong beginnings.
        """
        self.finished += [candidate for candidate in candidates[: self.size] if candidate.ended]
        self.finished.sort(key=self._score, reverse=True)
        del self.finished[self.size :]
        self.running = [candidate for candidate in candidates if not candidate.ended][: self.size]

    def done(self, max_tokens: int) -> bool:
        """Whether going on could no longer, or need no longer, change the result."""
        if not self.running:
            return True
        if len(self.finished) < self.size:
            return False
        if self.params.early_stopping is True:
            return True
        best = self.running[0]
        # A positive penalty favours length, so only the longest possible continuation bounds what may come.
        patient = self.params.early_stopping == "never" and self.params.length_penalty > 0
        length = max_tokens if patient else len(best.tokens)
        return best.total / float(length**self.params.length_penalty) <= self._score(self.finished[-1])

    def best(self) -> list[Hypothesis]:
        """The finished hypotheses, the best first."""
        return self.finished

    def _score(self, hypothesis: Hypothesis) -> float:
        return hypothesis.score(self.params.length_penalty)


class BeamSearch:
    """One prompt, searched."""

    def __init__(self, model: GPT, tokenizer: AnyTokenizer, params: SamplingParams, beams: BeamParams) -> None:
        if params.n > beams.beams:
            raise GenerationError(
                f"n={params.n} results cannot come from beams={beams.beams}; ask for that many at most"
            )
        self.tokenizer, self.params, self.beams = tokenizer, params, beams
        self.reader = Reader(model, params.max_tokens, params.past_context)
        self.ends = stop_tokens(params, tokenizer)
        self.groups = [BeamGroup(beams.beams // beams.groups, beams) for _ in range(beams.groups)]

    @torch.inference_mode()
    def run(self, prompt: Sequence[int]) -> list[Hypothesis]:
        """All finished hypotheses, the best first."""
        logits = self.reader.prefill([prompt])
        groups, rows = self.groups, [[0]] * len(self.groups)
        for length in range(1, self.params.max_tokens + 1):
            chosen: Counter[int] = Counter()
            for group, group_rows in zip(groups, rows, strict=True):
                candidates = self._candidates(group, logits[group_rows], group_rows, prompt, chosen, length)
                group.advance(candidates)
                chosen.update(candidate.tokens[-1] for candidate in candidates[: group.size])
            groups = [group for group in groups if not group.done(self.params.max_tokens)]
            running = [hypothesis for group in groups for hypothesis in group.running]
            if not running:
                break
            self.reader.select([hypothesis.parent for hypothesis in running])
            logits = self.reader.decode([hypothesis.tokens[-1] for hypothesis in running])
            rows = consecutive([len(group.running) for group in groups])
        found = [hypothesis for group in self.groups for hypothesis in group.best()]
        return sorted(found, key=lambda hypothesis: hypothesis.score(self.beams.length_penalty), reverse=True)

    def _candidates(
        self,
        group: BeamGroup,
        logits: Tensor,
        rows: Sequence[int],
        prompt: Sequence[int],
        chosen: Counter[int],
        length: int,
    ) -> list[Hypothesis]:
        """The best one-token extensions of a group's hypotheses, the best first.

        Shapes: logits (beams of the group, V)
        """
        logprobs = logits.log_softmax(dim=-1)[:, : self.tokenizer.n_vocab]
        scores = torch.stack(
            [penalize(row, self.params, prompt, beam.tokens) for row, beam in zip(logprobs, group.running, strict=True)]
        )
        for token, count in chosen.items():
            scores[:, token] -= self.beams.diversity_penalty * count
        scores += torch.tensor([beam.total for beam in group.running], device=scores.device)[:, None]
        # Each beam has at most len(ends) ways to end, so among this many candidates `size` go on.
        wanted = group.size * max(2, 1 + len(self.ends))
        totals, flat = scores.flatten().topk(min(wanted, scores.numel()))
        return [
            self._extend(group.running[beam], rows[beam], token, float(logprobs[beam, token]), total, length)
            for total, beam, token in zip(
                totals.tolist(), (flat // scores.shape[1]).tolist(), (flat % scores.shape[1]).tolist(), strict=True
            )
            if total > -torch.inf
        ]

    def _extend(self, beam: Hypothesis, row: int, token: int, logprob: float, total: float, length: int) -> Hypothesis:
        tokens = (*beam.tokens, token)
        ended = length == self.params.max_tokens or self._stopped(tokens)
        return Hypothesis(tokens=tokens, logprobs=(*beam.logprobs, logprob), total=total, parent=row, ended=ended)

    def _stopped(self, tokens: Sequence[int]) -> bool:
        return tokens[-1] in self.ends or (
            bool(self.params.stop) and first_stop(self.tokenizer.decode(tokens), self.params.stop) is not None
        )

    def completion(self, hypothesis: Hypothesis) -> Completion:
        """The hypothesis as a finished sample."""
        spoken = hypothesis.tokens[:-1] if hypothesis.tokens[-1] in self.ends else hypothesis.tokens
        text = self.tokenizer.decode(spoken)
        return Completion(
            text=text[: first_stop(text, self.params.stop)],
            tokens=hypothesis.tokens,
            logprobs=hypothesis.logprobs,
            top_logprobs=({},) * len(hypothesis.tokens),
            finish_reason="stop" if self._stopped(hypothesis.tokens) else "length",
        )


def beam_search(
    model: GPT, tokenizer: AnyTokenizer, prompt: Sequence[int], params: SamplingParams, beams: BeamParams
) -> Generation:
    """Continue a prompt of token ids by (diverse) beam search and return the `params.n` best.

    Penalties, bans, stops and lengths in `params` apply; temperature and truncation do not, for nothing is drawn.

    Raises: GenerationError for more results than beams, an unreadable prompt, or bans that leave nothing.
    """
    search = BeamSearch(model, tokenizer, params, beams)
    found = search.run(prompt)
    if not found:
        raise GenerationError("every token is forbidden; allow some by relaxing the bans or the n-gram size")
    return Generation(
        prompt=tokenizer.decode(prompt),
        prompt_tokens=tuple(prompt),
        samples=tuple(search.completion(hypothesis) for hypothesis in found[: params.n]),
        seed=None,
    )


def consecutive(sizes: Sequence[int]) -> list[list[int]]:
    """Row numbers of groups that lie one after another: [2, 3] -> [[0, 1], [2, 3, 4]]."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]
