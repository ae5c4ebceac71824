"""The environment in which numbers come out the same: read by numpy, OpenCV and torch when they are loaded.

Libraries choose their kernels by the processor that they find, and another kernel rounds the last bit differently. On
x86-64 they are held to AVX2, which every such processor of the last ten years has; elsewhere nothing is fixed, and
results are equal within the tolerances of `expected/`.
"""

import os
import platform
from pathlib import Path

POOLS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
    "OPENCV_IPP": "disabled",  # Intel's library inside OpenCV, which chooses by the processor's name
    "OPENCV_LOG_LEVEL": "ERROR",  # else OpenCV announces that setting in the notebook
}


def environment() -> dict[str, str]:
    """Return the variables to set before a numeric library is loaded; `AVATAR_THREADS` gives the threads, else 2."""
    threads = os.environ.get("AVATAR_THREADS", "2")
    fixed = {f"{pool}_NUM_THREADS": threads for pool in POOLS}
    fixed |= {"OPENCV_FOR_THREADS_NUM": threads, "VECLIB_MAXIMUM_THREADS": threads}
    fixed |= {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that spin while they wait slow a shared machine down eightfold
    features = _features()
    if "avx2" in features:
        fixed |= AVX2
    if "avx512bw" in features:  # OpenCV complains about a name that the processor doesn't have
        fixed |= {"OPENCV_CPU_DISABLE": "AVX512-SKX"}
    return fixed


def _features() -> set[str]:
    info = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not info.is_file():
        return set()
    return {word for line in info.read_text().splitlines() if line.startswith("flags") for word in line.split()}
