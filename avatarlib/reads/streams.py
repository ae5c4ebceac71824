"""Counter-based random numbers for the kernels: a stream is a key, its item a number; nothing depends on order.

Every molecule and every read has a generator of its own, SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) started from
the hash of (key, item). So neither the number of workers nor what another stream drew can move a number.
"""

import math
from statistics import NormalDist

import numpy as np

from avatarlib import seeds
from avatarlib.reads.kernel import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# Steps of the additive recurrence by the plastic number, which spreads pairs evenly over the unit square
# (Roberts 2018): the reads' identities and lengths, so that a run of some thousand reads meets its requested means.
SPREAD_LENGTH, SPREAD_IDENTITY = 0.7548776662466927, 0.5698402909980532


def key(seed: int, *names: str | int) -> np.uint64:
    """Return the key of the stream that belongs to `seed` (non-negative) and the path of `names`."""
    return np.uint64(seeds.child_seed(seed, "reads", *names))


@kernel(inline="always")
def mix(z):
    """Scramble 64 bits (SplitMix64's finaliser)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel(inline="always")
def begin(stream, item):
    """Return the state of the generator that belongs to item number `item` of a stream."""
    return mix(np.uint64(stream) ^ mix(np.uint64(item) + _GOLDEN))


@kernel(inline="always")
def step(state):
    """Return the next state and 64 random bits."""
    state = state + _GOLDEN
    return state, mix(state)


@kernel(inline="always")
def uniform(state):
    """Return the next state and a number in [0, 1)."""
    state = state + _GOLDEN
    return state, (mix(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel(inline="always")
def below(state, n):
    """Return the next state and an integer in [0, n)."""
    state, u = uniform(state)
    return state, int(u * n)


@kernel(inline="always")
def normal(state):
    """Return the next state and a standard normal number (Box and Muller)."""
    state, u = uniform(state)
    state, v = uniform(state)
    return state, math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * v)


def fraction(bits: np.uint64) -> float:
    """Return 64 bits as a number in [0, 1)."""
    return float(bits >> np.uint64(11)) / 2.0**53


def normal_table() -> np.ndarray:
    """Return 65,536 quantiles of the standard normal, float32: sixteen random bits choose one, four times as fast."""
    half = np.array([NormalDist().inv_cdf((k + 0.5) / 65536) for k in range(32768)])
    return np.concatenate([half, -half[::-1]]).astype(np.float32)
