"""minimap2 through mappy (Li 2018, 2021): a read is human where it aligns anywhere."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Remover

SHORT, LONG = "sr", "map-ont"


def fit(reference: Path, *, name: str, preset: str, threads: int = 1, share: float = 0.0) -> Remover:
    """Index a reference file.

    Parameters
    ----------
    preset
        minimap2's: "sr" for short reads, "map-ont" for long ones with errors, "map-hifi" for long ones with few.
    share
        Threshold: matching bases of the best alignment per base of the read. 0: any alignment.

    Raises
    ------
    InputError
        mappy is not installed, knows no such preset, or finds nothing to index.
    """
    try:
        import mappy
    except ImportError:
        raise InputError(f"{name} needs the Python package mappy: pip install mappy") from None
    try:
        aligner = mappy.Aligner(str(reference), preset=preset, best_n=1, n_threads=threads)
    except Exception as error:
        raise InputError(f"{name}: minimap2 doesn't take the preset {preset!r} ({error})") from None
    if not aligner:
        raise InputError(f"{reference}: minimap2 can't index it: is it FASTA with sequence in it?")
    local = threading.local()

    def one(read: bytes) -> float:
        if not hasattr(local, "buffer"):
            local.buffer = mappy.ThreadBuffer()
        best = 0
        for hit in aligner.map(read.decode("ascii"), buf=local.buffer):
            best = max(best, hit.mlen)
        return best / len(read) if read else 0.0

    def scores(batch: Batch) -> np.ndarray:
        if threads == 1:
            return np.fromiter(map(one, batch.reads()), float)
        with ThreadPoolExecutor(threads) as pool:
            return np.fromiter(pool.map(one, batch.reads()), float)

    meaning = "matching bases of the best alignment, per base of the read"
    command = f"minimap2 -x {preset} (mappy, best_n=1)"
    return Remover(name, "minimap2", mappy.__version__, command, meaning, share, 1 << 62, scores)
