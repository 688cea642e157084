"""A network from files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError, did_you_mean
from cutaway.model import GPT
from cutaway.native import WHOLE_NUMBERS
from cutaway.weights.checkpoint import Checkpoint
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.model_config import config_of
from cutaway.weights.names import HEAD, check_shapes, is_transposed, our_names

DTYPES: Mapping[str, torch.dtype | None] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
    "auto": None,
}
"""Number formats by name; "auto" is the one the checkpoint is stored in."""


def load_model(source: ModelSource, *, dtype: torch.dtype | str = "float32", device: torch.device | str = "cpu") -> GPT:
    """The network of a checkpoint, in eval mode.

    Weights that are stored in the dtype asked for, for the CPU, are mapped from the file rather than copied: they
    load in no time and several processes share them. Half-precision files are computed in float32 unless asked
    otherwise, since most CPUs are slower in half precision. Matrices that the file holds transposed stay views. Of a
    quantised checkpoint, the floats are loaded that its whole numbers stand for.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when its files are damaged, disagree, or
        are not a GPT-2; ConfigError for an unknown dtype or a device that is not there.
    """
    files = locate(source)
    return read_model(files, dtype=check_dtype(dtype), device=check_device(device))


def read_model(files: ModelFiles, *, dtype: torch.dtype | None, device: torch.device) -> GPT:
    """The network in these files, in eval mode.

    Raises: CheckpointError when they are damaged, disagree, or are not a GPT-2.
    """
    config = config_of(files)
    checkpoint = Checkpoint(files.weights)
    stored_name = our_names(checkpoint.shapes, str(files.weights))
    check_shapes({name: checkpoint.shapes[key] for name, key in stored_name.items()}, config, str(files.weights))
    model = empty_model(config)
    with _one_thread():
        for name, key in stored_name.items():
            tensor = checkpoint.tensor(key, dtype, device)
            _assign(model, name, tensor.t() if is_transposed(name) else tensor)
    if config.tie_word_embeddings:
        _tie(model, files)
    return model.eval()


def empty_model(config: GPTConfig) -> GPT:
    """The network without memory for its weights, ready to be given some."""
    with torch.device("meta"), _NoInitialisation():
        return GPT(config)


def check_dtype(dtype: torch.dtype | str) -> torch.dtype | None:
    """The number format of that name; None stands for the checkpoint's own.

    Raises: ConfigError for any but the four floating-point formats and "auto".
    """
    if isinstance(dtype, str):
        if dtype in WHOLE_NUMBERS:
            raise ConfigError(
                f"PyTorch does not compute in {dtype}; native kernels do, for plain sampling on a CPU "
                "(cutaway doctor says whether they are here)"
            )
        if dtype not in DTYPES:
            raise ConfigError(f"there is no dtype {dtype!r} for weights; {did_you_mean(dtype, DTYPES)}")
        return DTYPES[dtype]
    if dtype not in DTYPES.values():
        raise ConfigError(f"weights cannot be {dtype}; choose one of {', '.join(DTYPES)}")
    return dtype


def check_device(device: torch.device | str) -> torch.device:
    """The device of that name.

    Raises: ConfigError when this machine, or this PyTorch, has none.
    """
    if str(device) == "meta":
        raise ConfigError("device 'meta' has no memory for weights; use 'cpu'")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ConfigError(f"device {str(device)!r} cannot be used here ({reason}); use 'cpu'") from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: reading is bound by memory, and on a busy machine helpers have to be waited for."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _NoInitialisation(TorchFunctionMode):
    """Skip `nn.init`: the weights come from a file, and random numbers on the meta device cost two seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _assign(model: GPT, name: str, tensor: Tensor) -> None:
    module, _, parameter = name.rpartition(".")
    setattr(model.get_submodule(module), parameter, nn.Parameter(tensor))


def _tie(model: GPT, files: ModelFiles) -> None:
    head, embedding = model.lm_head.weight, model.wte.weight
    if not head.is_meta and not torch.equal(head, embedding):
        raise CheckpointError(
            f"{files.weights}: tensor {HEAD!r} differs from 'wte.weight', though config.json ties them; "
            "set tie_word_embeddings to false there"
        )
    model.lm_head.weight = embedding
