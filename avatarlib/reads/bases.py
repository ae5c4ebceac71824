"""Tables of bases that the kernels share, and small writers of text into byte buffers."""

import numpy as np

from avatarlib.reads.kernel import kernel

ACGT = np.frombuffer(b"ACGT", np.uint8).copy()
COMPLEMENT = np.arange(256, dtype=np.uint8)
for _one, _other in zip(b"ACGTRYSWKMBDHVN", b"TGCAYRSWMKVHDBN", strict=True):
    COMPLEMENT[_one] = _other
CODE = np.zeros(256, np.uint8)  # A 0, C 1, G 2, T 3
CODE[ACGT] = range(4)
NAME_LENGTH = 11  # r and ten digits


def others(matrix: dict[str, dict[str, float]]) -> np.ndarray:
    """Return for each base the cumulative shares of the bases that replace it, float64 [4, 4] in order A, C, G, T."""
    table = np.array([[matrix[base].get(other, 0.0) for other in "ACGT"] for base in "ACGT"], float)
    return np.cumsum(table, 1) / table.sum(1, keepdims=True)


@kernel(inline="always")
def copy_forward(out, source, n):
    """Copy n bytes; slices that begin at 0 let the compiler do many at once."""
    for k in range(n):
        out[k] = source[k]


@kernel(inline="always")
def copy_reverse(out, source, n):
    """Write the reverse complement of source[:n], which holds A, C, G, T only, by arithmetic instead of a table."""
    for k in range(n):
        base = source[n - 1 - k]
        out[k] = base ^ (np.uint8(21) - np.uint8(17) * ((base >> np.uint8(1)) & np.uint8(1)))


@kernel
def other_base(base, u, shares):
    """Return the base that replaces `base` in a substitution; `shares` as `others` gives them, u in [0, 1)."""
    row = CODE[base]
    for k in range(4):
        if u < shares[row, k]:
            return ACGT[k]
    return ACGT[3] if row != 3 else ACGT[2]


@kernel
def put_number(out, at, number):
    """Write a non-negative integer in decimal; return the place behind it."""
    digits = 1
    rest = number
    while rest >= 10:
        rest //= 10
        digits += 1
    for k in range(digits):
        out[at + digits - 1 - k] = 48 + number % 10
        number //= 10
    return at + digits


@kernel
def put_name(out, at, number):
    """Write a read's name, r and ten digits; return the place behind it."""
    out[at] = 114
    for k in range(10):
        out[at + 10 - k] = 48 + number % 10
        number //= 10
    return at + NAME_LENGTH


@kernel
def put(out, at, text):
    """Copy bytes; return the place behind them."""
    for k in range(len(text)):
        out[at + k] = text[k]
    return at + len(text)
