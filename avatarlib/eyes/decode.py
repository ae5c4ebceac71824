"""Decode one image file of a stranger: bounded in bytes and pixels, whatever its bytes say."""

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np

MOST_SIDE = 16_384  # pixels
MOST_PIXELS = 64_000_000
MOST_BYTES = 512_000_000
LEAST_SIDE = 16
WORKING_SIDE = 512  # pixels on the longer side of what is kept in memory


class Unusable(Exception):
    """One image can't be used: what is wrong, and what to do."""


def read_bytes(file: Path) -> bytes:
    try:
        # Without O_NONBLOCK, opening a FIFO that is named like an image would wait for ever.
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unusable("is not a plain file. Replace it")
            if status.st_size > MOST_BYTES:
                raise Unusable(f"is larger than {MOST_BYTES // 1_000_000} MB. Shrink it")
            return opened.read()
    except FileNotFoundError:
        raise Unusable("is listed but missing. Add it or remove its row") from None
    except (OSError, ValueError) as error:
        raise Unusable(f"can't be read ({getattr(error, 'strerror', None) or error}). Check it") from None


def refuse_size(width: int, height: int) -> None:
    if width > MOST_SIDE or height > MOST_SIDE or width * height > MOST_PIXELS:
        raise Unusable(f"has {width}×{height} pixels; at most {MOST_SIDE} a side and {MOST_PIXELS:,} in all. Shrink it")
    if min(width, height) < LEAST_SIDE:
        raise Unusable(f"has {width}×{height} pixels; at least {LEAST_SIDE} a side are needed")


def decode(data: bytes) -> tuple[np.ndarray, str]:
    """Decode to uint8 (h, w) or (h, w, 3), and name the mode it came in."""
    from PIL import Image, ImageOps

    if not data:
        raise Unusable("is empty. Replace it by an image")
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # one clear line is said below, or nothing
            Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "TIFF", "WEBP")) as image,
        ):
            refuse_size(*image.size)
            if getattr(image, "n_frames", 1) > 1:  # a copy on page 2 would leave unseen
                raise Unusable(f"holds {image.n_frames} pictures. Save each as a file of its own")
            mode = image.mode
            image = ImageOps.exif_transpose(image)
            if mode in ("I;16", "I;16B", "I;16L", "I", "F"):
                return to_8_bits(np.asarray(image)), mode
            if "A" in mode or "transparency" in image.info:
                image = image.convert("RGBA")
                # What shines through is shown on black, like the surroundings of a fundus photograph.
                image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
            return np.asarray(image.convert("L" if mode in ("L", "1", "LA") else "RGB")), mode
    except Unusable:
        raise
    except Image.DecompressionBombError:
        raise Unusable(f"is too large; at most {MOST_PIXELS:,} pixels. Shrink it") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error on hostile bytes
        what = "is truncated" if "truncated" in str(error) else "is not a readable image"
        raise Unusable(f"{what}. Replace it by a whole PNG, JPEG, BMP, TIFF or WebP file") from None


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Bring 16-bit, integer or float values to 0..255: by their range's upper end if that is a usual one."""
    values = values.astype(np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise Unusable("holds values that are not finite. Replace it")
    low, high = values.min(), values.max()
    top = next((t for t in (1.0, 255.0, 4095.0, 65535.0) if high <= t), high)
    if values.dtype.kind == "f" and low < 0:
        values, top = values - low, high - low
    return np.clip(values * (255 / max(top, 1e-12)), 0, 255).round().astype(np.uint8)


def shrink(image: np.ndarray) -> np.ndarray:
    import cv2

    longest = max(image.shape[:2])
    if longest <= WORKING_SIDE:
        return np.ascontiguousarray(image)
    height, width = (max(LEAST_SIDE, round(side * WORKING_SIDE / longest)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
