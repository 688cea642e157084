"""`cutaway prepare`: from text to token shards."""

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.data_report import show_report
from cutaway.cli.options import Json
from cutaway.cli.tokenizer_choice import choose_tokenizer
from cutaway.config import check_integer
from cutaway.data import Corpus, Job, PrepareSettings, Progress, Share, TokenFolder, find, make_report, prepare, spool
from cutaway.data.prepare import OnProgress
from cutaway.data.source_file import STDIN, Kind
from cutaway.errors import ConfigError, did_you_mean

MIB = 1 << 20
SOURCES_HELP = """Files, folders, patterns such as 'books/**/*.txt', - for standard input, or a dataset on the Hub:
hub:owner/name, hub:owner/name@revision, and of either only some files by hub:owner/name/train or a pattern."""
# A hyphen alone is taken for an option otherwise.
Sources = Annotated[tuple[str, ...], Parameter(help=SOURCES_HELP, allow_leading_hyphen=True, show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How the text is read, cut into tokens and divided."""

    tokenizer: str = "gpt2"
    """gpt2, a folder with a tokenizer, char (one token a character), or train (learn one from this text)."""
    vocab_size: int | None = None
    """With --tokenizer train: how many tokens to learn."""
    validation: float = 0.01
    """The share of the documents kept for validation; of a single document, its end."""
    seed: int = 0
    """Decides which documents are for validation."""
    field: str = "text"
    """Where the text is in JSON Lines, CSV and Parquet."""
    separator: str | None = None
    """What separates documents in plain text, such as '<|endoftext|>'; without it a file is one document."""
    format: Kind | None = None
    """What the sources are, whatever their names say; standard input is txt."""
    workers: int | None = None
    """Processes; as many as there are cores by default."""
    shard: str = "1/1"
    """This machine's part of the work, as in 2/3 for the second of three; all write to the same folder."""
    shard_mib: int = 8
    """MiB of text that go into one shard file; more takes more memory."""
    json: Json = False

    def settings(self) -> PrepareSettings:
        """What decides the contents of the shards.

        Raises: ConfigError for an impossible value.
        """
        check_integer("shard_mib", self.shard_mib, 1, 1024)
        return PrepareSettings(
            validation=self.validation,
            seed=self.seed,
            field=self.field,
            separator=self.separator,
            unit_bytes=self.shard_mib * MIB,
        )


def prepare_command(
    sources: Sources = (),
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder for the shards.")],
    options: PrepareOptions | None = None,
) -> None:
    """Turn text into token shards to train on: plain text, JSON Lines, CSV, Parquet, also as .gz, .zst or .xz.

    Documents are divided into training and validation. When it is stopped, even by force, the same command goes on
    where it was.
    """
    options = options or PrepareOptions()
    settings, share = options.settings(), Share.parse(options.shard)
    workers = worker_count(options.workers)
    with found_corpus(sources, out, options.format) as corpus, progress_bar() as on_progress:
        tokenizer = choose_tokenizer(options.tokenizer, options.vocab_size, corpus, settings)
        job = Job(corpus, tokenizer, settings)
        manifest = prepare(job, out, workers=useful(workers, corpus), share=share, on_progress=on_progress)
    if corpus.skipped:
        terminal.notice(f"left out {len(corpus.skipped):,} files of other kinds: {', '.join(corpus.skipped[:5])}")
    if manifest is None:
        terminal.notice(f"share {options.shard} is done; the last one to finish completes {out}")
        return
    show_report(make_report(TokenFolder(out)), tokenizer.piece, out, as_json=options.json)


@contextmanager
def found_corpus(sources: tuple[str, ...], out: Path, kind: Kind | None) -> Iterator[Corpus]:
    """The files to read; standard input is put into one for as long as it is needed.

    Raises: ConfigError when standard input is not alone; DataError when there is nothing.
    """
    refuse_options(sources)
    if STDIN not in sources:
        yield find(sources, kind, fetch_dataset)
        return
    if sources != (STDIN,):
        raise ConfigError("standard input (-) goes alone; give the other sources as files, or pipe them all in")
    file = spool(sys.stdin.buffer, out, kind)
    try:
        yield Corpus(files=(file,))
    finally:
        file.path.unlink(missing_ok=True)


def fetch_dataset(source: str) -> list[tuple[Path, str]]:
    """The files of a dataset on the Hub."""
    from cutaway.weights.hub_dataset import fetch_dataset as fetch

    return fetch(source)


def refuse_options(sources: tuple[str, ...]) -> None:
    """Refuse what was meant to be an option: because of `-`, the parser lets everything through.

    Raises: ConfigError with the nearest option.
    """
    known = [f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(PrepareOptions)]
    for source in sources:
        if source.startswith("-") and source != STDIN:
            raise ConfigError(f"there is no option {source!r}; {did_you_mean(source, [*known, '--out'])}")


def worker_count(asked: int | None) -> int:
    """How many processes may work.

    Raises: ConfigError when it is no sensible number.
    """
    if asked is not None:
        check_integer("workers", asked, 1, 1024)
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def useful(workers: int, corpus: Corpus) -> int:
    """One process for a corpus that it is through with before another has started."""
    return 1 if corpus.size < MIB else workers


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """A bar on stderr, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: Progress) -> None:
            kept = f", {progress.kept_units:,} shards kept" if progress.kept_units else ""
            text = f"{progress.n_tokens:,} tokens{kept}"
            bar.update(task, completed=progress.read_bytes, total=progress.total_bytes, description=text)

        yield show
