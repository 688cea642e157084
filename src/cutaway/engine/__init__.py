"""An engine for many requests at once: they share each step, and each gets exactly what it would get alone.

Read `scheduler.py` first, then `engine.py`; `sequence.py` is one sample on its way, `slots.py` the places for keys and
values, `runner.py` what is asked of a network, `thread.py` the engine for a server. The names are imported when first
used: PyTorch is loaded only for its own models.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutaway.engine.engine import Engine
    from cutaway.engine.event import Ended, Event, Outcome, Scored, Wrote
    from cutaway.engine.limits import EngineLimits
    from cutaway.engine.prompt_scores import PromptScore
    from cutaway.engine.receiver import Receiver
    from cutaway.engine.request import Request
    from cutaway.engine.runner import Runner, runner_of
    from cutaway.engine.statistics import Statistics
    from cutaway.engine.thread import EngineThread

__all__ = [
    "Ended",
    "Engine",
    "EngineLimits",
    "EngineThread",
    "Event",
    "Outcome",
    "PromptScore",
    "Receiver",
    "Request",
    "Runner",
    "Scored",
    "Statistics",
    "Wrote",
    "runner_of",
]

_MODULE_OF = {
    "Engine": "engine",
    "EngineLimits": "limits",
    "EngineThread": "thread",
    "PromptScore": "prompt_scores",
    "Receiver": "receiver",
    "Request": "request",
    "Statistics": "statistics",
    **dict.fromkeys(["Ended", "Event", "Outcome", "Scored", "Wrote"], "event"),
    **dict.fromkeys(["Runner", "runner_of"], "runner"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
