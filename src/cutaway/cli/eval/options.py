"""What the commands of `eval` share: where items are kept, and how many are looked at."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli.inspect.report import progress
from cutaway.cli.options import OUTPUT, Count, Json, ModelOptions
from cutaway.config import check_integer

if TYPE_CHECKING:
    from cutaway.evals.item_log import ItemLog
    from cutaway.evals.items import Progress
    from cutaway.evals.passage import Scorer
    from cutaway.tokenizer import AnyTokenizer

MOST_ITEMS = 1 << 40


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How much is evaluated, and where it is kept."""

    limit: Annotated[Count | None, Parameter(show_default=False)] = None
    """Look at so many items only: questions, passages, or windows of text."""
    items: Path | None = None
    """Keep each finished item in this file of JSON Lines; started again, the same evaluation goes on from there."""
    json: Json = False

    def check(self) -> None:
        """Refuse a limit that leaves nothing.

        Raises: ConfigError for it.
        """
        if self.limit is not None:
            check_integer("limit", self.limit, 1, MOST_ITEMS)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that is evaluated."""

    name: str
    scorer: "Scorer"
    tokenizer: "AnyTokenizer"
    fingerprint: Mapping[str, Any]
    """What its items in a file belong to."""


def open_subject(options: ModelOptions) -> Subject:
    """The model, in native hands where they suit it."""
    from cutaway.cli import loading

    gpt = loading.load_generator(options)
    from cutaway.evals.scorers import scorer_of

    return Subject(
        name=gpt.name, scorer=scorer_of(gpt.model), tokenizer=gpt.tokenizer, fingerprint=fingerprint(options, gpt.model)
    )


def fingerprint(options: ModelOptions, network: object) -> dict[str, Any]:
    """Name, files and number format of a model, and who computes it."""
    from cutaway.weights.locate import locate

    files = locate(options.model)
    state = files.weights.stat()
    return {
        "model": options.model,
        "weights_bytes": state.st_size,
        "weights_changed_ns": state.st_mtime_ns,
        "dtype": options.dtype,
        "network": type(network).__name__,
    }


def sizes_of(files: Sequence[Path]) -> list[tuple[str, int]]:
    """What tells one data set from another in a file of items."""
    return [(file.name, file.stat().st_size) for file in files]


@contextmanager
def keeping(
    run: RunOptions, subject: Subject, what: str, total: int | None, settings: Mapping[str, Any]
) -> "Iterator[tuple[ItemLog, Progress]]":
    """The file of items, and a bar on stderr where somebody looks at it."""
    from cutaway.evals.item_log import ItemLog

    key = {"evaluation": what, **subject.fingerprint, **settings}
    with ItemLog(key, run.items) as log, progress(what) as show:
        yield log, lambda done: show(done, total or done)


def figure(value: float | None, digits: int = 2) -> str:
    """A number as people read it, or a dash."""
    return "–" if value is None else f"{value:,.{digits}f}"
