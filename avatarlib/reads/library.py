"""The library of molecules that reads are drawn from: every copy of every contig as flat arrays, on disk, shared.

The arrays are memory-mapped, so worker processes share them and the kernels see nothing but numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.haplotypes import Haplotype, haplotype
from avatarlib.genomes.simulate import Genomes
from avatarlib.genomes.variants import SNP, Variants, no_variants

LONG_INSERTION = 50  # bases: from here on the inside of an insertion gets molecules of its own
Columns, Counts = dict[str, list], dict[str, list[int]]  # pieces of the arrays, and lengths behind the `X_at`
GC_BLOCK = 32  # bases a step of the running count of G and C
_ACGT = np.zeros(256, bool)
_ACGT[np.frombuffer(b"ACGT", np.uint8)] = True
_GC = np.zeros(256, np.uint8)
_GC[np.frombuffer(b"GC", np.uint8)] = 1


@dataclass(frozen=True)
class Source:
    """What molecules come from: the donors (`genomes`), or a microbe, virus or decoy (`genomes` is None, one copy)."""

    name: str
    human: bool
    share: float
    reference: Reference
    genomes: Genomes | None


class Library(NamedTuple):
    """Flat arrays; `X_at` holds where the entries of each contig or copy begin, and one more.

    Contigs: `ref`, `contig_at`; runs of other letters than A, C, G, T `break_first`, `break_last` (`break_at`);
    SNPs of all donors `snp_position`, `snp_allele` (`snp_at`); running count of G and C `gc`.
    Copies: `hap`, `copy_at`; blocks that differ from the reference `block_hap`, `block_bases`, `block_ref`,
    `block_removed` (`block_at`); other letters on the copy `hap_break` (`hap_break_at`); long insertions
    `long_block` (`long_at`), `long_bases`; `copy_contig`, `copy_haplotype`, `copy_group`; `cumulative` probability.
    """

    ref: np.ndarray
    contig_at: np.ndarray
    break_first: np.ndarray
    break_last: np.ndarray
    break_at: np.ndarray
    snp_position: np.ndarray
    snp_allele: np.ndarray
    snp_at: np.ndarray
    gc: np.ndarray
    hap: np.ndarray
    copy_at: np.ndarray
    block_hap: np.ndarray
    block_bases: np.ndarray
    block_ref: np.ndarray
    block_removed: np.ndarray
    block_at: np.ndarray
    hap_break: np.ndarray
    hap_break_at: np.ndarray
    long_block: np.ndarray
    long_at: np.ndarray
    long_bases: np.ndarray
    copy_contig: np.ndarray
    copy_haplotype: np.ndarray
    copy_group: np.ndarray
    cumulative: np.ndarray


def save_library(folder: Path, sources: Sequence[Source], shortest: int) -> int:
    """Write the arrays to `folder`, one file each; contigs shorter than `shortest` give no molecules.

    Groups are the donors of the human source in order, then the other sources in order.

    Returns
    -------
    int
        How many contigs are too short.
    """
    columns: Columns = {name: [] for name in Library._fields if not name.endswith("_at")}
    counts: Counts = {name: [] for name in Library._fields if name.endswith("_at")}
    group = short = 0
    with (folder / "hap.raw").open("wb") as hap:
        for source in sources:
            columns["ref"].append(source.reference.bases)
            weights = []
            for sequence, variants, copies in _contigs(source):
                _add_contig(columns, counts, sequence, variants)
                enough = len(sequence) >= shortest
                short += not enough
                for copy, (donor, number) in enumerate(copies):
                    hap.write(_add_copy(columns, counts, haplotype(sequence, variants, copy)).data)
                    columns["copy_contig"].append([len(counts["contig_at"]) - 1])
                    columns["copy_haplotype"].append([number])
                    columns["copy_group"].append([group + donor])
                    weights.append(len(sequence) if enough else 0)
            total = sum(weights)
            columns["cumulative"].append(np.array(weights, float) * (source.share / total if total else 0))
            group += len(source.genomes.donors) if source.genomes else 1
    types = {"copy_contig": np.int32, "copy_haplotype": np.uint8, "copy_group": np.int32, "ref": np.uint8}
    types |= {"snp_allele": np.uint8, "cumulative": float}
    before = np.cumsum([0, *counts["block_at"]])
    columns["long_block"] = [long + at for long, at in zip(columns["long_block"], before[:-1], strict=True)]
    for name in columns.keys() - {"hap", "gc", "cumulative", "ref"}:
        _save(folder, name, np.concatenate([[], *columns[name]]).astype(types.get(name, np.int64)))
    for name, each in counts.items():
        _save(folder, name, np.cumsum([0, *each], dtype=np.int64))
    _save(folder, "cumulative", np.cumsum(np.concatenate(columns["cumulative"])))
    ref = np.concatenate(columns["ref"])
    _save(folder, "ref", ref)
    padded = np.zeros(-(-(len(ref) + 1) // GC_BLOCK) * GC_BLOCK, np.uint8)
    padded[: len(ref)] = _GC[ref]
    _save(folder, "gc", np.concatenate([[0], np.cumsum(padded.reshape(-1, GC_BLOCK).sum(1, dtype=np.int64))]))
    return short


def _save(folder: Path, name: str, array: np.ndarray) -> None:
    np.save(folder / f"{name}.npy", array)


def _contigs(source: Source) -> Iterator[tuple[np.ndarray, Variants, tuple[tuple[int, int], ...]]]:
    """Yield sequence, variants and copies of each contig; of what is no person's there is one copy, without any."""
    for index in range(len(source.reference)):
        contig = source.genomes.contigs[index] if source.genomes else None
        sequence = source.reference.sequence(index)
        yield sequence, *((contig.variants, contig.copies) if contig else (no_variants(1), ((0, 0),)))


def _add_contig(
    columns: dict[str, list], counts: dict[str, list[int]], sequence: np.ndarray, variants: Variants
) -> None:
    first, last = _runs(~_ACGT[sequence])
    snp = variants.kind == SNP
    columns["break_first"].append(first)
    columns["break_last"].append(last)
    columns["snp_position"].append(variants.position[snp])
    columns["snp_allele"].append(variants.alleles[variants.allele_offsets[:-1][snp]])
    counts["contig_at"].append(len(sequence))
    counts["break_at"].append(len(first))
    counts["snp_at"].append(int(snp.sum()))


def _add_copy(columns: Columns, counts: Counts, made: Haplotype) -> np.ndarray:
    """Note where a copy of the last contig differs from it; return the copy's bases."""
    long = np.flatnonzero((made.length >= LONG_INSERTION) & (made.reference_length == 0))
    breaks = _runs(~_ACGT[made.bases])[0] if counts["break_at"][-1] else np.zeros(0, np.int64)
    columns["block_hap"].append(made.start)
    columns["block_bases"].append(made.length)
    columns["block_ref"].append(made.reference_start)
    columns["block_removed"].append(made.reference_length)
    columns["long_block"].append(long)  # counted within the copy here
    columns["long_bases"].append([int(made.length[long].sum())])
    columns["hap_break"].append(breaks)
    counts["copy_at"].append(len(made.bases))
    counts["block_at"].append(len(made.start))
    counts["long_at"].append(len(long))
    counts["hap_break_at"].append(len(breaks))
    return made.bases


def load_library(folder: Path) -> Library:
    """Return the arrays that `save_library` wrote, memory-mapped and read-only."""
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in Library._fields if name != "hap"}
    bases = int(arrays["copy_at"][-1])
    arrays["hap"] = np.memmap(folder / "hap.raw", np.uint8, "r", shape=(bases,)) if bases else np.zeros(0, np.uint8)
    return Library(**{name: _readonly(np.asarray(array)) for name, array in arrays.items()})


def _readonly(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False  # an empty file can't be mapped, and a kernel is compiled for one kind of array only
    return view


def _runs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where runs of True begin and end (one behind)."""
    if not flags.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges[::2].astype(np.int64), edges[1::2].astype(np.int64)
