"""A trace: the activations of one text, by name, as the one real forward formed them."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cutaway.atomic_file import put_in_place
from cutaway.errors import InspectionError, did_you_mean
from cutaway.inspect.observers import Watcher, look
from cutaway.inspect.passage import AnyModel, Passage, Prompt, read
from cutaway.inspect.points import Names, all_names, at_layer, axes_of, find_names, layer_of, point_of
from cutaway.labelled import Axis, Labelled
from cutaway.model import attention_pattern
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

KIND = "cutaway trace"
"""What a file with a trace says it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Activations by name: `trace["h.3.resid_pre"]`.

    A pattern is computed when it is asked for, from q and k, and not kept: all patterns of a long text would be larger
    than everything else together.

    Shapes: as in the network, without the batch: stream (T, C); q, k, v, z (H, T, D); pattern (H, T, S); mlp (T, M);
        logits (T, V)
    """

    ids: tuple[int, ...]
    """All tokens up to the last one traced."""
    pieces: tuple[str, ...]
    n_layer: int
    model: str
    """The model's name."""
    start: int = 0
    """Where the first token traced stands; what came before it was read earlier, into a cache."""
    activations: Mapping[str, Tensor] = field(repr=False)
    """What was kept, by name."""

    @property
    def names(self) -> list[str]:
        """Everything that can be had, in the order of the network."""
        return [name for name in all_names(self.n_layer) if name in self]

    @property
    def memory_bytes(self) -> int:
        """Bytes held by the activations; one that is there under two names counts once."""
        return sum({x.data_ptr(): x.numel() * x.element_size() for x in self.activations.values()}.values())

    def __contains__(self, name: object) -> bool:
        return name in self.activations or (isinstance(name, str) and self._sources(name) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Tensor:
        """The activation of that name.

        Raises: InspectionError, with the nearest name, when there is none, or it was not asked for.
        """
        if name in self.activations:
            return self.activations[name]
        if sources := self._sources(name):
            return _pattern(*sources)
        known = all_names(self.n_layer)
        if name in known:
            raise InspectionError(f"{name!r} was not traced; trace again with names={name!r} among the names")
        raise InspectionError(f"there is no activation {name!r}; {did_you_mean(name, known)}")

    def stack(self, point: str) -> Tensor:
        """A point of all layers in one tensor: `trace.stack("resid_pre")`.

        Shapes: -> (L, …)

        Raises: InspectionError when a layer's was not traced.
        """
        return torch.stack([self[at_layer(point, layer)] for layer in range(self.n_layer)])

    def labelled(self, name: str) -> Labelled:
        """An activation with its axes labelled, as numpy numbers.

        Raises: InspectionError when there is no such activation.
        """
        x = self[name]
        values = (x if x.dtype in (torch.float32, torch.float64, torch.float16) else x.float()).numpy(force=True)
        axes = [self._axis(axis, size) for axis, size in zip(axes_of(name), values.shape, strict=True)]
        return Labelled(title=name, values=values, axes=tuple(axes), diverging=point_of(name) != "pattern")

    def save(self, path: Path | str) -> None:
        """Write a safetensors file, whole or not at all, with the text, the names and the model's name.

        Raises: InspectionError when it cannot be written.
        """
        described = {"ids": self.ids, "pieces": self.pieces, "n_layer": self.n_layer, "start": self.start}
        metadata = {"kind": KIND, "model": self.model, "text": json.dumps(described)}
        # Cloned where two names share one memory, which the format forbids.
        tensors = {name: x.cpu().contiguous().clone() for name, x in self.activations.items()}
        try:
            with put_in_place(Path(path)) as temporary:
                write_safetensors(tensors, temporary, metadata)
        except OSError as error:
            raise InspectionError(f"the trace cannot be saved to {path}: {error.strerror or error}") from None

    @classmethod
    def load(cls, path: Path | str) -> "Trace":
        """A trace that was saved; its activations are mapped from the file, not read.

        Raises: CheckpointError when the file is damaged, InspectionError when it holds no trace.
        """
        file = SafetensorsFile(Path(path))
        try:
            text = json.loads(file.metadata["text"])
            ids, pieces = tuple(map(int, text["ids"])), tuple(map(str, text["pieces"]))
            n_layer, start, model = int(text["n_layer"]), int(text["start"]), file.metadata["model"]
        except (KeyError, TypeError, ValueError):
            raise InspectionError(f"{path} holds no trace; save one with trace.save") from None
        activations = {name: file.tensor(name, None, torch.device("cpu")) for name in file.shapes}
        return cls(ids=ids, pieces=pieces, n_layer=n_layer, model=model, start=start, activations=activations)

    def _axis(self, name: str, size: int) -> Axis:
        if name in ("token", "query"):
            return Axis(name, self.pieces[self.start :])
        return Axis(name, self.pieces if name == "key" else size)

    def _sources(self, name: str) -> tuple[Tensor, Tensor] | None:
        """The q and k of a pattern, if they tell all of it: with a cache, k is that of the new tokens only."""
        layer = layer_of(name) if name in all_names(self.n_layer) else None
        if layer is None or point_of(name) != "pattern" or self.start:
            return None
        q, k = (self.activations.get(at_layer(point, layer)) for point in ("q", "k"))
        return None if q is None or k is None else (q, k)


class Recording:
    """Activations that are being kept."""

    def __init__(self, names: Collection[str], dtype: torch.dtype | None = None) -> None:
        self.names, self.dtype = frozenset(names), dtype
        self.seen: dict[str, Tensor] = {}
        self._last: tuple[Tensor | None, Tensor | None] = None, None

    def __call__(self, name: str, x: Tensor) -> None:
        """Keep an activation of the only row, in its own memory if it is a part of something larger."""
        seen, kept = self._last
        if x is not seen or kept is None:
            kept = x.detach()[0].to(dtype=self.dtype or x.dtype)
            if kept.untyped_storage().nbytes() > kept.numel() * kept.element_size():
                kept = kept.clone(memory_format=torch.contiguous_format)
        # The end of a layer is the beginning of the next: one tensor with two names.
        self._last = x, kept
        self.seen[name] = kept

    def trace(self, passage: Passage, start: int = 0) -> Trace:
        """What was kept, as a trace of that text."""
        return Trace(
            ids=passage.ids,
            pieces=passage.pieces,
            n_layer=passage.model.config.n_layer,
            model=passage.name,
            start=start,
            activations=self.seen,
        )


def trace(model: AnyModel, prompt: Prompt, names: Names | None = None, *, dtype: torch.dtype | None = None) -> Trace:
    """Read a text and keep the activations of some names, or of all: `trace(gpt, "Once upon", "pattern")`.

    A point such as `pattern` means that of every layer, and `h.*.z` or `h.[0-3].*` match as file names do. A dtype
    stores them in another format than that of the model.

    Raises: InspectionError for an unknown name or a text longer than the context; GenerationError for an empty text or
        an id outside the vocabulary.
    """
    passage = read(model, prompt)
    recording = Recording(_with_sources(find_names(names, passage.model.config.n_layer)), dtype)
    look(passage.model, passage.idx, Watcher(recording.names, recording), logits="logits" in recording.names)
    return recording.trace(passage)


def _with_sources(names: Collection[str]) -> set[str]:
    """The names to record: where there is a pattern, also q and k, and where q and k are, also the pattern.

    The network forms a pattern only if it is edited, and then it is not what q and k tell.
    """
    sources = {name.removesuffix("pattern") + point for name in names if name.endswith(".pattern") for point in "qk"}
    formed = {name.removesuffix("q") + "pattern" for name in names if name.endswith(".q")}
    return {*names, *sources, *formed}


def _pattern(q: Tensor, k: Tensor) -> Tensor:
    """The pattern from what was kept, at no less than float32, in the format in which it was kept."""
    wide = q.dtype if q.dtype == torch.float64 else torch.float32
    return attention_pattern(q.to(wide), k.to(wide)).to(q.dtype)
