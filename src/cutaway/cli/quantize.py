"""`cutaway quantize`: a smaller, faster checkpoint, and what it costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from cutaway.cli import loading, terminal
from cutaway.cli.options import Count, Flag, Texts
from cutaway.cli.quantities import scaled
from cutaway.cli.table import Column, print_table

if TYPE_CHECKING:
    from cutaway.quant.checkpoint import Report

MODEL_HELP = "A name (see cutaway models), a Hub id, a folder or a weight file."
Model: TypeAlias = Annotated[str, Parameter(help=MODEL_HELP)]

COLUMNS = [Column("matrix"), Column("weights", right=True), Column("outputs", right=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """How, from what text, and where to."""

    bits: Annotated[Literal["8", "4"], Parameter(name="--bits")] = "8"
    """Bits of a weight: 8 changes next to nothing, 4 halves the size once more."""
    method: Literal["gptq", "nearest"] = "gptq"
    """gptq rounds so that errors cancel in what a layer computes; nearest rounds each weight by itself."""
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None
    """The folder to write; without it, the model's name with -int8 or -int4 behind."""
    calibration: Annotated[Texts, Parameter(consume_multiple=True, negative_iterable="")] = ()
    """Files of text to fit it to; without any, the model writes one itself."""
    text: Annotated[Texts, Parameter(consume_multiple=True, negative_iterable="")] = ()
    """Files of text to measure it on; without any, the model writes one itself."""
    tokens: Count = 32_768
    """How many tokens to fit it to; a quarter as many are measured."""
    seed: Count = 0
    """Of what the model writes."""
    json: Flag = False
    """Print the report as JSON."""


def quantize(model: Model = "fable", /, *, options: QuantizeOptions | None = None) -> None:
    """Round a model's matrices to 8 or 4 bits, measure what that costs, and write a folder.

    The folder works like any other model: cutaway generate --model FOLDER maps it and writes at once. The report is in
    it too, as quantization.json.
    """
    options = options or QuantizeOptions()
    loading.find(model)
    from cutaway.quant.checkpoint import QuantizeParams, quantize_checkpoint  # which help must not wait for

    params = QuantizeParams(
        bits=int(options.bits),
        method=options.method,
        calibration=[Path(file) for file in options.calibration],
        text=[Path(file) for file in options.text],
        tokens=options.tokens,
        seed=options.seed,
    )
    folder = options.output or Path(f"{model.rstrip('/').rpartition('/')[2]}-{params.precision}")
    report = quantize_checkpoint(model, folder, params, tell=terminal.notice)
    if options.json:
        terminal.print_json(report.to_dict())
    else:
        show(report)


def show(report: "Report") -> None:
    """Print the report for people."""
    rows = [(error.name, f"{error.weight_error:.3%}", f"{error.output_error:.3%}") for error in report.tensors]
    print_table(COLUMNS, rows)
    cost = report.cost
    before, after = scaled(report.bytes_before, "B"), scaled(report.bytes_after, "B")
    perplexity = f"{cost.perplexity_before:.3f} -> {cost.perplexity:.3f} ({cost.perplexity_increase:+.2%})"
    print(
        "\n".join(
            [
                "",
                f"weights         {before} -> {after}",
                f"perplexity      {perplexity}",
                f"KL divergence   {cost.kl_nats:.2e} nats a token",
                f"likeliest token the same at {cost.argmax_agreement:.2%} of {cost.tokens:,} tokens",
                f"measured with   {report.measured_with}",
                "",
                f"written to {report.folder}",
            ]
        )
    )
