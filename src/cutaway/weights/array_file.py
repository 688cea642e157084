"""One `.safetensors` file in numpy's hands, mapped, for computing without PyTorch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.weights.mapping import map_tensor
from cutaway.weights.safetensors_header import SafetensorsHeader

# numpy has no bfloat16; it is the upper half of a float32.
DTYPES: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


class ArrayFile(SafetensorsHeader):
    """The tensors of one file as float32 arrays, mapped where they are stored so.

    Raises: CheckpointError when the file is damaged.
    """

    def array(self, name: str) -> NDArray[np.float32]:
        """One tensor, perhaps at an odd address. Each has a mapping of its own, which ends with it.

        Raises: CheckpointError when it holds anything but floating-point numbers, or the file changed meanwhile.
        """
        entry = self.readable(name)
        data = map_tensor(self.path, name, entry.begin, entry.end)
        stored: NDArray[Any] = data.view(DTYPES[entry.dtype]).reshape(entry.shape)
        if entry.dtype == "BF16":
            floats: NDArray[np.float32] = (stored.astype(np.uint32) << 16).view(np.float32)
            return floats
        with np.errstate(over="ignore"):  # what becomes infinite is reported by whoever takes the array
            return stored.astype(np.float32, copy=False)
