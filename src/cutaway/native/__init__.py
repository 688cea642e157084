"""The network as C++ kernels for CPUs: numpy in, numpy out, without PyTorch.

`model.py` is the network in Python's hands, `packed.py` how whole numbers lie in memory and in files, `cache.py` the
keys and values, `reader.py` what generation asks of a model, `choice.py` draws a token; `library.py` is the door to the
compiled files, and `compile.py` makes them. In C++, read `forward.cpp` first, then `formats.h` and `attention.h`;
`layout.h` says how everything lies in memory. `choice.cpp` stands by itself.
"""

from cutaway.native.cache import NativeCache
from cutaway.native.library import Availability, available
from cutaway.native.model import MAX_HEAD_SIZE, PRECISIONS, WHOLE_NUMBERS, NativeModel
from cutaway.native.reader import NativeReader

__all__ = [
    "MAX_HEAD_SIZE",
    "PRECISIONS",
    "WHOLE_NUMBERS",
    "Availability",
    "NativeCache",
    "NativeModel",
    "NativeReader",
    "available",
]
