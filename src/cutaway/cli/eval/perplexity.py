"""`cutaway eval perplexity`: how well a model predicts texts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.eval.options import RunOptions, figure, keeping, open_subject
from cutaway.cli.inspect.options import check_drawing, check_places
from cutaway.cli.inspect.surprise import STRONGEST_BITS
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions
from cutaway.cli.shades import ground
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.cli.eval.options import Subject
    from cutaway.data.source_file import SourceFile
    from cutaway.evals.perplexity import Perplexity, Tally

FILES_HELP = "Files, folders, patterns such as 'books/*.txt', or hub:owner/name/part."
MAX_SHOWN = 20_000
"""Tokens of a coloured text: hundreds of screens."""


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class PerplexityOptions:
    """The windows, and what is shown."""

    context: Annotated[Count | None, Parameter(show_default=False)] = None
    """Tokens that a window reads (default: all the model can)."""
    stride: Annotated[Count | None, Parameter(show_default=False)] = None
    """How far each window moves on (default: its length); less gives each token more context, and takes longer."""
    start: Flag = False
    """Put <|endoftext|> before each document, so that its first token is counted, too."""
    by_document: Flag = False
    """Show each document as well as all together."""
    separator: str | None = None
    """What separates documents in plain text, such as '<|endoftext|>'; without it a file is one document."""
    field: str = "text"
    """Where the text is in JSON Lines, CSV and Parquet."""
    show: Flag = False
    """Show the text coloured by how surprising each token was."""
    plot: Path | None = None
    """Draw the loss against how many tokens came before, as a PNG."""


def perplexity(
    files: Annotated[tuple[str, ...], Parameter(help=FILES_HELP, show_default=False)],
    /,
    *,
    model: ModelOptions | None = None,
    options: PerplexityOptions | None = None,
    run: RunOptions | None = None,
) -> None:
    """Measure perplexity a token and a word, and bits a byte, of texts of any length.

    A document is read by itself, in windows. The first scores all its tokens but the first; each later one moves on by
    the stride, reads as many tokens before its end as a window holds, and scores the newest. Every token is scored
    once. A word is what stands between white space; bytes are those of the scored tokens.
    """
    options, run = options or PerplexityOptions(), run or RunOptions()
    run.check()
    check_output(options, run)
    sources = find_sources(files)
    subject = open_subject(model or ModelOptions())
    found = measure(subject, sources, options, run)
    if not found.total.tokens:
        raise ConfigError(
            "there is no token to score: the first of a text is read only; give a longer text, or --start it"
        )
    if options.plot is not None:
        draw(found, subject.name, options.plot)
    if run.json:
        terminal.print_json(as_json(found, subject.name, options.by_document))
    else:
        show(found, subject, options)


def check_output(options: PerplexityOptions, run: RunOptions) -> None:
    """Refuse what could only fail after long work.

    Raises: ConfigError for two kinds of output at once or a picture that cannot be written; MissingExtraError where
        nothing can draw.
    """
    if options.separator == "":
        raise ConfigError("--separator '' separates nothing; say what stands between documents, or leave it out")
    if options.show and run.json:
        raise ConfigError("--show and --json exclude each other; leave one out")
    if options.plot is not None:
        check_places({"png": options.plot})
        check_drawing()


def find_sources(files: Sequence[str]) -> "Sequence[SourceFile]":
    """The files that are meant."""
    from cutaway.data import find

    def fetch(address: str) -> list[tuple[Path, str]]:
        from cutaway.weights.hub_dataset import fetch_dataset

        return fetch_dataset(address)

    return find(files, fetch=fetch).files


def measure(
    subject: "Subject", sources: "Sequence[SourceFile]", options: PerplexityOptions, run: RunOptions
) -> "Perplexity":
    """Go through the documents."""
    from cutaway.evals.documents import documents
    from cutaway.evals.perplexity import Meter

    if options.start and subject.tokenizer.eot is None:
        raise ConfigError("--start needs <|endoftext|>, which this model's vocabulary does not have; leave it out")
    start = subject.tokenizer.eot if options.start else None
    meter = Meter(subject.scorer, subject.tokenizer, context=options.context, stride=options.stride)
    settings = {
        "context": meter.context,
        "stride": meter.stride,
        "start": start,
        "separator": options.separator,
        "field": options.field,
        "files": [[source.name, source.size] for source in sources],
    }
    texts = documents(sources, subject.tokenizer, field=options.field, separator=options.separator, start=start)
    with keeping(run, subject, "perplexity", run.limit, settings) as (log, progress):
        return meter.measure(texts, log=log, progress=progress, limit=run.limit, keep_tokens=options.show)


def show(found: "Perplexity", subject: "Subject", options: PerplexityOptions) -> None:
    """The text if it is wanted, and the figures."""
    if options.show:
        show_text(found, subject)
    columns = [
        Column("text"),
        *(Column(name, right=True) for name in ("tokens", "perplexity", "a word", "bits a byte", "loss, nats")),
    ]
    listed = [*found.documents, found.total] if options.by_document else [found.total]
    print_table(columns, [row(tally) for tally in listed])


def row(tally: "Tally") -> list[str]:
    """The figures of some text."""
    loss = tally.loss / tally.tokens if tally.tokens else None
    numbers = (tally.perplexity, tally.word_perplexity, tally.bits_per_byte, loss)
    digits = (2, 2, 4, 4)
    return [tally.name, f"{tally.tokens:,}", *(figure(value, n) for value, n in zip(numbers, digits, strict=True))]


def show_text(found: "Perplexity", subject: "Subject") -> None:
    """The text with each token's surprise behind it; a row a token where there are no colours."""
    tokens, bits = found.tokens[:MAX_SHOWN], [loss / math.log(2) for loss in found.losses[:MAX_SHOWN]]
    if not terminal.has_colour():
        rows = [
            [subject.tokenizer.piece(token), "" if math.isnan(value) else f"{value:.2f}"]
            for token, value in zip(tokens, bits, strict=True)
        ]
        print_table([Column("token"), Column("bits", right=True)], rows)
    else:
        from rich.console import Console
        from rich.text import Text

        line, stream = Text(), subject.tokenizer.stream()
        for token, value in zip(tokens, bits, strict=True):
            line.append(terminal.harmless(stream.push(token)), style=ground(value / STRONGEST_BITS))
        Console().print(line, soft_wrap=False)
    if len(found.tokens) > MAX_SHOWN:
        terminal.notice(f"the first {MAX_SHOWN:,} of {len(found.tokens):,} tokens are shown")
    print()


def draw(found: "Perplexity", name: str, path: Path) -> None:
    """The loss along the context as a picture."""
    from cutaway.plots import draw_along, save

    if not len(found.along):
        raise ConfigError("there is nothing to draw; the text has no token that follows another")
    title = f"Loss of {name} by how much it has read"
    save(
        draw_along(found.along, name="tokens before, in the window", start=1, title=title, unit="nats", smooth=16), path
    )


def as_json(found: "Perplexity", name: str, by_document: bool) -> dict[str, object]:
    """All figures."""
    along = [None if math.isnan(loss) else loss for loss in found.along.tolist()]
    every = {"documents": [tally.to_dict() for tally in found.documents]} if by_document else {}
    return {"model": name, **found.total.to_dict(), **every, "loss_by_tokens_before": along}
