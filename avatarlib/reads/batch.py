"""A batch of reads: FASTQ text, where each read lies in it, and the errors that were made."""

from typing import NamedTuple

import numpy as np

SUBSTITUTION, INSERTION, DELETION = range(3)


class Batch(NamedTuple):
    """Reads r of a batch (Illumina: 2 i and 2 i + 1 are the mates of molecule i).

    `text_1` and `text_2` hold FASTQ (long reads use the first only); `sequence_at`, `quality_at`, `length` say where
    in it read r is; from read position `tail` on it is adapter; `used` [reads, 2] is the number of template bases read
    of each part. Errors of read r: entries `error_at[r]` to `error_at[r + 1]`, in reading order: position in the read,
    template base t of the read (of all parts, one after the other; an insertion comes after base t), kind, base read.
    `part_end` is the read position where the first part of a long chimera ends.
    """

    text_1: np.ndarray
    text_2: np.ndarray
    sequence_at: np.ndarray
    quality_at: np.ndarray
    length: np.ndarray
    tail: np.ndarray
    used: np.ndarray
    part_end: np.ndarray
    error_at: np.ndarray
    error_position: np.ndarray
    error_t: np.ndarray
    error_kind: np.ndarray
    error_base: np.ndarray


def new_batch(reads: int, text: int, errors: int, *, paired: bool) -> Batch:
    """Return an empty batch for so many reads, bytes of FASTQ a mate, and errors."""
    return Batch(
        text_1=np.empty(text, np.uint8),
        text_2=np.empty(text if paired else 0, np.uint8),
        sequence_at=np.empty(reads, np.int64),
        quality_at=np.empty(reads, np.int64),
        length=np.empty(reads, np.int64),
        tail=np.empty(reads, np.int64),
        used=np.zeros((reads, 2), np.int64),
        part_end=np.zeros(reads, np.int64),
        error_at=np.zeros(reads + 1, np.int64),
        error_position=np.empty(errors, np.int32),
        error_t=np.empty(errors, np.int32),
        error_kind=np.empty(errors, np.int8),
        error_base=np.empty(errors, np.uint8),
    )
