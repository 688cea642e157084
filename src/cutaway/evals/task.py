"""A set of questions: where its records are, and how each becomes a question."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cutaway.errors import CutawayError, EvaluationError

Record: TypeAlias = Mapping[str, Any]


class Pair(NamedTuple):
    """A context and what may follow it."""

    context: str
    following: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its possible answers."""

    pairs: Sequence[Pair]
    """One for each answer; most differ in what follows, some in the context."""
    characters: Sequence[int]
    """How long each answer is, for the measure that divides by it."""
    answer: int
    """Which is right."""
    group: str = ""
    """The part of the set it belongs to, where a set has parts that are told apart."""

    def __post_init__(self) -> None:
        if not 0 <= self.answer < len(self.pairs):
            raise EvaluationError(f"answer {self.answer} is none of {len(self.pairs)}")

    @property
    def solved(self) -> str:
        """The question with its right answer, as a worked example."""
        return "".join(self.pairs[self.answer])


@dataclass(frozen=True, kw_only=True)
class Task:
    """A set of questions."""

    name: str
    summary: str
    hub: str
    """The data set on the Hub, as `owner/name/part`."""
    files: Sequence[str]
    """Names that the file may have in a folder, the likeliest first."""
    question: Callable[[Record], Question]
    labels: str = ""
    """What replaces the end of the file's name in the file of right answers, a number a line, where there is one."""
    measures: Sequence[str] = ("sum", "per_character", "per_token")
    """Which measures mean something; the first is the usual one."""
    others: Mapping[str, str] = field(default_factory=dict)
    """What others measure, by whom."""


def asked(context: str, answers: Sequence[str], right: int, group: str = "") -> Question:
    """A question whose answers follow the same context after a space."""
    return Question(
        pairs=[Pair(context, f" {answer}") for answer in answers],
        characters=[len(answer) for answer in answers],
        answer=right,
        group=group,
    )


def with_labels(task: Task, records: Iterator[Record], file: Path) -> Iterator[Record]:
    """The records, with the answers of the file that goes with theirs.

    Raises: EvaluationError when there are more of the ones than of the others.
    """
    beside = file.with_name(file.stem + task.labels)
    if not task.labels or not beside.is_file():
        yield from records
        return
    try:
        labels = beside.read_text(encoding="utf-8").split()
        for record, label in zip(records, labels, strict=True):
            yield {**record, "label": label}
    except CutawayError:  # of the records, which are ValueErrors too
        raise
    except ValueError:  # of zip, or of the decoder
        raise EvaluationError(
            f"{beside} does not have one answer for each question of {file}; fetch both again"
        ) from None


def questions(task: Task, records: Iterator[Record]) -> Iterator[Question]:
    """The records as questions.

    Raises: EvaluationError naming the record that is none of this task.
    """
    for number, record in enumerate(records, start=1):
        try:
            yield task.question(record)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            fields = ", ".join(map(str, record)) or "nothing"
            raise EvaluationError(
                f"record {number:,} is no question of {task.name} ({error!r}); it has {fields}; "
                "give the file that the task names"
            ) from None
