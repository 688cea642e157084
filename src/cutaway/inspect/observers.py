"""Who looks into the network: observers, several at once, and a network that always has one.

All of them stand at the points that `cutaway.model.Observer` names; none of them knows how the network works.
"""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from cutaway.cache import KVCache
from cutaway.inspect.points import at_layer, layer_of, point_of
from cutaway.model import GPT, Observer, attention_pattern

Seen = Callable[[str, Tensor], None]
"""What is told of an activation: its name, and the activation (B, …)."""


class Chain:
    """Observers in a row: each sees what the ones before it made of an activation."""

    def __init__(self, *observers: Observer | None) -> None:
        self.observers = [observer for observer in observers if observer is not None]

    def wants(self, name: str) -> bool:
        """Whether any of them does."""
        return any(observer.wants(name) for observer in self.observers)

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """What the last makes of what the others made of an activation."""
        for observer in self.observers:
            x = observer(name, x)
        return x


class Watcher:
    """Tells of the activations of some names as the network forms them, and keeps nothing.

    Of a pattern it tells only if the network forms it, which it does if it must: `form_patterns`.
    """

    def __init__(self, names: Collection[str], seen: Seen, *, form_patterns: bool = False) -> None:
        self.names, self.seen, self.form_patterns = frozenset(names), seen, form_patterns

    def wants(self, name: str) -> bool:
        """Whether the network should form the pattern of that name."""
        return self.form_patterns and name in self.names

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Tell of the activation, and change nothing."""
        if name in self.names:
            self.seen(name, x)
        return x


class PatternWatcher(Watcher):
    """Computes patterns from q and k on the side, so that the network itself goes on with fused attention.

    Only without a cache: with one, k holds the new tokens alone.
    """

    def __init__(self, names: Collection[str], seen: Seen) -> None:
        super().__init__(names, seen)
        self._pending: dict[str, Tensor] = {}

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Tell of the activation, and of the pattern once its layer has attended."""
        layer, point = layer_of(name), point_of(name)
        if layer is not None and at_layer("pattern", layer) in self.names:
            self._follow_attention(layer, point, x)
        return super().__call__(name, x)

    def _follow_attention(self, layer: int, point: str, x: Tensor) -> None:
        if point in ("q", "k"):
            self._pending[point] = x
        elif point == "pattern":
            # Somebody else had the network form it, and may have changed it.
            self._pending.clear()
        elif point == "z" and self._pending:
            q, k = self._pending.pop("q"), self._pending.pop("k")
            self.seen(at_layer("pattern", layer), attention_pattern(q, k))


Observe = Callable[[Tensor, Tensor], Observer]
"""From the ids (B, T) that a forward reads and their positions (1 or B, T) to its observer."""


class ObservedGPT(GPT):
    """The same network, the very same weights, with an observer that sees every forward.

    Whatever runs a GPT runs this: generation with its cache, search, scoring, training. Positions are those in the
    context, whether a token is read with its neighbours or alone.
    """

    def __init__(self, model: GPT, observe: Observe) -> None:
        nn.Module.__init__(self)
        self.config, self.training, self._observe = model.config, model.training, observe
        self.wte, self.wpe, self.drop, self.h = model.wte, model.wpe, model.drop, model.h
        self.ln_f, self.lm_head = model.ln_f, model.lm_head
        # In a tuple, so that it does not count as a part with parameters of its own.
        self._inner = (model,)

    def hidden(
        self,
        idx: Tensor,
        documents: Tensor | None = None,
        *,
        cache: KVCache | None = None,
        observer: Observer | None = None,
    ) -> Tensor:
        """The final hidden states, seen by its own observer first and then by the given one."""
        positions, _ = self._place(idx, documents, cache)
        chain = Chain(self._observe(idx, positions), observer)
        return self._inner[0].hidden(idx, documents, cache=cache, observer=chain)


@torch.no_grad()
def look(model: GPT, idx: Tensor, observer: Observer, *, logits: bool = False) -> None:
    """Read a batch for an observer's sake, without gradients, the head only if its logits are wanted.

    Shapes: idx (B, T)
    """
    if logits:
        model(idx, observer=observer)
    else:
        model.hidden(idx, observer=observer)


def watch(model: GPT, idx: Tensor, names: Collection[str], seen: Seen) -> None:
    """Read a batch and tell of the activations of some names, one at a time: memory holds only what `seen` keeps.

    Shapes: idx (B, T)
    """
    look(model, idx, PatternWatcher(names, seen), logits="logits" in names)
