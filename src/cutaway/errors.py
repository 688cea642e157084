"""Everything that can go wrong on purpose.

CutawayError                 the root: catch this to catch all of them
├── ConfigError              a setting with an impossible value, or one that does not exist
├── TokenizerError           text or ids that cannot be encoded or decoded, a broken vocabulary
├── CheckpointError          weights that are missing, damaged, or not a GPT-2
│   └── ModelNotFoundError   no such model here, in the cache, or on the Hub
├── DataError                a corpus or token shards that are missing, damaged, or not what was asked for
├── GenerationError          a prompt or sampling parameter the model cannot serve
├── EngineError              a request that was cancelled or ran out of time, an engine that has stopped
│   └── QueueFullError       so many requests wait already that one more is refused
├── TrainingError            a run that cannot start or go on
├── EvaluationError          a test set, task or passage that cannot be evaluated
├── InspectionError          a layer, head, position or name that the model or a result does not have
└── MissingExtraError        an optional library that is not installed

Each message is one sentence with the value, the limit and the way out. The command line prints it and
exits with code 2; nothing is half-written.
"""

import difflib
from collections.abc import Iterable


class CutawayError(Exception):
    """The root of every error that this package raises on purpose."""


class ConfigError(CutawayError, ValueError):
    """A configuration value is impossible or unknown."""


class TokenizerError(CutawayError, ValueError):
    """Text or ids cannot be converted, or a vocabulary is broken."""


class CheckpointError(CutawayError):
    """A checkpoint is missing, damaged, or not a GPT-2."""


class ModelNotFoundError(CheckpointError, FileNotFoundError):
    """No model of that name is bundled, cached, on disk or reachable."""


class DataError(CutawayError, ValueError):
    """A corpus or token shards are missing, damaged, or not what was asked for."""


class GenerationError(CutawayError, ValueError):
    """A prompt or a sampling parameter cannot be served."""


class EngineError(CutawayError):
    """A request was cancelled or ran out of time, or the engine has stopped."""


class QueueFullError(EngineError):
    """So many requests wait already that one more is refused; it may come again later."""


class TrainingError(CutawayError):
    """A training run cannot start or cannot go on."""


class EvaluationError(CutawayError, ValueError):
    """A test set, a task or a passage cannot be evaluated."""


class InspectionError(CutawayError, ValueError):
    """A layer, head, position or name is asked for that the model or a result does not have."""


class MissingExtraError(CutawayError, ImportError):
    """An optional library is needed and not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        # The arguments themselves, not the sentence, so that the error can be pickled on its way between processes.
        super().__init__(library, extra, purpose)
        self.library, self.extra, self.purpose = library, extra, purpose

    def __str__(self) -> str:
        return f"{self.purpose} needs {self.library}, which is not installed: pip install 'cutaway[{self.extra}]'"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the nearest known name, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
