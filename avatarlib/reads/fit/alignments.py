"""Read a user's alignments for a fit: which reads count, and one clear line where the file isn't what it must be."""

import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pysam

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference, write_fasta
from avatarlib.reads.fit import counts

FEWEST = 100  # reads
TRACED = 4_000_000  # bases whose qualities are kept with their places
_BATCH = 2_000_000  # bases counted at a time
_SKIPPED = {
    0x4: "unmapped",
    0x100: "secondary",
    0x800: "supplementary",
    0x400: "duplicate",
    0x200: "failed quality control",
}
_LOW, _FOREIGN, _EMPTY = "mapping quality below {}", "on contigs that the reference lacks", "without bases or CIGAR"
ADVICE = "give a BAM, SAM or CRAM file of reads aligned to this reference"


@dataclass
class Sample:
    """What was counted in a file: a class that grows with it.

    Attributes
    ----------
    tables
        See `counts.Tables`.
    halves
        int64 [reads, 4]: columns of the alignment and matches, in even and in odd blocks of the read.
    lengths
        int64 [reads]: bases of the reference that a read spans, with what was clipped.
    traces
        Of the first reads: stated quality by reference base (255: none), and its kind (3-mer and homopolymer).
    used, skipped
        Reads, and those left out by reason.
    """

    tables: counts.Tables
    halves: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    traces: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    used: int = 0
    skipped: Counter = field(default_factory=Counter)


def count_reads(
    path: Path, reference: Reference, masked: np.ndarray, *, long: bool, longest: int, min_mapping_quality: int
) -> Sample:
    """Count a file's reads; memory doesn't grow with their number but for some numbers a long read.

    Parameters
    ----------
    masked
        bool [bases of the reference].
    long
        Whether an inserted base counts as read wrong, and reads are looked at one by one.
    longest
        Homopolymers of so many bases and more are one.

    Raises
    ------
    InputError
        No alignments, cut off, another reference, qualities missing, or fewer than `FEWEST` reads are left.
    """
    sample, held, bases = Sample(counts.new_tables(longest)), [], 0
    codes = counts.codes(reference.bases)
    halves, lengths = [], []
    low = _LOW.format(min_mapping_quality)
    with _opened(path, reference) as (file, contigs):
        for read in _records(file, path):
            reason = next((what for bit, what in _SKIPPED.items() if read.flag & bit), None)
            contig = contigs[read.reference_id] if reason is None and read.reference_id >= 0 else -1
            if reason is None and contig < 0:
                reason = _FOREIGN
            if reason is None and read.mapping_quality < min_mapping_quality:
                reason = low
            if reason is None and (not read.query_length or not read.cigartuples):
                reason = _EMPTY
            if reason is not None:
                sample.skipped[reason] += 1
                continue
            held.append(_row(read, path, reference, contig))
            bases += read.query_length
            if bases >= _BATCH:
                _add(path, held, codes, masked, long, sample, halves, lengths)
                held, bases = [], 0
    if held:
        _add(path, held, codes, masked, long, sample, halves, lengths)
    if sample.used < FEWEST:
        left_out = ", ".join(f"{n:,} {what}" for what, n in sample.skipped.most_common())
        left_out = f"{sum(sample.skipped.values()):,} were skipped ({left_out})" if left_out else "none was skipped"
        found = f"{sample.used:,} usable reads" if sample.used else "no usable reads"
        raise InputError(f"{path}: {found}, a fit needs {FEWEST} or more; {left_out}: give a larger sample")
    if long:
        sample.halves, sample.lengths = np.concatenate(halves), np.concatenate(lengths)
    return sample


@contextmanager
def _opened(path: Path, reference: Reference) -> Iterator[tuple[pysam.AlignmentFile, list[int]]]:
    """Open alignments, with their contigs' numbers in the reference (-1: not in it)."""
    if not path.is_file():
        raise InputError(f"{path}: {'is no regular file' if path.exists() else 'no such file'}: {ADVICE}")
    loud = pysam.set_verbosity(0)  # what the library would say itself is said in the error
    try:
        with tempfile.TemporaryDirectory() as folder:
            options = {}
            if _head(path) == b"CRAM":
                options["reference_filename"] = str(Path(folder) / "reference.fa.gz")
                names = range(len(reference))
                write_fasta(Path(options["reference_filename"]), reference.names, map(reference.sequence, names))
            try:
                file = pysam.AlignmentFile(str(path), **options)
            except (ValueError, OSError) as error:
                if isinstance(error, OSError) and "EOF" in str(error):
                    raise InputError(f"{path}: the file is cut off: get it again") from None
                if "no sequences" in str(error):
                    raise InputError(f"{path}: its header names no contigs, so nothing is aligned: {ADVICE}") from None
                raise InputError(f"{path}: no alignments: {ADVICE}") from None
            try:
                yield file, _contigs(path, file, reference)
            finally:
                with suppress(OSError):  # a damaged file complains again when it is closed
                    file.close()
    finally:
        pysam.set_verbosity(loud)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error}): check its rights and its disk") from None


def _contigs(path: Path, file: pysam.AlignmentFile, reference: Reference) -> list[int]:
    index = {name: contig for contig, name in enumerate(reference.names)}
    found = [index.get(name, -1) for name in file.references]
    if max(found, default=-1) < 0:
        theirs = file.references[0] if file.references else "none"
        raise InputError(
            f"{path}: its contigs are called such as {theirs!a}, those of the reference such as "
            f"{reference.names[0]!a}: give the FASTA file that the reads were aligned to"
        )
    for name, length, contig in zip(file.references, file.lengths, found, strict=True):
        if contig >= 0 and length != reference.length(contig):
            raise InputError(
                f"{path}: contig {name} has {length:,} bases there and {reference.length(contig):,} in the reference: "
                "give the FASTA file that the reads were aligned to"
            )
    return found


def _records(file: pysam.AlignmentFile, path: Path) -> Iterator[pysam.AlignedSegment]:
    done = 0
    try:
        for read in file.fetch(until_eof=True):
            yield read
            done += 1
    except (OSError, ValueError):
        what = "another reference, " if file.is_cram else ""
        raise InputError(f"{path}: {what}cut off or damaged after {done:,} records: get the file again") from None


def _row(read: pysam.AlignedSegment, path: Path, reference: Reference, contig: int) -> tuple:
    """Return what `_add` needs of a read: sequence, qualities, CIGAR and numbers."""
    if read.query_qualities is None:
        raise InputError(f"{path}: read {read.query_name!a} has no base qualities: a fit needs them")
    operations = read.cigartuples
    at, low = read.reference_start, int(reference.offsets[contig])
    if read.reference_end > reference.length(contig):
        raise InputError(
            f"{path}: read {read.query_name!a} reaches beyond the end of {reference.names[contig]}: {ADVICE}"
        )
    cut = operations[-1 if read.is_reverse else 0]
    numbers = (
        low + at,
        low,
        low + reference.length(contig),
        read.is_reverse,
        read.is_paired and read.is_read2,
        zlib.crc32(read.query_name.encode()) % counts.GROUPS,
        cut[1] if cut[0] == pysam.CHARD_CLIP else 0,
    )
    return read.query_sequence.encode(), read.query_qualities.tobytes(), operations, numbers


def _add(path: Path, held: list[tuple], codes, masked, long: bool, sample: Sample, halves: list, lengths: list) -> None:
    """Count the reads that are held."""
    numbers = np.array([row[3] for row in held], np.int64).T
    cigars = np.array([operation for row in held for operation in row[2]], np.int64)
    reads = counts.Reads(
        bases=counts.codes(b"".join(row[0] for row in held)),
        quality=np.minimum(np.frombuffer(b"".join(row[1] for row in held), np.uint8), counts.QUALITIES - 1),
        base_at=np.cumsum([0, *(len(row[0]) for row in held)]),
        operation=cigars[:, 0].copy(),
        count=cigars[:, 1].copy(),
        operation_at=np.cumsum([0, *(len(row[2]) for row in held)]),
        start=numbers[0].copy(),
        low=numbers[1].copy(),
        high=numbers[2].copy(),
        reverse=numbers[3].astype(bool),
        mate=numbers[4].copy(),
        group=numbers[5].copy(),
        before=numbers[6].copy(),
    )
    made = np.zeros((len(held), 4), np.int64)
    counts.count(codes, masked, reads, long, sample.tables, made)
    sample.used += len(held)
    if not long:
        if (reads.base_at[1:] - reads.base_at[:-1]).max() > counts.CYCLES:
            raise InputError(f"{path}: reads of more than {counts.CYCLES:,} bases: fit them as platform ont or hifi")
        counts.count_qualities(reads, counts.LAGS, sample.tables.cycles, sample.tables.pairs)
        return
    covered = np.isin(cigars[:, 0], (0, 2, 7, 8)) * cigars[:, 1]
    clipped = np.isin(cigars[:, 0], (4, 5)) * cigars[:, 1]
    spans = np.add.reduceat(covered, reads.operation_at[:-1])
    halves.append(made)
    lengths.append(spans + np.add.reduceat(clipped, reads.operation_at[:-1]))
    traced = sum(len(stated) for stated, _ in sample.traces)
    longest = sample.tables.runs.shape[1] - 1
    for i, span in enumerate(spans.tolist()):
        if traced > TRACED:
            break
        stated, kind = np.empty(span, np.uint8), np.zeros(span, np.int32)
        counts.trace(codes, masked, reads, i, longest, stated, kind)
        sample.traces.append((stated, kind))
        traced += span
