"""Decode a DICOM file: its pixels, and the few tags that may be known; every identifying tag is dropped."""

import io
import warnings
from collections.abc import Callable

import numpy as np

from avatarlib.errors import InputError


def decode(data: bytes, refuse_size: Callable[[int, int], None]) -> tuple[np.ndarray, str, dict]:
    """Decode a file of one frame.

    Parameters
    ----------
    data
        The file.
    refuse_size
        Called with width and height before pixels are decoded; raises if they are out of bounds.

    Returns
    -------
    uint8 (h, w) or (h, w, 3); the photometric interpretation and depth; tags: `side` and `sex` where stated, and
    `patient`, which tells persons apart and must not be passed on.

    Raises
    ------
    InputError
        Not DICOM, no pixels, several frames, or an encoding that can't be decoded here.
    """
    import pydicom
    from pydicom.pixels import apply_modality_lut, pixel_array

    try:
        with warnings.catch_warnings():
            # pydicom warns of odd values by quoting them; what identifies a person must not reach a log.
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data))
            height, width = int(dataset.Rows), int(dataset.Columns)
            frames = int(dataset.get("NumberOfFrames") or 1)
    except Exception:  # the parser raises anything on hostile bytes
        raise InputError("is not a readable DICOM image. Replace it") from None
    refuse_size(width, height)
    if frames > 1:
        raise InputError(f"holds {frames} frames. Export each as a file of its own")
    meaning = str(dataset.get("PhotometricInterpretation", ""))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = pixel_array(dataset, index=0)
            if meaning.startswith("MONOCHROME"):
                pixels = np.asarray(apply_modality_lut(pixels, dataset), dtype=np.float64)
    except MemoryError:
        raise
    except Exception:
        syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "unknown")
        name = getattr(syntax, "name", syntax)
        raise InputError(f"has pixels that can't be decoded here ({name}). Convert it to uncompressed DICOM") from None
    if meaning.startswith("MONOCHROME"):
        # Windows differ from device to device; the range of the picture itself is used.
        low, high = float(pixels.min()), float(pixels.max())
        image = np.round((pixels - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)
        image = 255 - image if meaning == "MONOCHROME1" else image
    else:
        image = pixels if pixels.dtype == np.uint8 else (pixels >> (int(dataset.BitsStored) - 8)).astype(np.uint8)
    return image, f"DICOM {meaning} {dataset.get('BitsStored', '?')} bit", _tags(dataset)


def _tags(dataset) -> dict:
    laterality = str(dataset.get("ImageLaterality", "") or dataset.get("Laterality", ""))
    tags = {
        "side": {"L": "left", "R": "right"}.get(laterality, ""),
        "sex": {"F": "female", "M": "male"}.get(str(dataset.get("PatientSex", "")), ""),
        "patient": str(dataset.get("PatientID", "")),
    }
    return {key: value for key, value in tags.items() if value}
