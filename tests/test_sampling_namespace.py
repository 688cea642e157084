import subprocess
import sys

import array_api_compat
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.sampling.namespace import NUMPY, array_namespace, device

REFERENCE = array_api_compat.array_namespace(np.zeros(1))


@given(data=st.data(), descending=st.booleans(), stable=st.booleans(), axis=st.sampled_from([0, 1, -1]))
def test_sorting_is_that_of_the_standard(data, descending, stable, axis):
    """Few different numbers, so that there are ties, whose order a stable sort keeps."""
    numbers = st.lists(st.integers(0, 4), min_size=12, max_size=12)
    x = np.array(data.draw(numbers), dtype=np.float32).reshape(3, 4)
    options = {"axis": axis, "descending": descending, "stable": stable}
    np.testing.assert_array_equal(NUMPY.sort(x, **options), REFERENCE.sort(x, **options))
    if stable:
        np.testing.assert_array_equal(NUMPY.argsort(x, **options), REFERENCE.argsort(x, **options))
    else:
        order = NUMPY.argsort(x, **options)
        np.testing.assert_array_equal(np.take_along_axis(x, order, axis=axis), REFERENCE.sort(x, **options))


@pytest.mark.parametrize("options", [{"axis": 0}, {"axis": -1}, {"axis": 1, "dtype": np.float64}])
def test_sums_are_those_of_the_standard(options):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    got, expected = NUMPY.cumulative_sum(x, **options), REFERENCE.cumulative_sum(x, **options)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == expected.dtype


def test_arrays_are_made_with_the_type_asked_for_where_the_others_are():
    x = np.zeros(2, np.float32)
    assert NUMPY.asarray([1, 2], dtype=x.dtype, device=device(x)).dtype == np.float32
    assert device(x) == "cpu"


def test_all_else_is_numpys():
    assert NUMPY.exp is np.exp


def test_a_tensor_gets_the_functions_for_tensors():
    tensor = torch.ones(3)
    assert array_namespace(tensor) is array_api_compat.array_namespace(tensor)
    assert device(tensor) == torch.device("cpu")


def test_numpy_arrays_need_no_library():
    code = (
        "import sys, numpy as np; from cutaway.sampling import *;"
        "x = np.arange(9.0); draw(truncate(x, SamplingParams(top_k=3, top_p=0.9, min_p=0.1, typical_p=0.9)), 0.5);"
        "most_likely(x); print('array_api_compat' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
