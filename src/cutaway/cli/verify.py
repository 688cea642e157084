"""`cutaway verify`: whether a checkpoint holds what it claims, and is computed right."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.options import OUTPUT, Flag, Texts, refuse_together

if TYPE_CHECKING:
    from cutaway.verify import Check, Reference

CHECK_FAILED = 1
MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}
NAME_WIDTH = 30
DIAGNOSIS = "diagnosis"

Model: TypeAlias = Annotated[
    str, Parameter(help="A name (see cutaway models), a Hub id such as owner/name, a folder or a weight file.")
]
Precision: TypeAlias = Literal["float32", "bfloat16", "int8", "int4", "w8a8"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What to compare with."""

    claim: Annotated[str | None, Parameter(name="--as")] = None
    """Hold it to the published model of this name (gpt2, …), whatever it is called."""
    reference: Path | None = None
    """A JSON file of numbers to hold it to, as --record writes them."""
    sha256: Texts = ()
    """The hash that the weight file must have, or NAME=HASH for another file; may be given several times."""
    precision: Annotated[tuple[Precision, ...], Parameter(show_default=False)] = ()
    """Try the native kernels at this precision only; may be given several times (default: all)."""
    record: Annotated[Path | None, Parameter(group=OUTPUT)] = None
    """Write what this model is and computes to a new JSON file, to hold copies to it later, and check nothing."""
    json: Annotated[Flag, Parameter(group=OUTPUT)] = False
    """Print JSON."""


def verify(model: Model = "fable", /, *, options: VerifyOptions | None = None) -> int:
    """Check a model's files, tensors, tokenizer and numbers, one line a check; exit code 1 if one fails.

    The published models are held to numbers that others have printed. Every model is computed in several ways, which
    must agree: in float32 and float64, by plain operations, cached and batched, by the native kernels at each
    precision, and by transformers where it is installed.
    """
    options = options or VerifyOptions()
    if options.claim and options.reference:
        refuse_together("--as", "--reference")
    from cutaway.weights.locate import locate

    locate(model)  # a wrong name is told before torch is loaded
    if options.record:
        write_reference(model, options.record)
        return 0
    checks = []
    for check in run(model, options):
        checks.append(check)
        if not options.json:
            show(check)
    failures = sum(check.state == "failed" for check in checks)
    if options.json:
        told = [check.to_dict() for check in checks]
        terminal.print_json({"model": model, "passed": not failures, "checks": told})
    else:
        print(summary(model, checks))
    return CHECK_FAILED if failures else 0


def run(model: str, options: VerifyOptions) -> "Iterator[Check]":
    """The checks, each as it is finished."""
    from cutaway.native import PRECISIONS
    from cutaway.verify import verify as verify_model

    precisions = tuple(dict.fromkeys(options.precision)) or PRECISIONS
    return verify_model(model, reference=chosen_reference(options), sha256=options.sha256, precisions=precisions)


def chosen_reference(options: VerifyOptions) -> "Reference | None":
    """The numbers that were asked for, if any were.

    Raises: ConfigError when there is no such file; CheckpointError when there are no numbers of that name, or the file
        is not a reference.
    """
    from cutaway.errors import ConfigError
    from cutaway.verify import Reference

    if options.claim:
        return Reference.published(options.claim)
    if options.reference and not options.reference.is_file():
        raise ConfigError(f"--reference: there is no file {str(options.reference)!r}; make one with --record")
    return Reference.read(options.reference) if options.reference else None


def write_reference(model: str, path: Path) -> None:
    """Record what a model is and computes.

    Raises: ConfigError when the file is there already.
    """
    from cutaway.atomic_file import write_atomically
    from cutaway.errors import ConfigError
    from cutaway.verify import make_reference

    if path.exists():
        raise ConfigError(f"{path} exists already; name a new file, or remove it first")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write {path.name} to; make it first")
    write_atomically(path, [make_reference(model, Path(model).name).to_json().encode()])
    print(path)


def show(check: "Check") -> None:
    """A line for the check; under a failure, what was expected and what usually causes it."""
    line = f"{MARKS[check.state]:<7} {check.name:<{NAME_WIDTH}} {check.seen}"
    print(terminal.dim(line) if check.state == "skipped" else line, flush=True)
    if check.state == "failed":
        for title, text in (("expected", check.expected), ("usually", check.cause)):
            lead = f"{'':8}{title:<9}"
            print(textwrap.fill(text, 110, initial_indent=lead, subsequent_indent=" " * len(lead)), flush=True)


def summary(model: str, checks: "list[Check]") -> str:
    """How it went, in a line."""
    counts = {state: sum(check.state == state for check in checks) for state in MARKS}
    failed = [check.name for check in checks if check.state == "failed"]
    told = f"{model}: {counts['passed']} checks passed, {counts['failed']} failed, {counts['skipped']} not made"
    explained = [f"\n{check.seen}" for check in checks if check.name == DIAGNOSIS and check.state == "passed"]
    return f"\n{told}" + (f"; look first at {failed[0]!r}" if failed else "") + "".join(explained)
