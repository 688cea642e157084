"""`cutaway train ngram`: the first rungs of the ladder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.decoding_options import SamplingOptions
from cutaway.cli.options import OUTPUT, Count, Json
from cutaway.cli.table import Column, print_table
from cutaway.data import TokenFolder
from cutaway.errors import ConfigError
from cutaway.tokenizer import AnyTokenizer, open_tokenizer

if TYPE_CHECKING:
    from cutaway.generate import Completion
    from cutaway.sampling import SamplingParams
    from cutaway.train.ngram import NGramModel
    from cutaway.train.ngram_counts import Watch
    from cutaway.train.ngram_ladder import Rung

DEFAULT_ORDER = 5


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class NGramOptions:
    """How far to look, and what to do with the model."""

    order: Count | None = None
    """The most tokens to look at, the predicted one included (default 5)."""
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None
    """Save the model of that order to this folder."""
    prompt: str | None = None
    """Continue this text, '' from nothing."""
    json: Json = False


def ngram(
    data: Annotated[
        Path, Parameter(help="A folder that cutaway prepare has filled, or a model saved by this command.")
    ],
    /,
    *,
    options: NGramOptions | None = None,
    sampling: SamplingOptions | None = None,
) -> None:
    """Count which token follows which, and see how well that predicts: what a network must beat.

    Prints the validation part's bits per byte by how many tokens the model looks at. The model is smoothed by
    Kneser and Ney's method. With --prompt it also writes; a saved model writes without counting again.
    """
    from cutaway.train.ngram_folder import is_ngram_folder, load_ngrams, save_ngrams

    options = options or NGramOptions()
    params = (sampling or SamplingOptions()).params()
    tokenizer = open_tokenizer(data)
    # Before anything that takes time: a vocabulary of characters may not know all of the prompt's.
    prompt = options.prompt or ""
    ids = tokenizer.encode(prompt)
    rungs: Sequence[Rung] = ()
    if finished := is_ngram_folder(data):
        refuse_counting(options)
        model = load_ngrams(data)
    else:
        model, rungs = counted(data, tokenizer, DEFAULT_ORDER if options.order is None else options.order)
        if options.out is not None:
            save_ngrams(model, options.out, tokenizer)
    samples = written(model, tokenizer, ids, params) if finished or options.prompt is not None else []
    if options.json:
        values = [sample.to_dict() for sample in samples]
        terminal.print_json({"rungs": [asdict(rung) for rung in rungs], "prompt": options.prompt, "samples": values})
        return
    show_rungs(rungs)
    for sample in samples:
        print(terminal.harmless(prompt + sample.text))


def refuse_counting(options: NGramOptions) -> None:
    """Refuse what a finished model has no use for.

    Raises: ConfigError naming the option.
    """
    for name in ("order", "out"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name} is for counting, and the folder holds a finished model; leave it out")


def counted(data: Path, tokenizer: AnyTokenizer, order: int) -> "tuple[NGramModel, Sequence[Rung]]":
    """The model of prepared data and how its rungs do."""
    from cutaway.train.ngram_ladder import climb

    with counting_bar() as watch:
        return climb(TokenFolder(data, tokenizer.fingerprint), tokenizer, order, watch)


def written(
    model: "NGramModel", tokenizer: AnyTokenizer, ids: Sequence[int], params: "SamplingParams"
) -> "list[Completion]":
    """How the model goes on from the prompt, as often as `params.n` says."""
    from cutaway.generate.completion import collect
    from cutaway.train.ngram_ladder import write_on

    steps = list(write_on(model, tokenizer, ids, params))
    return [collect([step for step in steps if step.sample == number]) for number in range(params.n)]


def show_rungs(rungs: "Sequence[Rung]") -> None:
    """The table, and where looking further stops helping."""
    if not rungs:
        return
    columns = [Column(name, right=True) for name in ("order", "different n-grams", "nats/token", "bits/byte")]
    rows = [(str(r.order), f"{r.n_ngrams:,}", f"{r.loss:.4f}", f"{r.bits_per_byte:.4f}") for r in rungs]
    print_table(columns, rows)
    best = min(rungs, key=lambda rung: rung.bits_per_byte)
    further = "; looking further does not help" if best.order < len(rungs) else ""
    print(f"best at order {best.order}{further}")


@contextmanager
def counting_bar() -> "Iterator[Watch]":
    """A bar on stderr, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("counting"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("counting", total=1.0)
        yield lambda share: bar.update(task, completed=share)
