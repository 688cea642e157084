"""`cutaway info`: what a model consists of and what it costs, from its configuration alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from cutaway.anatomy import PRECISIONS, Anatomy, TensorReport, anatomy
from cutaway.cli import loading, terminal
from cutaway.cli.options import Count, Flag
from cutaway.cli.quantities import scaled
from cutaway.cli.table import Column, print_table
from cutaway.config import GPTConfig

MODEL_HELP = "A name (see cutaway models), a folder, a config.json, or a Hub id in the cache."
Model: TypeAlias = Annotated[str, Parameter(help=MODEL_HELP)]

TENSOR_COLUMNS = [Column("tensor"), Column("shape"), Column("parameters", right=True), Column("share", right=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InfoOptions:
    """What to work out, and how to show it."""

    context: Count | None = None
    """Tokens in the context, for FLOPs and for keys and values (default: all that the model can have)."""
    tensors: Flag = False
    """List every tensor by itself, instead of all layers together."""
    json: Flag = False
    """Print JSON."""


def info(model: Model = "fable", /, *, options: InfoOptions | None = None) -> None:
    """Show parameters by tensor, FLOPs per token, and memory in each precision. Nothing is downloaded."""
    options = options or InfoOptions()
    report = anatomy(loading.load_config(model), options.context)
    if options.json:
        terminal.print_json({"model": model, **report.to_dict()})
        return
    print(f"{model}: {shape(report.config)}\n")
    print_table(TENSOR_COLUMNS, list(tensor_rows(report) if options.tensors else layer_rows(report)))
    print(f"\n{totals(report)}\n")
    print_memory(report)


def shape(config: GPTConfig) -> str:
    """The configuration in a line."""
    head = "" if config.tie_word_embeddings else ", a head of its own"
    return (
        f"{config.n_layer} layers, {config.n_head} heads, {config.n_embd:,} channels, "
        f"context {config.block_size:,}, vocabulary {config.vocab_size:,}{head}"
    )


def totals(report: Anatomy) -> str:
    """The sums, and the work for a token."""
    forward, training = (
        scaled(work, "FLOP") for work in (report.forward_flops_per_token, report.training_flops_per_token)
    )
    return "\n".join(
        [
            f"parameters             {report.parameters:,}",
            f"without embeddings     {report.non_embedding_parameters:,}",
            f"work to read a token   {forward} at a context of {report.context:,}",
            f"work to train on it    {training}, forward and backward",
        ]
    )


def tensor_rows(report: Anatomy) -> Iterator[Sequence[str]]:
    """One row a tensor."""
    for tensor in report.tensors:
        yield row(tensor.name, [tensor], report)


def layer_rows(report: Anatomy) -> Iterator[Sequence[str]]:
    """One row for the same tensor of all layers, weight and bias together."""
    layers = f"h.0-{report.config.n_layer - 1}" if report.config.n_layer > 1 else "h.0"
    modules: dict[str, list[TensorReport]] = {}
    for tensor in report.tensors:
        modules.setdefault(module_name(tensor.name), []).append(tensor)
    for name, tensors in modules.items():
        yield row(name.replace("h.*", layers), tensors, report)


def row(name: str, tensors: Sequence[TensorReport], report: Anatomy) -> Sequence[str]:
    """The cells for tensors that are counted together; a bias has the last of its weight's sizes."""
    parameters = sum(tensor.parameters for tensor in tensors)
    size = " × ".join(f"{size:,}" for size in tensors[0].shape)
    return name, size, f"{parameters:,}", f"{parameters / report.parameters:.1%}"


def module_name(tensor: str) -> str:
    """The module that a tensor is in, whichever its layer: `h.3.attn.c_attn.bias` is in `h.*.attn.c_attn`."""
    return re.sub(r"^h\.\d+\.", "h.*.", tensor).rpartition(".")[0]


def print_memory(report: Anatomy) -> None:
    """Weights, and keys and values, in each precision."""
    columns = [
        Column("precision"),
        Column("weights", right=True),
        Column("K and V of a token", right=True),
        Column(f"of {report.context:,}", right=True),
        Column("assuming"),
    ]
    kv_bytes = report.kv_bytes_per_token
    rows = [
        (
            name,
            scaled(weight_bytes, "B"),
            scaled(kv_bytes[name], "B") if name in kv_bytes else "",
            scaled(kv_bytes[name] * report.context, "B") if name in kv_bytes else "",
            PRECISIONS[name].assumption,
        )
        for name, weight_bytes in report.weight_bytes.items()
    ]
    print_table(columns, rows)
