"""A model that is served: its text generator, its engine, and what about them is asked again and again."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Self

from cutaway.engine import Engine, EngineLimits, EngineThread
from cutaway.generate import Speculation
from cutaway.language_model import LanguageModel
from cutaway.server.inside.opened import Opened
from cutaway.text_generator import TextGenerator


class ServedModel:
    """A model behind an engine in a thread of its own, from now until `stop`.

    `open_model` gives it in PyTorch, to be looked into, when somebody first wants to.
    """

    def __init__(
        self, name: str, generator: TextGenerator, engine: EngineThread, open_model: Callable[[], LanguageModel]
    ) -> None:
        self.name, self.generator, self.engine = name, generator, engine
        self.opened = Opened(name, open_model)
        self.created = int(time.time())
        self.limits = engine.limits

    @classmethod
    def start(
        cls,
        name: str,
        generator: TextGenerator,
        open_model: Callable[[], LanguageModel],
        limits: EngineLimits | None = None,
        speculation: Speculation | None = None,
    ) -> Self:
        """Serve a model under a name, with an engine started for it."""
        engine = Engine.over(generator.model, generator.tokenizer, limits, speculation=speculation)
        return cls(name, generator, EngineThread(engine), open_model)

    @property
    def context(self) -> int:
        """Tokens that the model reads at most."""
        return self.generator.config.block_size

    @cached_property
    def longest_token(self) -> int:
        """Bytes of the vocabulary's longest token, so that many characters are at least one token."""
        tokenizer = self.generator.tokenizer
        return max(len(tokenizer.token_bytes(token)) for token in range(tokenizer.n_vocab))

    def stop(self, timeout_s: float) -> None:
        """End the engine's thread, and what it is still at with it.

        Raises: EngineError when it broke, or takes longer.
        """
        self.opened.close()
        self.engine.stop(drain=False, timeout_s=timeout_s)
