"""Which alleles reads show at a panel's sites: from known alignments, or as found with reads alone."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from avatarlib.errors import InputError
from avatarlib.removal.reads import Batch
from avatarlib.residual.panel import Panel

LEAST_ERROR, MOST_ERROR = 1e-3, 0.5  # stated qualities are believed between these
UNSTATED = 0.02  # error probability of a base without quality
MATCHES = (0, 7, 8)  # operations of a CIGAR that use up read and reference
ON_READ, ON_REFERENCE = (1, 4), (2, 3)


@dataclass(frozen=True)
class Evidence:
    """One row an observed allele.

    Attributes
    ----------
    read
        int64: number of the molecule in the sample; mates share it.
    site
        int64: number of the panel's site.
    alternative
        bool: the alternative allele was read; else the reference's. Other bases tell the two apart no better, and are
        left out.
    error
        float64: probability that the base is wrong.
    placed
        Number of reads that were placed on the reference, with a site or without.
    """

    read: np.ndarray
    site: np.ndarray
    alternative: np.ndarray
    error: np.ndarray
    placed: int

    def __len__(self) -> int:
        return len(self.site)

    def of(self, reads: np.ndarray) -> "Evidence":
        """Return the part that certain molecules give; their numbers may be in any order."""
        rows = np.isin(self.read, reads)
        return Evidence(self.read[rows], self.site[rows], self.alternative[rows], self.error[rows], self.placed)


def join_evidence(parts: Collection[Evidence]) -> Evidence:
    """Lay evidence end to end."""
    columns = [np.concatenate([getattr(p, name) for p in parts]) for name in ("read", "site", "alternative", "error")]
    return Evidence(*columns, sum(part.placed for part in parts))


class Collector:
    """Collects the alleles of one aligned read after the other."""

    def __init__(self, panel: Panel):
        ends = np.searchsorted(panel.contig, np.arange(len(panel.contigs) + 1))
        self._panel, self._ends = panel, ends
        self._parts, self._placed = [], 0

    def add(
        self, molecule: int, contig: int, start: int, cigar: list[tuple[int, int]], bases: np.ndarray, error: np.ndarray
    ) -> None:
        """Take a read as it lies on the reference's strand; `cigar` as pysam's `cigartuples` has it."""
        self._placed += 1
        first, last = self._ends[contig], self._ends[contig + 1]
        place, at = start, 0
        positions = self._panel.position[first:last]
        for operation, length in cigar:
            if operation in MATCHES:
                a, b = np.searchsorted(positions, (place, place + length))
                if b > a:
                    offsets = at + positions[a:b] - place
                    self._parts.append((molecule, first + a, first + b, bases[offsets], error[offsets]))
            if operation in MATCHES or operation in ON_REFERENCE:
                place += length
            if operation in MATCHES or operation in ON_READ:
                at += length

    def evidence(self) -> Evidence:
        """Return what was collected."""
        if not self._parts:
            nothing = np.zeros(0, np.int64)
            return Evidence(nothing, nothing, nothing.astype(bool), nothing.astype(float), self._placed)
        site = np.concatenate([np.arange(a, b) for _, a, b, _, _ in self._parts])
        read = np.repeat([part[0] for part in self._parts], [part[2] - part[1] for part in self._parts])
        base = np.concatenate([part[3] for part in self._parts])
        error = np.clip(np.concatenate([part[4] for part in self._parts]), LEAST_ERROR, MOST_ERROR)
        alternative = base == self._panel.alternative[site]
        rows = alternative | (base == self._panel.reference[site])
        return Evidence(read[rows], site[rows], alternative[rows], error[rows], self._placed)


def from_truth(
    bam: Path, panel: Panel, kept: Collection[int] | None = None, names: Mapping[str, int] | None = None
) -> Evidence:
    """Read the exact alignments of a simulation: what somebody could know who places every read without fail.

    Parameters
    ----------
    bam
        `truth.bam` of `avatarlib.reads.simulate`.
    kept
        Numbers of molecules that count; None: all.
    names
        Contig's name in `bam` -> its number in the panel; None: they are called as in the panel.
    """
    number = names or {name: k for k, name in enumerate(panel.contigs)}
    kept = None if kept is None else set(kept)
    collector = Collector(panel)
    with pysam.AlignmentFile(str(bam)) as file:
        for record in file:
            molecule = int(record.query_name[1:])
            if record.reference_name not in number or (kept is not None and molecule not in kept):
                continue
            bases = np.frombuffer(record.query_sequence.encode(), np.uint8)
            error = 10.0 ** (-np.asarray(record.query_qualities, float) / 10)
            contig = number[record.reference_name]
            collector.add(molecule, contig, record.reference_start, record.cigartuples, bases, error)
    return collector.evidence()


def placer(reference: Path, panel: Panel) -> Callable[[Batch, np.ndarray], Evidence]:
    """Return a function that aligns reads with minimap2, more sensitively than removers do, and takes their alleles.

    It is given a batch and which of its molecules are looked at; reads that hit several places are placed at the best.

    Raises
    ------
    InputError
        mappy is not installed.
    """
    try:
        import mappy
    except ImportError:
        raise InputError("a panel needs the Python package mappy: pip install mappy") from None
    aligner = mappy.Aligner(
        str(reference), preset="map-ont", k=11, w=5, min_cnt=2, min_chain_score=20, min_dp_score=30, best_n=1
    )
    number = {name: k for k, name in enumerate(panel.contigs)}

    def look(batch: Batch, kept: np.ndarray) -> Evidence:
        collector = Collector(panel)
        reads, stated = batch.reads(), batch.stated()
        for i in np.flatnonzero(np.repeat(kept, batch.mates)):
            hit = next(aligner.map(reads[i].decode("ascii")), None)
            if hit is None:
                continue
            bases, error = reads[i], stated[i]
            if hit.strand < 0:
                bases, error = mappy.revcomp(bases.decode("ascii")).encode(), error[::-1]
            # Only the aligned part, in the direction of the reference, is walked along.
            first = hit.q_st if hit.strand > 0 else len(bases) - hit.q_en
            part = np.frombuffer(bases, np.uint8)[first:]
            phred = np.frombuffer(error, np.uint8)[first:].astype(float) - 33
            wrong = 10.0 ** (-phred / 10) if len(phred) else np.full(len(part), UNSTATED)
            cigar = [(operation, length) for length, operation in hit.cigar]
            collector.add(batch.first + i // batch.mates, number[hit.ctg], hit.r_st, cigar, part, wrong)
        return collector.evidence()

    return look
