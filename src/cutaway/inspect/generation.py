"""Traces of a generation: what the network did for each new token."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.generate import Step, stream
from cutaway.inspect.observers import ObservedGPT, Watcher
from cutaway.inspect.passage import Passage, Prompt, TextModel, read
from cutaway.inspect.points import Names, find_names
from cutaway.inspect.trace import Recording, Trace
from cutaway.model import Observer
from cutaway.sampling import SamplingParams


def trace_generation(
    model: TextModel,
    prompt: Prompt,
    names: Names | None = None,
    params: SamplingParams | None = None,
    *,
    dtype: torch.dtype | None = None,
    **changes: Any,
) -> Iterator[tuple[Step, Trace]]:
    """Continue a prompt and yield each new token with the trace of the forward that chose it.

    The first trace is that of the prompt. Each later one is that of a single token, the one before the chosen; its
    patterns have one query and all keys so far. Where the window has moved, past the context, all of it is read and
    traced.

    Raises: InspectionError for an unknown name, for `logits`, and for more than one sample; GenerationError for an
        unreadable prompt or an impossible parameter.
    """
    chosen = (params or SamplingParams()).replace(**changes)
    if chosen.n != 1:
        raise InspectionError(f"n={chosen.n} samples cannot be traced at once; trace one at a time")
    wanted = find_names(names, model.model.config.n_layer)
    if names is None:
        wanted.remove("logits")
    elif "logits" in wanted:
        raise InspectionError("generation forms the logits of the last position only; trace ln_f, and apply lm_head")
    passage = read(model, prompt, any_length=True)
    return _traces(model, passage, wanted, chosen, dtype)


def _traces(
    model: TextModel, passage: Passage, names: list[str], params: SamplingParams, dtype: torch.dtype | None
) -> Iterator[tuple[Step, Trace]]:
    recorder = _Recorder(names, dtype)
    ids, observed = list(passage.ids), ObservedGPT(model.model, recorder.begin)
    for step in stream(observed, model.tokenizer, [ids], params):
        read_now = Passage(model=model.model, ids=recorder.ids(ids), tokenizer=model.tokenizer, name=model.name)
        yield step, recorder.finish(read_now)
        ids.append(step.token)


class _Recorder:
    """Starts a recording for every forward, and remembers what it read."""

    def __init__(self, names: list[str], dtype: torch.dtype | None) -> None:
        self.names, self.dtype = names, dtype
        self.start = self.end = 0
        self.recording = Recording((), dtype)

    def begin(self, idx: Tensor, positions: Tensor) -> Observer:
        self.start, self.end = int(positions[0, 0]), int(positions[0, -1]) + 1
        # Only the newest keys pass by, so the network itself must form the patterns.
        self.recording = Recording(self.names, self.dtype)
        return Watcher(self.names, self.recording, form_patterns=True)

    def finish(self, passage: Passage) -> Trace:
        # Generation runs in inference mode, whose tensors could not be used for anything with a gradient.
        self.recording.seen = {name: x.clone() for name, x in self.recording.seen.items()}
        return self.recording.trace(passage, self.start)

    def ids(self, read: list[int]) -> tuple[int, ...]:
        """The tokens in the context of the last forward, which past the context is a window."""
        return tuple(read[len(read) - self.end :])
