"""`cutaway guide`: the exercises of the guide, checked by running."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.guide import Chapter

CHECK_FAILED = 1
ANSWERS = Path("answers.toml")
MAX_FILE_BYTES = 1 << 20

app = cyclopts.App(name="guide", help="Check the exercises of the guide.", help_format="plaintext")

Number = Annotated[int, Parameter(help="The chapter.")]
AnswerFile = Annotated[Path | None, Parameter(help="The file; without it answers.toml, if there is one here.")]


@app.command
def check(number: Number, /, *, answers: AnswerFile = None) -> int:
    """Check a chapter's exercises: by the answers in a file, or asking for each.

    The file is TOML with a table for each chapter, [3], and in it an answer for each letter: a = "…".
    """
    from cutaway.guide import chapter  # which brings numpy

    found = chapter(number)
    file = answers or (ANSWERS if ANSWERS.exists() else None)
    if file is None and not terminal.is_interactive():
        raise ConfigError(f"there is no {ANSWERS} here; write it, name another with --answers, or answer at a terminal")
    given = asked(found) if file is None else written(file, number, found)
    print(f"{number}. {found.title}")
    verdicts = [show(letter, answer, found) for letter, answer in given]
    print(f"{sum(verdicts)} of {len(found.exercises)}")
    return 0 if sum(verdicts) == len(found.exercises) else CHECK_FAILED


def show(letter: str, answer: str, chapter: "Chapter") -> bool:
    """Print what came of an answer; whether it is right."""
    exercise = chapter.by_letter()[letter]
    right, remark = exercise.verdict(answer)
    print(f"{letter})  {'right' if right else 'not yet'}: {terminal.harmless(remark)}")
    if not right:
        print(f"    hint: {exercise.hint}")
    return right


def asked(chapter: "Chapter") -> Iterator[tuple[str, str]]:
    """An answer for each exercise from the keyboard."""
    for letter, exercise in chapter.by_letter().items():
        print(f"\n{letter})  {exercise.question}")
        try:
            yield letter, input("    > ")
        except EOFError:
            print()
            return


def written(file: Path, number: int, chapter: "Chapter") -> list[tuple[str, str]]:
    """An answer for each exercise from a file, empty where it has none.

    Raises: ConfigError for a file that cannot be read, or answers to no exercise.
    """
    answers = table(file).get(str(number), {})
    if not isinstance(answers, Mapping):
        raise ConfigError(f"{file} has {number} = {answers!r}; answers stand in a table, [{number}], as a = '…'")
    letters = list(chapter.by_letter())
    for letter in answers:
        if letter not in letters:
            raise ConfigError(f"{file} answers {letter!r} of chapter {number}, which has {letters[0]} to {letters[-1]}")
    return [(letter, str(answers.get(letter, ""))) for letter in letters]


def table(file: Path) -> dict[str, Any]:
    """What a file of answers holds.

    Raises: ConfigError when it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{file} is over {MAX_FILE_BYTES:,} bytes, too large for answers; name another file")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}; name another with --answers") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}; an answer is written a = '…'") from None
