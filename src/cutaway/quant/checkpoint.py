"""From a checkpoint to a quantised one in a folder, with a report of what it costs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cutaway.errors import ConfigError
from cutaway.generate import Network
from cutaway.model import GPT
from cutaway.native import NativeModel
from cutaway.quant.calibration import TOKENS, read, written
from cutaway.quant.cost import Cost, in_kernels, in_pytorch, measure
from cutaway.quant.fit import Method
from cutaway.quant.network import Quantized, Tell, TensorError, quantize
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights import load_model, load_tokenizer
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.model_folder import refuse_foreign, refuse_unwritable
from cutaway.weights.native import load_native, packed_precision, suits_native
from cutaway.weights.save_packed import save_packed
from cutaway.weights.shards import shard_files

BITS = (8, 4)

MEASURED = 1 / 4
"""Of as many tokens as are read for fitting."""


@dataclass(frozen=True, kw_only=True)
class QuantizeParams:
    """How a checkpoint is quantised, and on which texts.

    Raises: ConfigError for numbers out of range.
    """

    bits: int = 8
    method: Method = "gptq"
    calibration: Sequence[Path] = ()
    """Files to fit it to; none stands for what the model writes itself."""
    text: Sequence[Path] = ()
    """Files to measure it on; none stands for more of that."""
    tokens: int = TOKENS
    """How many to read for fitting."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ConfigError(f"bits={self.bits} cannot be had; choose 8 or 4")
        if self.tokens < 1:
            raise ConfigError(f"tokens={self.tokens:,} leaves nothing to read; give 1 or more")
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed} is negative; give 0 or more")

    @property
    def precision(self) -> str:
        """The kernels' name for it."""
        return f"int{self.bits}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was done, and what it costs."""

    source: str
    folder: str
    params: QuantizeParams
    calibration_tokens: int
    measured_with: str
    """`kernels`, or `PyTorch` where there are none: then activations stay as they were."""
    bytes_before: int
    """Of the weight files."""
    bytes_after: int
    cost: Cost
    tensors: tuple[TensorError, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        params, texts = asdict(self.params), ("calibration", "text")
        return asdict(self) | {
            "params": params | {name: [str(file) for file in params[name]] or "written by the model" for name in texts},
            "cost": self.cost.to_dict(),
            "tensors": [asdict(error) for error in self.tensors],
        }


def quantize_checkpoint(
    source: ModelSource, folder: Path, params: QuantizeParams, tell: Tell = lambda what: None
) -> Report:
    """Quantise a model, measure it and write it to a folder; `tell` hears what is being done.

    Raises: ConfigError for a checkpoint that is quantised already, or a text that cannot be read; CheckpointError for a
        folder that holds something or cannot be written; whatever loading raises.
    """
    refuse_unwritable(folder)
    refuse_foreign(folder, overwrite=False)
    files = locate(source)
    if precision := packed_precision(files):
        raise ConfigError(f"{files.weights} is quantised to {precision} already; take the model it was made from")
    model, tokenizer = load_model(source, dtype="float32"), load_tokenizer(source)
    calibration, text = texts(source, model, tokenizer, params, tell)
    made = quantize(model, calibration, precision=params.precision, method=params.method, tell=tell)
    tell("measuring")
    native = native_of(source, made)
    report = Report(
        source=str(source),
        folder=str(folder),
        params=params,
        calibration_tokens=calibration.numel(),
        measured_with="PyTorch" if native is None else "kernels",
        bytes_before=weight_bytes(files),
        bytes_after=made.packed.nbytes,
        cost=measure(in_pytorch(model), in_pytorch(made.model) if native is None else in_kernels(native), text),
        tensors=made.errors,
    )
    save_packed(made.packed, folder, tokenizer, report=report.to_dict())
    return report


def texts(
    source: ModelSource, model: GPT, tokenizer: AnyTokenizer, params: QuantizeParams, tell: Tell
) -> tuple[Tensor, Tensor]:
    """The texts to fit the model to and to measure it on.

    Shapes: -> (B, T), (B', T)

    Raises: ConfigError when a file cannot be read or is too short.
    """
    length, measured = model.config.block_size, max(1, round(params.tokens * MEASURED))
    both = [(params.calibration, params.tokens, params.seed), (params.text, measured, params.seed + 1_000_000)]
    writer: Network = load_native(source) if suits_native(source) and not all(files for files, *_ in both) else model
    rows = []
    for files, tokens, seed in both:
        if files:
            rows.append(read(files, tokenizer, length, tokens))
        else:
            tell("writing a text to read")
            rows.append(written(writer, tokenizer, tokens, seed))
    if isinstance(writer, NativeModel):
        writer.close()
    return rows[0], rows[1]


def native_of(source: ModelSource, made: Quantized) -> NativeModel | None:
    """The quantised model in native hands, where there are kernels that can hold it."""
    if not suits_native(source):
        return None
    return NativeModel(made.packed.config, made.packed.tensors, precision=made.packed.precision, source=str(source))


def weight_bytes(files: ModelFiles) -> int:
    """The size of a checkpoint's weight files."""
    return sum(file.stat().st_size for file in shard_files(files.weights))
