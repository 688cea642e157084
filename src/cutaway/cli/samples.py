"""`cutaway samples`: what generated texts are like, and what they copied."""

import json as json_format
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cutaway.atomic_file import write_atomically
from cutaway.cli import loading, terminal
from cutaway.cli.decoding_options import SamplingOptions, flag, given
from cutaway.cli.options import OUTPUT, Count, Flag, ModelOptions, Texts
from cutaway.cli.table import Column, print_table
from cutaway.config import check_integer
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.samples import Memorised, SampleReport, Written
    from cutaway.tokenizer import AnyTokenizer

SAMPLES = 50
MAX_SHOWN = 1000
SHOWN_CHARACTERS = 300


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What to measure."""

    prompt: str = ""
    """What the model goes on from; by default from nothing, which is <|endoftext|>."""
    limit: Count | None = None
    """Measure this many samples of the file at most."""
    against: Texts = ()
    """Data to look for copies in: a folder of cutaway prepare, a .npy of ids, or text; may be given several times."""
    against_limit: Count | None = None
    """Look through this many tokens of each of them at most."""
    ngram: Count = 8
    """Runs of this many tokens count as copied."""
    show: Count = 5
    """How many of the longest copied passages to show."""
    save: Path | None = None
    """Write the samples that were generated to a new JSON Lines file."""
    json: Flag = False
    """Print JSON."""


def samples(
    file: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT, help="What cutaway generate --json printed, or JSON Lines; without it 50, or --n, are made."
        ),
    ] = None,
    /,
    *,
    model: ModelOptions | None = None,
    sampling: SamplingOptions | None = None,
    options: SampleOptions | None = None,
) -> None:
    """Measure how generated texts repeat themselves and each other, how they end, and what they have word for word.

    Everything is counted in tokens of the model. With --against, every passage that also stands in the data is found,
    however long the data.
    """
    model, sampling, options = model or ModelOptions(), sampling or SamplingOptions(), options or SampleOptions()
    check_options(file, options)
    if file is not None and (useless := [name for name, value in given(sampling).items() if value is not False]):
        raise ConfigError(f"{flag(useless[0])} belongs to samples that are made here; leave it out, or the file")
    if file is None:
        written, tokenizer = generate(model, sampling, options)
    else:
        from cutaway.samples import read_samples

        tokenizer = loading.load_tokenizer(model.model)
        written = read_samples(file, tokenizer)[: options.limit]
    report = measure(written, tokenizer, options)
    if options.json:
        terminal.print_json({"model": model.model, **report.to_dict()})
    else:
        show(report, written, tokenizer, options)


def check_options(file: Path | None, options: SampleOptions) -> None:
    """Look at everything that can be wrong before anything is loaded.

    Raises: ConfigError for what is out of range or has no meaning.
    """
    check_integer("ngram", options.ngram, 2, 1024)
    check_integer("show", options.show, 0, MAX_SHOWN)
    for name, value in (("limit", options.limit), ("against-limit", options.against_limit)):
        if value is not None:
            check_integer(name, value, 1, 1 << 62)
    if file is not None and (options.prompt or options.save):
        raise ConfigError("--prompt and --save belong to samples that are made here; leave them out, or the file")
    if options.against_limit is not None and not options.against:
        raise ConfigError("--against-limit belongs to --against; say which data to look through, or leave it out")
    if options.save is not None and options.save.exists():
        raise ConfigError(f"{options.save} exists already; name a new file, or remove it first")
    if options.save is not None and not options.save.parent.is_dir():
        raise ConfigError(f"there is no folder {str(options.save.parent)!r} for --save; make it, or name another place")


def generate(
    model: ModelOptions, sampling: SamplingOptions, options: SampleOptions
) -> "tuple[list[Written], AnyTokenizer]":
    """Samples of a model, and its tokenizer.

    Raises: GenerationError for parameters that cannot be.
    """
    params = sampling.params()
    count = SAMPLES if sampling.n is None else sampling.n
    from cutaway.generate.completion import Step, collect
    from cutaway.samples.written import written

    gpt = loading.load_generator(model)
    steps: dict[int, list[Step]] = {}
    finished = 0
    for step in gpt.stream(options.prompt, params.replace(n=count)):
        steps.setdefault(step.sample, []).append(step)
        if step.finish_reason is not None:
            finished += 1
            terminal.progress(f"{finished} of {count} samples written")
    terminal.progress("")
    made = [collect(steps[i]) for i in range(count)]
    if options.save is not None:
        lines = (json_format.dumps(sample.to_dict(), ensure_ascii=False) + "\n" for sample in made)
        write_atomically(options.save, (line.encode() for line in lines))
    return [
        written(sample.tokens, sample.text, gpt.tokenizer, sample.finish_reason == "stop") for sample in made
    ], gpt.tokenizer


def measure(written: "Sequence[Written]", tokenizer: "AnyTokenizer", options: SampleOptions) -> "SampleReport":
    """All figures."""
    from cutaway.samples import describe, memorised, open_corpus

    copied = None
    if options.against:
        blocks = open_corpus(options.against, tokenizer, limit=options.against_limit, tell=tell)
        copied = memorised([sample.tokens for sample in written], blocks, options.ngram, max(1, options.show))
        terminal.progress("")
    return describe(written, copied)


def tell(source: str, tokens: int) -> None:
    """Say how far the data have been read."""
    terminal.progress(f"{tokens:,} tokens of {source} read")


def show(
    report: "SampleReport", written: "Sequence[Written]", tokenizer: "AnyTokenizer", options: SampleOptions
) -> None:
    """The report for people."""
    lengths = report.lengths
    print(f"{report.samples:,} {'samples' if report.samples > 1 else 'sample'}, {report.tokens:,} tokens\n")
    print(
        f"length      {lengths.mean:.1f} tokens on average, median {lengths.median:g}, "
        f"from {lengths.shortest:,} to {lengths.longest:,}"
    )
    print(f"ended       {share(report.ended)} by themselves, with <|endoftext|> or a stop text")
    print(f"self-BLEU   {number(report.self_bleu)}  (1: all alike)")
    print(f"Zipf        {number(report.zipf)}  (English text: about 1)\n")
    columns = [
        Column("n", right=True),
        Column("rep-n, n-grams seen before in the sample", right=True),
        Column("distinct-n, different of all", right=True),
    ]
    print_table(columns, [(str(n), share(report.repeated[n]), share(report.distinct[n])) for n in report.repeated])
    if report.memorised:
        show_memorised(report.memorised, written, tokenizer, options.show)


def show_memorised(copied: "Memorised", written: "Sequence[Written]", tokenizer: "AnyTokenizer", most: int) -> None:
    """What was found in the data, the longest passages word for word."""
    print(f"\nagainst {copied.data_tokens:,} tokens of data")
    print(f"{share(copied.share)} of the runs of {copied.n} tokens stand there too; ", end="")
    print(f"the longest common run has {copied.longest} tokens" if copied.longest else "there is no longer run")
    for passage in copied.passages[:most]:
        tokens = written[passage.sample].tokens[passage.start : passage.start + passage.length]
        place = f"sample {passage.sample + 1}, from token {passage.start}; {passage.source}, from {passage.offset:,}"
        print(f"\n{passage.length} tokens: {place}")
        text = terminal.harmless(tokenizer.decode(tokens))
        print(f"  {text[:SHOWN_CHARACTERS]!r}{' …' if len(text) > SHOWN_CHARACTERS else ''}")


def share(value: float | None) -> str:
    """A share of 1 in per cent."""
    return "unknown" if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """A figure with three decimals."""
    return "unknown" if value is None else f"{value:.3f}"
