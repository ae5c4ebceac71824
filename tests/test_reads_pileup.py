"""The pile-up against reads simulated with many indels: every cell that differs from the reference has its cause."""

import numpy as np
import pysam
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import read_fasta, write_fasta
from avatarlib.reads.config import Config
from avatarlib.reads.pileup import ABSENT, BOTH, ERROR, GAP, MATCH, PADDING, VARIANT, read_pileup
from avatarlib.reads.simulate import simulate
from avatarlib.seeds import generator

VARIATION = {"snp_rate": 0.02, "indel_rate": 0.01}


@pytest.fixture(scope="module", params=["illumina", "ont"])
def folder(request, tmp_path_factory):
    """Reads of two donors of a reference of 3,000 bases, kept beside it."""
    base = tmp_path_factory.mktemp(request.param)
    write_fasta(base / "ref.fa.gz", ["c"], [generator(1, "reference").choice(np.frombuffer(b"ACGT", np.uint8), 3000)])
    paired = request.param == "illumina"
    number = {"pairs": 200} if paired else {"reads": 40, "length_mean": 600, "length_sd": 100}
    errors = {"scale": 20.0 if paired else 3.0}
    config = Config(
        reference=base / "ref.fa.gz",
        variation=VARIATION,
        reads={"platform": request.param, **number},
        errors=errors,
    )
    simulate(config, base / "out")
    return base


def whole(folder, start=0, end=3000):
    return read_pileup(folder / "out", read_fasta(folder / "ref.fa.gz").sequence(0), "c", start, end)


def test_every_difference_has_a_cause_and_only_those(folder):
    pile = whole(folder)
    there = (pile.base != ABSENT) & (pile.base != PADDING)
    differs = there & (pile.base != pile.reference)
    assert (differs <= (pile.cause != MATCH)).all()
    agrees = (there & ~differs & (pile.inserted == 0)) | (pile.base == PADDING)
    assert (pile.cause[agrees & (pile.cause != BOTH)] == MATCH).all()
    assert {VARIANT, ERROR, BOTH} <= set(pile.cause[differs])
    assert ((pile.quality >= 0) == (there & (pile.base != GAP))).all()


def test_rows_spell_the_reads(folder):
    pile = whole(folder)
    with pysam.AlignmentFile(folder / "out" / "truth.bam") as bam:
        reads = {(r.query_name, int(r.is_paired) + r.is_read2): r.query_sequence for r in bam}
    letters = (pile.base != ABSENT) & (pile.base != PADDING) & (pile.base != GAP)
    for n, row in enumerate(pile.reads.itertuples()):
        assert pile.base[n, letters[n]].tobytes().decode() == reads[row.read, row.mate]


def test_haplotypes_without_errors_show_one_allele(folder):
    pile = whole(folder, 1000, 1400)
    for _, rows in pile.reads.groupby(["donor", "haplotype"]).groups.items():
        base, cause = pile.base[rows], pile.cause[rows]
        clean = (base != ABSENT) & ((cause == MATCH) | (cause == VARIANT)) & (pile.inserted == 0)
        for column in range(base.shape[1]):
            assert len(set(base[clean[:, column], column])) <= 1


def test_says_what_is_missing(folder):
    with pytest.raises(InputError, match="no read at c:1-0"):
        read_pileup(folder / "out", np.zeros(3000, np.uint8), "c", 0, 0)
