"""The library of molecules that reads are drawn from: every copy of every contig as flat arrays, on disk, shared.

The arrays are memory-mapped, so worker processes share them and the kernels see nothing but numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.haplotypes import haplotype
from avatarlib.genomes.simulate import Genomes
from avatarlib.genomes.variants import SNP

LONG_INSERTION = 50  # bases: from here on the inside of an insertion gets molecules of its own
GC_BLOCK = 32  # bases a step of the running count of G and C
_ACGT = np.zeros(256, bool)
_ACGT[np.frombuffer(b"ACGT", np.uint8)] = True
_GC = np.zeros(256, np.int64)
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
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Library._fields}
    sizes = {
        name: [0] for name in ("contig_at", "break_at", "snp_at", "copy_at", "block_at", "hap_break_at", "long_at")
    }
    group, short, contigs = 0, 0, 0
    with (folder / "hap.raw").open("wb") as hap:
        for source in sources:
            reference, weights = source.reference, []
            columns["ref"].append(reference.bases)
            sizes["contig_at"] += (reference.offsets[1:] + sizes["contig_at"][-1]).tolist()
            for index in range(len(reference)):
                sequence = reference.sequence(index)
                first, last = _runs(~_ACGT[sequence])
                columns["break_first"].append(first)
                columns["break_last"].append(last)
                sizes["break_at"].append(sizes["break_at"][-1] + len(first))
                enough = len(sequence) >= shortest
                short += not enough
                variants = source.genomes.contigs[index].variants if source.genomes else None
                if variants is not None:
                    snp = variants.kind == SNP
                    columns["snp_position"].append(variants.position[snp])
                    columns["snp_allele"].append(variants.alleles[variants.allele_offsets[:-1][snp]])
                sizes["snp_at"].append(sizes["snp_at"][-1] + (int(snp.sum()) if variants is not None else 0))
                copies = source.genomes.contigs[index].copies if source.genomes else ((0, 0),)
                for copy, (donor, number) in enumerate(copies):
                    made = haplotype(sequence, variants, copy) if variants is not None else None
                    bases = made.bases if made else sequence
                    hap.write(bases.data)
                    sizes["copy_at"].append(sizes["copy_at"][-1] + len(bases))
                    blocks = len(made.start) if made else 0
                    if blocks:
                        columns["block_hap"].append(made.start)
                        columns["block_bases"].append(made.length)
                        columns["block_ref"].append(made.reference_start)
                        columns["block_removed"].append(made.reference_length)
                        long = np.flatnonzero((made.length >= LONG_INSERTION) & (made.reference_length == 0))
                        columns["long_block"].append(long + sizes["block_at"][-1])
                    sizes["long_at"].append(sizes["long_at"][-1] + (len(long) if blocks else 0))
                    columns["long_bases"].append([int(made.length[long].sum()) if blocks else 0])
                    sizes["block_at"].append(sizes["block_at"][-1] + blocks)
                    on_copy = _runs(~_ACGT[bases])[0] if len(first) else first
                    columns["hap_break"].append(on_copy)
                    sizes["hap_break_at"].append(sizes["hap_break_at"][-1] + len(on_copy))
                    columns["copy_contig"].append([contigs + index])
                    columns["copy_haplotype"].append([number])
                    columns["copy_group"].append([group + donor])
                    weights.append(len(sequence) if enough else 0)
            total = sum(weights)
            columns["cumulative"].append(np.array(weights, float) * (source.share / total if total else 0))
            group += len(source.genomes.donors) if source.genomes else 1
            contigs += len(reference)
    small = {"copy_contig": np.int32, "copy_haplotype": np.uint8, "copy_group": np.int32, "ref": np.uint8}
    small |= {"snp_allele": np.uint8, "cumulative": float}
    arrays = {
        name: np.concatenate([np.zeros(0, small.get(name, np.int64)), *parts]).astype(small.get(name, np.int64))
        for name, parts in columns.items()
        if name not in sizes and name not in ("hap", "gc")
    } | {name: np.array(at, np.int64) for name, at in sizes.items()}
    arrays["cumulative"] = np.cumsum(arrays["cumulative"])
    padded = np.zeros(-(-(len(arrays["ref"]) + 1) // GC_BLOCK) * GC_BLOCK, np.int64)
    padded[: len(arrays["ref"])] = _GC[arrays["ref"]]
    arrays["gc"] = np.concatenate([[0], np.cumsum(padded.reshape(-1, GC_BLOCK).sum(1))])
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return short


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
