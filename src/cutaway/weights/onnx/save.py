"""A model to an ONNX file, for ONNX Runtime, OpenVINO and others."""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.weights.checkpoint import is_finite
from cutaway.weights.names import is_transposed, stored_shapes
from cutaway.weights.new_file import new_file
from cutaway.weights.onnx.graph import Graph
from cutaway.weights.onnx.library import onnx

MAX_EMBEDDED_BYTES = 2_000_000_000
"""A file of protocol buffers ends at 2 GiB; more weights go into a file of their own."""

ALIGNMENT = 4096
"""Where each tensor begins in that file, so that it can be mapped."""

GRAPH_BYTES = 1 << 20
"""Room for everything but the weights."""


def save_onnx(
    model: GPT,
    file: str | os.PathLike[str],
    *,
    cache: bool = False,
    overwrite: bool = False,
    max_embedded_bytes: int = MAX_EMBEDDED_BYTES,
) -> None:
    """Write the network in float32 as an ONNX graph: `input_ids` (batch, sequence) to `logits`.

    With `cache` it also takes `past_key_values.N.key` and `.value` and gives `present.N.key` and `.value`, to decode
    token by token. Weights beyond `max_embedded_bytes` go into a second file, whose name is the first's and `.data`;
    the two belong together.

    Raises: CheckpointError when a file is there (unless `overwrite`), there is no room for it, or a weight is not
        finite; MissingExtraError when the library is not installed.
    """
    library, target = onnx(), Path(file)
    needed = sum(4 * math.prod(shape) for shape in stored_shapes(model.config).values())
    apart = needed > max_embedded_bytes
    with ExitStack() as stack:
        # What is entered last is put in place first: the graph appears when its weights are there.
        graph_file = stack.enter_context(new_file(target, GRAPH_BYTES + (0 if apart else needed), overwrite=overwrite))
        data = data_file_of(target)
        if apart:
            data_file = stack.enter_context(new_file(data, needed, overwrite=overwrite))
            weights = list(_weights_apart(model, library, data_file, data.name))
        else:
            weights = [library.numpy_helper.from_array(value.numpy(), name) for name, value in _stored(model)]
        graph = Graph(model.config, library, cache=cache).build(weights)
        graph_file.write_bytes(graph.SerializeToString())


def data_file_of(file: Path) -> Path:
    """Where the weights lie that do not fit the file itself."""
    return file.with_name(f"{file.name}.data")


def _stored(model: GPT) -> Iterator[tuple[str, Tensor]]:
    """Each tensor in float32 as a checkpoint has it: MatMul wants its weights (in, out) too."""
    for name in stored_shapes(model.config):
        tensor = model.get_parameter(name).detach().to("cpu", torch.float32)
        if not is_finite(tensor):
            raise CheckpointError(f"tensor {name!r} holds NaN or infinity; such a model is not exported")
        yield name, (tensor.t() if is_transposed(name) else tensor).contiguous()


def _weights_apart(model: GPT, library: Any, data_file: Path, location: str) -> Iterator[Any]:
    """Tensors that only say where in the data file they lie, while it is written."""
    proto = library.TensorProto
    with data_file.open("wb") as stream:
        for name, tensor in _stored(model):
            stream.write(bytes(-stream.tell() % ALIGNMENT))
            weight = proto(name=name, dims=tensor.shape, data_type=proto.FLOAT, data_location=proto.EXTERNAL)
            where = {"location": location, "offset": stream.tell(), "length": tensor.nbytes}
            for key, value in where.items():
                weight.external_data.add(key=key, value=str(value))
            stream.write(tensor.numpy().astype("<f4", copy=False).data)
            yield weight
