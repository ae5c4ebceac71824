"""The decorator of what is compiled for every read."""

from collections.abc import Callable
from functools import partial

from numba import njit


def kernel(function: Callable | None = None, **options):
    """Compile a function without reference counting, which in loops over reads costs more than the work itself.

    Numba counts references whenever an array is taken out of a tuple. Kernels borrow their arrays from the caller and
    make none, so there is nothing to count; one that makes an array doesn't compile.
    """
    return partial(kernel, **options) if function is None else njit(cache=True, _nrt=False, **options)(function)
