"""The models that are served: under which names, from where, and each with an engine at work."""

from collections.abc import Mapping, Sequence
from functools import partial

from cutaway import language_model
from cutaway.engine import EngineLimits
from cutaway.errors import ConfigError
from cutaway.generate.speculation import Wish, lookup_for
from cutaway.native import WHOLE_NUMBERS
from cutaway.server.served_model import ServedModel


def named(models: Sequence[str]) -> dict[str, str]:
    """Where each served name comes from; NAME=SOURCE gives a name of its own.

    Raises: ConfigError for a name given twice.
    """
    sources: dict[str, str] = {}
    for given in models:
        name, equals, source = given.partition("=")
        if not equals:
            name = source = given
        if name in sources:
            raise ConfigError(f"two models would be served as {name!r}; name one differently, as in other={source}")
        sources[name] = source
    return sources


def start_models(
    sources: Mapping[str, str],
    *,
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    limits: EngineLimits | None = None,
    speculate: Wish = "none",
) -> list[ServedModel]:
    """Load the models and start their engines, which may guess what comes next.

    Raises: what `cutaway.load_generator` raises.
    """
    opened_in = "float32" if dtype in WHOLE_NUMBERS else dtype
    served = []
    for name, source in sources.items():
        generator = language_model.load_generator(source, device=device, dtype=dtype, threads=threads)
        to_open = partial(language_model.load, source, device=device, dtype=opened_in)
        guesses = lookup_for(generator.model, speculate)
        served.append(ServedModel.start(name, generator, to_open, limits, guesses))
    return served
