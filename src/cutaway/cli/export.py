"""`cutaway export`: a model to the files that other tools load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.options import Flag, Json
from cutaway.cli.quantities import scaled
from cutaway.errors import ConfigError
from cutaway.weights import load_tokenizer

if TYPE_CHECKING:
    from cutaway.model import GPT

Target: TypeAlias = Literal["hf", "gguf", "onnx"]
Model: TypeAlias = Annotated[str, Parameter(help="A name (see cutaway models), a Hub id, a folder or a weight file.")]

READERS: Mapping[Target, str] = {"hf": "transformers", "gguf": "llama.cpp", "onnx": "ONNX Runtime"}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Where to, and how."""

    to: Target
    """hf: a folder for transformers; gguf: one file for llama.cpp; onnx: a graph for ONNX Runtime and OpenVINO."""
    output: Annotated[Path, Parameter(name=["--output", "-o"])]
    """The folder (hf) or file to write."""
    dtype: str | None = None
    """hf: float32, bfloat16 or float16 (default: as stored); gguf: F32, F16, BF16, Q8_0 or Q4_0 (default: F16)."""
    cache: Flag = False
    """onnx: take and give keys and values too, to decode token by token."""
    overwrite: Flag = False
    """Replace what was exported there before."""
    json: Json = False


def export(model: Model, /, *, options: ExportOptions) -> None:
    """Write a model for other tools: transformers, llama.cpp, or ONNX Runtime. Whole or not at all."""
    refuse_contradictions(options)
    if options.to == "onnx":
        from cutaway.weights.onnx.library import onnx  # before torch is waited for

        onnx()
    from cutaway.weights import load_model

    WRITERS[options.to](load_model(model, dtype="auto"), model, options)
    files = written(options)
    size_bytes = sum(file.stat().st_size for file in files)
    if options.json:
        paths = [str(file) for file in files]
        terminal.print_json({"model": model, "to": options.to, "files": paths, "size_bytes": size_bytes})
    else:
        print(f"{options.output}: {scaled(size_bytes, 'B')} for {READERS[options.to]}")


def refuse_contradictions(options: ExportOptions) -> None:
    """Refuse options that would have to be ignored.

    Raises: ConfigError naming them.
    """
    if options.cache and options.to != "onnx":
        raise ConfigError(f"--cache is for onnx; {READERS[options.to]} keeps keys and values itself, so leave it out")
    if options.to == "hf" and options.dtype in ("int8", "int4"):
        raise ConfigError(
            f"--dtype {options.dtype} is not for hf, whose weights are floats; "
            "cutaway quantize makes smaller checkpoints"
        )
    if options.dtype and options.to == "onnx":
        raise ConfigError(f"--dtype {options.dtype} is not for onnx, which is written in float32; leave it out")


def write_folder(gpt: "GPT", model: str, options: ExportOptions) -> None:
    """For transformers."""
    from cutaway.weights import save_model
    from cutaway.weights.load import check_dtype

    dtype = check_dtype(options.dtype or "auto")
    save_model(gpt, options.output, load_tokenizer(model), dtype=dtype, overwrite=options.overwrite)


def write_gguf(gpt: "GPT", model: str, options: ExportOptions) -> None:
    """For llama.cpp."""
    from cutaway.weights import save_gguf

    name, dtype = Path(model).name, options.dtype or "F16"
    save_gguf(gpt, options.output, load_tokenizer(model), dtype=dtype, name=name, overwrite=options.overwrite)


def write_onnx(gpt: "GPT", _model: str, options: ExportOptions) -> None:
    """For ONNX Runtime."""
    from cutaway.weights import save_onnx

    save_onnx(gpt, options.output, cache=options.cache, overwrite=options.overwrite)


WRITERS: Mapping[Target, Callable[["GPT", str, ExportOptions], None]] = {
    "hf": write_folder,
    "gguf": write_gguf,
    "onnx": write_onnx,
}


def written(options: ExportOptions) -> list[Path]:
    """The files that were written."""
    if options.to == "hf":
        return sorted(options.output.iterdir())
    if options.to == "gguf":
        return [options.output]
    from cutaway.weights.onnx.save import data_file_of

    return [file for file in (options.output, data_file_of(options.output)) if file.exists()]
