"""`cutaway data`: look into a folder of token shards, or check that it is whole."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.data_report import show_report
from cutaway.cli.options import Json
from cutaway.config import check_integer
from cutaway.data import Batch, Batches, SequentialBatches, TokenFolder, make_report, merge
from cutaway.errors import DataError
from cutaway.tokenizer import AnyTokenizer, open_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECK_FAILED = 1

app = cyclopts.App(name="data", help="Look into prepared data, or check it.", help_format="plaintext")

Folder = Annotated[Path, Parameter(help="The folder that cutaway prepare has filled.")]

Quiet = Annotated[bool, Parameter(help="Do not name each file.", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """Which batches."""

    split: Literal["train", "validation"] = "train"
    """Training batches are shuffled, validation batches go from beginning to end."""
    step: int = 0
    """The first batch to show."""
    batches: int = 1
    """How many batches to show."""
    batch_size: int = 4
    """Rows in a batch."""
    block_size: int = 64
    """Tokens in a row."""
    seed: int = 0
    """Decides the order of the training batches."""
    json: Json = False


@app.command
def show(folder: Folder, /, *, options: ShowOptions | None = None) -> None:
    """Print batches as text, as a model would see them."""
    options = options or ShowOptions()
    check_integer("step", options.step, 0, 1 << 62)
    check_integer("batches", options.batches, 1, 1 << 20)
    tokenizer = open_tokenizer(folder)
    tokens = TokenFolder(folder, tokenizer.fingerprint).tokens(options.split)
    steps = range(options.step, options.step + options.batches)
    if options.split == "train":
        shuffled = Batches([(tokens, options.batch_size)], options.block_size, options.seed)
        batches: Iterable[Batch] = (shuffled[step] for step in steps)
    else:
        in_order = SequentialBatches(tokens, options.block_size, options.batch_size)
        batches = islice(in_order, steps.start, steps.stop)
    shown = [batch_to_dict(step, batch, tokenizer) for step, batch in zip(steps, batches, strict=False)]
    if options.json:
        terminal.print_json(shown)
        return
    for batch in shown:
        show_batch(batch)


def batch_to_dict(step: int, batch: Batch, tokenizer: AnyTokenizer) -> dict[str, Any]:
    """The rows of a batch as ids and as text, the last target included."""
    rows = [[*map(int, row), int(targets[-1])] for row, targets in zip(batch.inputs, batch.targets, strict=True)]
    return {"step": step, "rows": [{"ids": row, "text": tokenizer.decode(row)} for row in rows]}


def show_batch(batch: dict[str, Any]) -> None:
    """The texts of a batch, each in one line."""
    print(
        terminal.dim(f"step {batch['step']:,}, {len(batch['rows'])} rows of {len(batch['rows'][0]['ids']) - 1} tokens")
    )
    for row in batch["rows"]:
        print(repr(row["text"]))


@app.command
def check(folder: Folder, /, *, quiet: Quiet = False) -> int | None:
    """Read everything and compare it with its checksums; the exit code is 1 when something is damaged."""
    data = TokenFolder(folder)
    try:
        if open_tokenizer(folder).fingerprint != data.manifest.fingerprint:
            raise DataError(f"the tokenizer in {folder} is not the one that the data was made with; prepare it again")
        for file in data.verify():
            if not quiet:
                print(f"ok  {file}")
    except DataError as error:
        terminal.notice(f"cutaway: {error}")
        return CHECK_FAILED
    print(f"{len(data.manifest.shards):,} shards are whole; data {data.manifest.data_sha256[:16]}")
    return None


@app.command
def report(folder: Folder, /, *, json: Json = False) -> None:
    """Count documents and tokens, the commonest tokens, those that never occur, and lengths."""
    show_report(make_report(TokenFolder(folder)), open_tokenizer(folder).piece, folder, as_json=json)


@app.command(name="merge")
def merge_shares(folder: Folder, /) -> None:
    """Complete a folder into which the finished shares of several machines were copied, hidden files included."""
    if merge(folder) is None:
        raise DataError(f"{folder} does not hold all shares yet; copy the others there, .progress included")
    print(folder)
