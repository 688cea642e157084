"""The film of `cutaway inspect attention`: one head in several layers while the model writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.cli.inspect import places
from cutaway.cli.inspect.options import check_drawing, check_places
from cutaway.cli.inspect.report import progress
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.inspect.patching import Progress
    from cutaway.language_model import LanguageModel
    from cutaway.plots.colours import Array

DEFAULT_LAYERS, DEFAULT_TOKENS = 4, 256


def check(gif: Path | None, mp4: Path | None, *, layers: str | None, max_tokens: int | None) -> None:
    """Refuse what could only fail after long work.

    Raises: ConfigError for a path that cannot be written, or a detail of a film that nobody asked for.
    """
    films = {kind: path for kind, path in (("gif", gif), ("mp4", mp4)) if path is not None}
    check_places(films)
    if films:
        check_drawing()
        if mp4 is not None:
            from cutaway.plots.mp4 import ffmpeg

            ffmpeg()
        return
    for option, value in (("--layers", layers), ("--max-tokens", max_tokens)):
        if value is not None:
            raise ConfigError(f"{option} belongs to a film; give --gif or --mp4 too, or leave it out")


@dataclass(frozen=True, kw_only=True)
class Film:
    """What the film will show."""

    gpt: "LanguageModel"
    start: Sequence[int]
    head: int
    layers: Sequence[int]
    n_tokens: int
    seed: int

    def write(self, paths: Sequence[Path]) -> list[Path]:
        """Let the model write, and film it into each file."""
        from cutaway.plots import animate, growing

        with progress("writing") as tell:
            ids = self._written(tell)
        patterns, tokens = self._patterns(ids), [self.gpt.tokenizer.decode([token]) for token in ids]
        names, first = [f"layer {layer}" for layer in self.layers], len(self.start)
        title = f"Attention of head {self.head} while {self.gpt.name} writes"
        for path in paths:
            with progress("filming") as tell:
                total = len(ids) - first + 1

                def told(done: int, total: int = total) -> None:
                    tell(done, total)

                frames = growing(patterns, tokens, first)
                animate(frames, path, names=names, positions=len(ids), title=title, progress=told)
        return list(paths)

    def _written(self, tell: "Progress") -> list[int]:
        """The ids of the start and of what the model writes after it; it goes on after <|endoftext|>."""
        ids = list(self.start)
        if new := self.n_tokens - len(ids):
            for step in self.gpt.stream(ids.copy(), max_tokens=new, seed=self.seed, ignore_eot=True):
                ids.append(step.token)
                tell(len(ids), self.n_tokens)
        return ids

    def _patterns(self, ids: Sequence[int]) -> "Array":
        """The patterns of the whole text: what comes later changes nothing of what came before.

        Shapes: -> (layers, T, T)
        """
        import numpy as np

        from cutaway.inspect import trace

        seen = trace(self.gpt, ids, [f"h.{layer}.pattern" for layer in self.layers])
        return np.stack([seen.labelled(f"h.{layer}.pattern").values[self.head] for layer in self.layers])


def plan(
    gpt: "LanguageModel", start: Sequence[int], head: int, layers: str | None, max_tokens: int | None, seed: int
) -> Film:
    """The film, checked against the model.

    Raises: ConfigError for a text that is longer than the film or the context; InspectionError for a layer that is
        not there.
    """
    n_layer, context = gpt.config.n_layer, gpt.config.block_size
    chosen = (
        range(min(DEFAULT_LAYERS, n_layer)) if layers is None else places.several("--layers", layers, n_layer, "layers")
    )
    n_tokens = min(DEFAULT_TOKENS, context) if max_tokens is None else max_tokens
    if not len(start) <= n_tokens <= context:
        limits = f"the text's {len(start):,} to the context's {context:,}"
        raise ConfigError(f"--max-tokens {n_tokens:,} is out of range; choose from {limits}")
    return Film(gpt=gpt, start=start, head=head, layers=list(chosen), n_tokens=n_tokens, seed=seed)
