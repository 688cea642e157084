"""lm-evaluation-harness drives a model of ours in this process. The one door to `lm_eval`.

    from cutaway.evals.harness import CutawayLM
    lm_eval.simple_evaluate(CutawayLM("gpt2"), tasks=["hellaswag"])

Importing this module registers `cutaway`, so that `simple_evaluate(model="cutaway", model_args="model=gpt2")` works.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cutaway.errors import EvaluationError, MissingExtraError
from cutaway.evals.items import TOKENS_AT_ONCE
from cutaway.evals.pairs import encode_pair
from cutaway.evals.passage import Passage, Scored, continuation
from cutaway.evals.scorers import scorer_of
from cutaway.evals.windows import sliding_windows
from cutaway.generate import Network, generate
from cutaway.sampling import SamplingParams
from cutaway.weights import load_tokenizer
from cutaway.weights.native import load_native, suits_native

try:
    from lm_eval.api.model import LM  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from lm_eval.api.registry import register_model  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ModuleNotFoundError as error:
    if error.name and not error.name.startswith("lm_eval"):
        raise
    raise MissingExtraError("lm_eval", "harness", "lm-evaluation-harness") from None

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance  # type: ignore[import-not-found,import-untyped,unused-ignore]

MAX_NEW_TOKENS = 256
"""Where a task does not say how many; the harness' own number."""
DRAWING = {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
"""How tokens are drawn unless a task says otherwise."""
KNOWN = DRAWING.keys() | {"do_sample", "until", "max_gen_toks", "max_new_tokens"}


@register_model("cutaway")
class CutawayLM(LM):  # type: ignore[misc,unused-ignore]
    """A model as the harness wants it: by the native kernels where they suit it, on the CPU, or in PyTorch."""

    def __init__(self, model: str = "fable", device: str = "cpu", dtype: str = "float32", **_: Any) -> None:
        super().__init__()
        self.network = open_network(model, device, dtype)
        self.tokenizer = load_tokenizer(model)
        self.scorer = scorer_of(self.network)

    @property
    def eot(self) -> int:
        """The token that stands for no context.

        Raises: EvaluationError when the vocabulary has none.
        """
        if self.tokenizer.eot is None:
            raise EvaluationError("this vocabulary has no <|endoftext|>, which the harness puts before texts")
        return self.tokenizer.eot

    def loglikelihood(self, requests: "list[Instance]", disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """The log-probability of each continuation, and whether greedy decoding would write it."""
        passages = []
        for context, following in (request.args for request in requests):
            before, ids = encode_pair(self.tokenizer, context, following) if context else self._from_nothing(following)
            passages.append(continuation(before, ids, self.scorer.context))
        found = [(scored.total, scored.greedy) for scored in self._scores(passages)]
        for request, answer in zip(requests, found, strict=True):
            self.cache_hook.add_partial("loglikelihood", request.args, answer)
        return found

    def loglikelihood_rolling(self, requests: "list[Instance]", disable_tqdm: bool = False) -> list[float]:
        """The log-probability of each text, in windows that do not overlap but for the last."""
        found, most = [], self.scorer.context
        for (text,) in (request.args for request in requests):
            chunks = [[self.eot], self.tokenizer.encode(text)]
            found.append(sum(scored.total for scored in self._scores(sliding_windows(chunks, most, most))))
        return found

    def generate_until(self, requests: "list[Instance]", disable_tqdm: bool = False) -> list[str]:
        """What the model writes after each text, up to one of its stops."""
        return [self._written(*request.args) for request in requests]

    def _from_nothing(self, following: str) -> tuple[list[int], list[int]]:
        ids = self.tokenizer.encode(following)
        return (ids[:1], ids[1:]) if ids[0] == self.eot else ([self.eot], ids)

    def _scores(self, passages: Sequence[Passage] | Iterator[Passage]) -> Iterator[Scored]:
        waiting: list[Passage] = []
        tokens = 0
        for passage in passages:
            waiting.append(passage)
            tokens += len(passage.tokens)
            if tokens >= TOKENS_AT_ONCE:
                yield from self.scorer.score(waiting)
                waiting, tokens = [], 0
        yield from self.scorer.score(waiting)

    def _written(self, context: str, settings: dict[str, Any]) -> str:
        if unknown := settings.keys() - KNOWN:
            raise EvaluationError(f"generation by {', '.join(sorted(unknown))} is not known here; leave it out")
        until = settings.get("until", [])
        stops = (until,) if isinstance(until, str) else tuple(until)
        new = int(settings.get("max_gen_toks", settings.get("max_new_tokens", MAX_NEW_TOKENS)))
        draws = settings.get("do_sample", settings.get("temperature", 0) > 0)
        drawing = {name: settings.get(name, default) for name, default in DRAWING.items()}
        params = SamplingParams(max_tokens=new, stop=stops, **(drawing if draws else {"temperature": 0}))
        ids = self.tokenizer.encode(context)[-max(1, self.scorer.context - new) :] or [self.eot]
        return generate(self.network, self.tokenizer, [ids], params)[0].samples[0].text


def open_network(model: str, device: str, dtype: str) -> Network:
    """The network in native hands where they suit it, otherwise in PyTorch."""
    if device == "cpu" and dtype == "float32" and suits_native(model):
        return load_native(model)
    from cutaway.weights import load_model

    return load_model(model, device=device, dtype=dtype)
