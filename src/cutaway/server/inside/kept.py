"""What was made last for a model, for whoever asks for more of it."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from cutaway.language_model import LanguageModel

T = TypeVar("T")


class Kept(Generic[T]):
    """One thing for each model, which goes when another is made for it, or the model itself goes."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[LanguageModel, tuple[Hashable, T]] = WeakKeyDictionary()

    def get(self, gpt: LanguageModel, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under this key, if that was the last one; otherwise it is made now."""
        if gpt in self._made and self._made[gpt][0] != key:
            self.forget(gpt)  # first, so that there are never two
        if gpt not in self._made:
            self.put(gpt, key, make())
        return self._made[gpt][1]

    def put(self, gpt: LanguageModel, key: Hashable, made: T) -> None:
        """Keep this from now on."""
        self._made[gpt] = key, made

    def forget(self, gpt: LanguageModel) -> None:
        """Keep nothing for this model."""
        self._made.pop(gpt, None)
