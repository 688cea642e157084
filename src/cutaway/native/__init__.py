"""The network as C++ kernels for CPUs: numpy in, numpy out, without PyTorch.

`model.py` is the network in Python's hands, `packed.py` how whole numbers lie in memory and in files, `cache.py` the
keys and values, `reader.py` what generation asks of a model, `library.py` the door to the compiled files, `compile.py`
makes them. In C++, read `forward.cpp` first, then `formats.h` and `attention.h`; `layout.h` says how everything lies in
memory.
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
