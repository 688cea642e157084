"""The network in native hands: packed once from a checkpoint's arrays, then tokens in, logits out."""

import ctypes
import os
import re
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError, GenerationError, did_you_mean
from cutaway.native.cache import NativeCache
from cutaway.native.handle import Handle
from cutaway.native.library import Shape, choose_instruction_set, load_library
from cutaway.native.packed import PackedMatrix

PRECISIONS = ("float32", "bfloat16", "int8", "int4", "w8a8")
"""Formats of weights, in the library's order. Keys and values are float32 with float32 and int8, else bfloat16.

With int8 weights activations are rounded to 16 bits, which loses nothing to speak of. w8a8 has the same weights and
rounds activations to 8 bits, as int4 does: half as fast again with many tokens at once, and not so close.
"""

WHOLE_NUMBERS = ("int8", "int4", "w8a8")
"""Those of them that PyTorch does not compute in."""

MAX_THREADS = 1024
MAX_HEAD_SIZE = 1024

_IN_LAYER = re.compile(r"h\.(\d+)\.(.+)")

FloatArray = NDArray[np.float32]


class NativeModel:
    """A GPT-2 computed by the native kernels.

    One call computes at a time; more wait for their turn. `close`, or leaving a `with` block, frees the memory.

    `tensors` are those of a checkpoint by our names, as the file holds them: a layer's matrices (in, out). Each is
    packed as it comes and not kept, but for those that are packed already: these are used where they lie, at least at
    first, and kept from being freed. `source` names them in errors.

    Raises: ConfigError when there is no library, or for an unknown precision or instruction set; CheckpointError
        when a tensor is missing, unknown, of another size, or not finite.
    """

    def __init__(
        self,
        config: GPTConfig,
        tensors: Iterable[tuple[str, NDArray[Any] | PackedMatrix]],
        *,
        precision: str = "float32",
        threads: int | None = None,
        isa: str | None = None,
        source: str = "the checkpoint",
    ) -> None:
        if precision not in PRECISIONS:
            raise ConfigError(f"there is no precision {precision!r}; {did_you_mean(precision, PRECISIONS)}")
        self.config, self.precision, self.isa = config, precision, choose_instruction_set(isa)
        self.threads = usable_cores() if threads is None else threads
        if not 1 <= self.threads <= MAX_THREADS:
            raise ConfigError(f"threads={self.threads:,} is out of range; it must be from 1 to {MAX_THREADS:,}")
        self._library = load_library()
        self._handle = self._new_handle()
        self._lock = threading.Lock()
        self._mapped: list[PackedMatrix] = []
        for name, tensor in tensors:
            if fault := self._map(name, tensor) if isinstance(tensor, PackedMatrix) else self._set(name, tensor):
                raise CheckpointError(f"{source}: tensor {name!r} {fault}")
        if missing := self._library.cutaway_model_missing(self._handle.pointer):
            raise CheckpointError(f"{source} has no tensor {missing.decode()!r}; the model cannot do without")

    def __repr__(self) -> str:
        return f"NativeModel({self.precision} for {self.isa}, threads={self.threads})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the weights; the model cannot be used afterwards."""
        with self._lock:
            self._handle.close()
            self._mapped.clear()

    def cache(self, slots: int = 1, max_tokens: int | None = None) -> NativeCache:
        """Room for the keys and values of some sequences, by default of up to the whole context.

        Raises: GenerationError when it is no room, or more than the context.
        """
        context = self.config.block_size
        max_tokens = context if max_tokens is None else max_tokens
        if not 1 <= max_tokens <= context:
            raise GenerationError(
                f"a cache for {max_tokens:,} tokens does not suit a context of {context:,}; ask for 1 to {context:,}"
            )
        if slots < 1:
            raise GenerationError(f"a cache of {slots} slots holds nothing; ask for 1 or more")
        return NativeCache(self._library, self._handle, slots, max_tokens)

    def forward(
        self,
        cache: NativeCache,
        slots: Sequence[int],
        tokens: Sequence[Sequence[int]],
        answers: Sequence[int] | None = None,
    ) -> FloatArray:
        """Read each sequence's new tokens, add them to the cache, and return the logits after the last of them.

        Sequences may bring unequal numbers of tokens. `answers[i]` asks for the logits after the last that many tokens
        of sequence i; the default is 1, and 0 asks for none.

        Shapes: -> (sum of answers, V), sequence after sequence

        Raises: GenerationError when a slot is unknown or named twice, tokens do not fit it, or an id is not in the
            vocabulary; ConfigError when model or cache are closed.
        """
        answers = [1] * len(slots) if answers is None else answers
        counts = [len(new) for new in tokens]
        self._check(cache, slots, counts, answers)
        ids = _ids([token for new in tokens for token in new], self.config.vocab_size)
        logits = np.empty((sum(answers), self.config.vocab_size), np.float32)
        with self._lock:
            refusal = self._library.cutaway_forward(
                self._handle.pointer,
                cache.handle_for(self._handle).pointer,
                len(slots),
                _int32s(slots),
                _int32s([cache.lengths[slot] for slot in slots]),
                _int32s(counts),
                _int32s(answers),
                _pointer(ids),
                logits.ctypes.data,
            )
            if refusal:
                raise GenerationError(f"the native kernels refused: {refusal.decode()}")
            cache.advance(slots, counts)
        return logits

    def _new_handle(self) -> Handle:
        config = self.config
        shape = Shape(
            config.block_size,
            config.vocab_size,
            config.n_layer,
            config.n_head,
            config.n_embd,
            config.mlp_size,
            config.tie_word_embeddings,
            config.layer_norm_epsilon,
        )
        made = ctypes.c_void_p()
        refusal = self._library.cutaway_model_new(
            shape, PRECISIONS.index(self.precision), self.isa.encode(), self.threads, made
        )
        if refusal:
            raise ConfigError(f"the native kernels cannot hold this model: {refusal.decode()}; use PyTorch")
        return Handle(made, self._library.cutaway_model_free, "the native model")

    def _set(self, name: str, array: NDArray[Any]) -> str | None:
        """Pack a tensor; what is wrong with it, if anything."""
        data = np.require(array, np.float32, ["C", "A"])
        fault: bytes | None = self._library.cutaway_model_set(*self._place(name), data.ctypes.data, data.size)
        return fault.decode() if fault else None

    def _map(self, name: str, packed: PackedMatrix) -> str | None:
        """Use a packed matrix where it lies; what is wrong with it, if anything."""
        parts = [part for array in (packed.weights, packed.scales) for part in (array.ctypes.data, array.nbytes)]
        fault: bytes | None = self._library.cutaway_model_map(*self._place(name), *parts)
        self._mapped.append(packed)
        return fault.decode() if fault else None

    def _place(self, name: str) -> tuple[ctypes.c_void_p, bytes, int]:
        """Whose tensor it is, its name in the layer, and which layer; -1 for none."""
        place = _IN_LAYER.fullmatch(name)
        layer, tensor = (int(place[1]), place[2]) if place else (-1, name)
        return self._handle.pointer, tensor.encode(), min(layer, self.config.n_layer)

    def _check(self, cache: NativeCache, slots: Sequence[int], counts: Sequence[int], answers: Sequence[int]) -> None:
        if not len(slots) == len(counts) == len(answers) > 0 or len(set(slots)) < len(slots):
            raise GenerationError(
                f"{len(counts)} sequences and {len(answers)} numbers of answers for slots {list(slots)}; "
                "give one of each for every slot, and each slot once"
            )
        for slot, count, asked in zip(slots, counts, answers, strict=True):
            cache.check_room(slot, count)
            if not 0 <= asked <= count:
                raise GenerationError(f"logits after {asked} of {count} new tokens cannot be had; ask for 0 to {count}")


def usable_cores() -> int:
    """How many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1


def check_ids(tokens: Sequence[int], vocab_size: int) -> None:
    """Refuse ids that a model of this vocabulary cannot read.

    Raises: GenerationError for an id outside the vocabulary.
    """
    for token in (min(tokens), max(tokens)):
        if not 0 <= token < vocab_size:
            raise GenerationError(
                f"token id {token:,} is not in the model's vocabulary of {vocab_size:,}; "
                "use the tokenizer that belongs to it"
            )


def _ids(tokens: list[int], vocab_size: int) -> NDArray[np.int32]:
    check_ids(tokens, vocab_size)
    return np.array(tokens, dtype=np.int32)


def _int32s(numbers: Sequence[int]) -> Any:
    return (ctypes.c_int32 * len(numbers))(*numbers)


def _pointer(ids: NDArray[np.int32]) -> Any:
    return ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
