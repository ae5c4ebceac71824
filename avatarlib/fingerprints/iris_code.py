"""Iris codes: phase of the unwrapped iris, compared by masked Hamming distance (Daugman 1993, 2004).

The ring between pupil and limbus is unwrapped to `ROWS` × `COLUMNS`, filtered along the angle by log-Gabor filters
(Field 1987) at two wavelengths, and each response leaves two bits, the signs of its real and imaginary part.
"""

import cv2
import numpy as np
from numba import njit

from avatarlib.fingerprints.locate import locate, working_copy
from avatarlib.fingerprints.rubber_sheet import COLUMNS, ROWS, unwrap

WAVELENGTHS = (14.0, 28.0)  # columns; 20° and 39°
RADIAL_SIGMA = 1.2  # rows; texture finer than that does not survive a change of the pupil
BANDWIDTH = 0.5  # σ/f of the log-Gabor filter
FRAGILE = 0.2  # share of the weakest responses masked, because noise flips their sign (Hollingsworth et al. 2009)
SHIFTS = np.arange(-12, 13, 2)  # columns; ±17° of head tilt
TYPICAL_BITS = 9000  # usable bits of an ordinary comparison: the n of Daugman's normalisation
PLANES = 2 * len(WAVELENGTHS)
WORDS = PLANES * ROWS * COLUMNS // 64

# What a code needs to be judged. Chosen on people 001–036 of the IITD database: all but the worst hundredth of their
# pictures pass.
LEAST_PUPIL_STEP = 12.0
LEAST_LIMBUS_STEP = 4.0
LEAST_USABLE = 0.30
LEAST_FOCUS = 1.5


def _log_gabor() -> np.ndarray:
    """(len(WAVELENGTHS), COLUMNS) one-sided frequency responses."""
    frequency = np.fft.fftfreq(COLUMNS)
    filters = np.zeros((len(WAVELENGTHS), COLUMNS))
    up = frequency > 0
    for row, wavelength in zip(filters, WAVELENGTHS, strict=True):
        row[up] = np.exp(-(np.log(frequency[up] * wavelength) ** 2) / (2 * np.log(BANDWIDTH) ** 2))
    return filters


FILTERS = _log_gabor()


def encode(ring: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bits and mask, both bool (PLANES, ROWS, COLUMNS)."""
    weight = seen.sum(axis=1, keepdims=True)
    mean = np.where(seen, ring, 0).sum(axis=1, keepdims=True) / np.maximum(weight, 1)
    filled = np.where(seen, ring - mean, 0).astype(np.float32)
    filled = cv2.sepFilter2D(filled, -1, np.ones(1), cv2.getGaussianKernel(9, RADIAL_SIGMA))
    response = np.fft.ifft(np.fft.fft(filled, axis=1)[None] * FILTERS[:, None], axis=2)
    parts = np.concatenate([response.real, response.imag])
    strength = abs(parts)
    usable = np.broadcast_to(seen, parts.shape)
    weak = [np.quantile(s[seen], FRAGILE) if seen.any() else 0 for s in strength]
    return parts > 0, usable & (strength > np.array(weak)[:, None, None])


def pack(bits: np.ndarray) -> np.ndarray:
    """(PLANES, ROWS, COLUMNS) bool to (WORDS,) uint64, column c of a row in bit c mod 64 of its word c // 64."""
    return np.packbits(bits.reshape(-1, 8), axis=1, bitorder="little").ravel().view("<u8").astype(np.uint64)


def describe(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Encode one image.

    Parameters
    ----------
    image
        uint8 (h, w) or (h, w, 3), any size; worked on at a width of 320.

    Returns
    -------
    (WORDS,) code, (WORDS,) mask, and why it can't be judged; "" where it can.
    """
    empty = np.zeros(WORDS, dtype=np.uint64)
    if min(image.shape[:2]) < 48:
        return empty, empty, "too small for an iris code"
    grey = working_copy(image)
    found = locate(grey)
    if found is None or found.pupil_step < LEAST_PUPIL_STEP:
        return empty, empty, "pupil not found"
    ring, seen = unwrap(grey, found)
    code, mask = map(pack, encode(ring, seen))
    if found.limbus_step < LEAST_LIMBUS_STEP:
        return code, mask, "edge of the iris not found"
    if seen.mean() < LEAST_USABLE:
        return code, mask, "too little of the iris is visible"
    if focus(ring, seen) < LEAST_FOCUS:
        return code, mask, "iris texture too blurred"
    return code, mask, ""


def focus(ring: np.ndarray, seen: np.ndarray) -> float:
    """Root mean square of the iris texture finer than about 8 columns, in grey values; 0 where nothing is seen."""
    fine = ring - cv2.GaussianBlur(ring, (0, 0), 2.0)
    inner = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return float(np.sqrt(np.mean(fine[inner] ** 2))) if inner.any() else 0.0


@njit(cache=True, nogil=True)
def _popcount(word):
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True, nogil=True)
def _rotate(words, shift, out):
    """Turn every row of the code by `shift` columns."""
    per_row = COLUMNS // 64
    shift = shift % COLUMNS
    jump, bits = shift // 64, shift % 64
    for start in range(0, len(words), per_row):
        for i in range(per_row):
            low = words[start + (i - jump) % per_row]
            if bits == 0:
                out[start + i] = low
            else:
                high = words[start + (i - jump - 1) % per_row]
                out[start + i] = (low << np.uint64(bits)) | (high >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def _hamming(codes_a, masks_a, codes_b, masks_b, shifts, typical, out):
    words = codes_a.shape[1]
    code, mask = np.empty(words, np.uint64), np.empty(words, np.uint64)
    for i in range(len(codes_a)):
        for j in range(len(codes_b)):
            out[i, j] = 0.5
        for shift in shifts:
            _rotate(codes_a[i], shift, code)
            _rotate(masks_a[i], shift, mask)
            for j in range(len(codes_b)):
                differ, usable = np.uint64(0), np.uint64(0)
                for w in range(words):
                    both = mask[w] & masks_b[j, w]
                    usable += _popcount(both)
                    differ += _popcount((code[w] ^ codes_b[j, w]) & both)
                n = float(usable)
                if n > 0:
                    # Few bits reach low distances by chance; Daugman (2004) pulls them back to one half.
                    value = 0.5 - (0.5 - float(differ) / n) * min(1.0, np.sqrt(n / typical))
                    if value < out[i, j]:
                        out[i, j] = value


def hamming(codes_a: np.ndarray, masks_a: np.ndarray, codes_b: np.ndarray, masks_b: np.ndarray) -> np.ndarray:
    """Normalised masked Hamming distances, the smallest over `SHIFTS`.

    Parameters
    ----------
    codes_a, masks_a, codes_b, masks_b
        uint64 (n, WORDS) and (m, WORDS).

    Returns
    -------
    float32 (n, m) in 0..0.5; 0.5 where no bit is usable.
    """
    out = np.empty((len(codes_a), len(codes_b)), dtype=np.float32)
    _hamming(codes_a, masks_a, codes_b, masks_b, SHIFTS, float(TYPICAL_BITS), out)
    return out
