"""`cutaway eval choices`: sets of questions with several answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.eval.options import RunOptions, keeping, open_subject, sizes_of
from cutaway.cli.eval.sources import find_files
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions
from cutaway.cli.table import Column, print_table
from cutaway.config import check_integer
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.cli.eval.options import Subject
    from cutaway.evals.choices import ChoiceScores, Share
    from cutaway.evals.task import Question, Task

MEASURES = {"sum": "whole answer", "per_character": "a character", "per_token": "a token"}
"""What a log-probability is divided by before answers are compared."""

NAMES_HELP = "Which sets: hellaswag, piqa, winogrande, arc-easy, …; without any, they are listed."


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class ChoiceOptions:
    """Where the questions are, and what comes before each."""

    data: str | None = None
    """A folder with the files (see the list), one file, or hub:owner/name/part; without it, the Hub's own."""
    shots: Count = 0
    """Worked examples before each question."""
    shots_from: Path | None = None
    """Draw them from this file, such as the training questions, not from the questions themselves."""
    seed: Count = 0
    """Which examples are drawn."""
    groups: Flag = False
    """Show each part of a set that has some, such as BLiMP's phenomena."""


def choices(
    names: Annotated[tuple[str, ...], Parameter(help=NAMES_HELP, show_default=False)] = (),
    /,
    *,
    model: ModelOptions | None = None,
    options: ChoiceOptions | None = None,
    run: RunOptions | None = None,
) -> None:
    """Answer questions by which answer is the likeliest, as lm-evaluation-harness does.

    Three ways to compare answers: by the log-probability of the whole answer (the harness' acc), by that divided
    among its characters (acc_norm), or among its tokens. ± is the standard error.
    """
    options, run = options or ChoiceOptions(), run or RunOptions()
    run.check()
    check_integer("seed", options.seed, 0, (1 << 63) - 1)
    if options.shots_from is not None and not options.shots:
        raise ConfigError("--shots-from says where examples come from; say with --shots how many there shall be")
    if options.shots_from is not None and not options.shots_from.is_file():
        raise ConfigError(f"--shots-from: there is no file {str(options.shots_from)!r}; check the path")
    if not names:
        list_tasks(as_json=run.json)
        return
    if run.items is not None and len(names) > 1:
        raise ConfigError(f"--items keeps one set and {len(names)} are asked for; evaluate them one by one")
    from cutaway.evals.tasks import task_named

    tasks = [task_named(name) for name in names]
    places = {task.name: find_files(task.name, options.data, task.files, task.hub) for task in tasks}
    # With examples to draw, also those questions that a limit leaves out.
    asked = {task.name: read_questions(task, places[task.name], None if options.shots else run.limit) for task in tasks}
    subject = open_subject(model or ModelOptions())
    found = {task.name: answer(task, places[task.name], asked[task.name], subject, options, run) for task in tasks}
    if run.json:
        scores = {name: scored.to_dict() for name, scored in found.items()}
        terminal.print_json({"model": subject.name, "shots": options.shots, "tasks": scores})
    else:
        show(subject.name, {task.name: task for task in tasks}, found, options)


def read_questions(task: "Task", files: Sequence[Path], limit: int | None) -> "list[Question]":
    """The questions of a set, or the first of them.

    Raises: ConfigError when there are none.
    """
    from itertools import chain, islice

    from cutaway.data.records import read_records
    from cutaway.evals.task import questions, with_labels

    records = chain.from_iterable(with_labels(task, read_records(file), file) for file in files)
    found = list(islice(questions(task, records), limit))
    if not found:
        raise ConfigError(f"{files[0]} holds no question of {task.name}; check the file")
    return found


def answer(
    task: "Task",
    files: Sequence[Path],
    questions: "Sequence[Question]",
    subject: "Subject",
    options: ChoiceOptions,
    run: RunOptions,
) -> "ChoiceScores":
    """Go through the questions of one set."""
    from cutaway.evals.choices import Shots, answer_questions, scores_of

    shots = None
    if options.shots:
        examples = read_questions(task, [options.shots_from], None) if options.shots_from else None
        shots = Shots(options.shots, options.seed, questions, examples)
    settings = {
        "shots": options.shots,
        "seed": options.seed,
        "shots_from": str(options.shots_from or ""),
        "files": sizes_of(files),
    }
    with keeping(run, subject, task.name, min(len(questions), run.limit or len(questions)), settings) as (
        log,
        progress,
    ):
        return scores_of(
            answer_questions(
                questions, subject.scorer, subject.tokenizer, shots=shots, limit=run.limit, log=log, progress=progress
            )
        )


def list_tasks(*, as_json: bool) -> None:
    """The sets, the names of their files, and where the Hub has them."""
    from cutaway.evals.tasks import ALL

    if as_json:
        rows: list[dict[str, Any]] = [
            {"name": task.name, "summary": task.summary, "files": list(task.files), "hub": task.hub} for task in ALL
        ]
        terminal.print_json({"tasks": rows})
        return
    columns = [Column("set"), Column("question"), Column("file in --data"), Column("on the Hub")]
    print_table(columns, [[task.name, task.summary, task.files[0], task.hub] for task in ALL])


def show(model: str, tasks: "dict[str, Task]", found: "dict[str, ChoiceScores]", options: ChoiceOptions) -> None:
    """A row for each set, and for each of its groups where they are asked for."""
    heading = f"{model}: share of questions answered right, in %; {options.shots} worked examples before each\n"
    columns = [
        Column("set"),
        Column("questions", right=True),
        *(Column(name, right=True) for name in MEASURES.values()),
        Column("chance", right=True),
        Column("others"),
    ]
    rows = []
    for name, scores in found.items():
        task = tasks[name]
        cells = [percent(getattr(scores, measure)) if measure in task.measures else "" for measure in MEASURES]
        others = "; ".join(f"{who}: {what}" for who, what in task.others.items())
        rows.append([name, f"{scores.sum.of:,}", *cells, f"{100 * scores.chance:.1f}", others])
        if options.groups:
            rest = [""] * (len(columns) - 3)
            rows += [[f"  {part}", f"{share.of:,}", percent(share), *rest] for part, share in scores.groups.items()]
    print(heading)
    print_table(columns, rows)


def percent(share: "Share") -> str:
    """A share with its standard error."""
    if share.value is None:
        return "–"
    return f"{100 * share.value:.1f}" + (f" ±{100 * share.stderr:.1f}" if share.stderr is not None else "")
