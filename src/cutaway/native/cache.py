"""Keys and values in native hands: slots that sequences come to and leave."""

import ctypes
from collections.abc import Sequence

from cutaway.errors import GenerationError
from cutaway.native.handle import Handle


class NativeCache:
    """The keys and values of some sequences; slot i holds `lengths[i]` tokens, from position 0 on.

    `NativeModel.cache` makes one. Memory is taken as tokens come, so room that is not used costs nothing.
    """

    def __init__(self, library: ctypes.CDLL, model: Handle, slots: int, max_tokens: int) -> None:
        self._library, self._model = library, model
        made = ctypes.c_void_p()
        refusal = library.cutaway_cache_new(model.pointer, slots, max_tokens, made)
        if refusal:
            raise GenerationError(f"a cache of {slots:,} slots cannot be had: {refusal.decode()}")
        self._handle = Handle(made, library.cutaway_cache_free, "the native cache")
        self.max_tokens = max_tokens
        self.lengths = [0] * slots

    def close(self) -> None:
        """Free the memory; the cache cannot be used afterwards."""
        self._handle.close()

    def handle_for(self, model: Handle) -> Handle:
        """The handle, for the model that the cache was made by.

        Raises: GenerationError for another model.
        """
        if model is not self._model:
            raise GenerationError("the cache belongs to another model; make one with this model's cache()")
        return self._handle

    def truncate(self, slot: int, length: int) -> None:
        """Forget all but the first tokens of a slot: all of them to free it, or a rejected guess.

        Raises: GenerationError when it holds fewer.
        """
        self._check_slot(slot)
        if not 0 <= length <= self.lengths[slot]:
            raise GenerationError(f"a slot of {self.lengths[slot]:,} tokens cannot be cut to {length:,}")
        self.lengths[slot] = length

    def copy(self, source: int, target: int, into: "NativeCache | None" = None, *, tokens: int | None = None) -> None:
        """Make a slot, here or in another cache of the same model, hold the first tokens of `source`, by default all.

        Raises: GenerationError when a slot is unknown, holds fewer, or has no room for them.
        """
        into = self if into is None else into
        self._check_slot(source)
        into._check_slot(target)
        length = self.lengths[source] if tokens is None else tokens
        if not 0 <= length <= self.lengths[source]:
            raise GenerationError(f"{length:,} tokens cannot be copied from a slot of {self.lengths[source]:,}")
        if length > into.max_tokens:
            raise GenerationError(f"{length:,} tokens do not fit a slot of {into.max_tokens:,}")
        theirs = into.handle_for(self._model)
        self._library.cutaway_cache_copy(self._handle.pointer, source, theirs.pointer, target, length)
        into.lengths[target] = length

    def check_room(self, slot: int, new_tokens: int) -> None:
        """Refuse tokens that a slot has no room for.

        Raises: GenerationError naming how many there would be.
        """
        self._check_slot(slot)
        if new_tokens < 1:
            raise GenerationError("a sequence needs at least one new token; leave it out of the batch")
        longest = self.lengths[slot] + new_tokens
        if longest > self.max_tokens:
            raise GenerationError(f"{longest:,} tokens do not fit a cache of {self.max_tokens:,}; shorten the text")

    def advance(self, slots: Sequence[int], counts: Sequence[int]) -> None:
        """Count tokens that have just been read."""
        for slot, count in zip(slots, counts, strict=True):
            self.lengths[slot] += count

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < len(self.lengths):
            raise GenerationError(f"there is no slot {slot} in a cache of {len(self.lengths)}")
