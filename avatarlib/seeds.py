"""One seed, named child generators: adding a consumer never moves the numbers of another."""

import hashlib

import numpy as np


def child_seed(seed: int, *names: str | int) -> int:
    """Derive a 63-bit seed from `seed` (any non-negative integer) and a path of names.

    Examples
    --------
    >>> child_seed(1, "people") == child_seed(1, "people")
    True
    >>> child_seed(1, "people") == child_seed(1, "captures")
    False
    """
    path = "\x1f".join([str(int(seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to `seed` and the path of `names`, for instance a person and a side.

    Integers and strings are told apart; numpy integers must be converted with `int` first.

    Examples
    --------
    >>> int(generator(1, "people", 7).integers(1000)) == int(generator(1, "people", 7).integers(1000))
    True
    """
    return np.random.default_rng(child_seed(seed, *names))
