"""The promises about reads that `make bench` proves at full size, small; and that its checks can say no."""

import gzip
import shutil

import numpy as np
import pysam
import pytest

from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.reads.config import Config
from avatarlib.reads.simulate import simulate
from avatarlib.run.bench_reads import checks, truth
from avatarlib.run.bench_reads.truth import NUMBERS


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "ref.fa.gz"
    genome = phantom_genome(size=500_000).reference
    write_fasta(path, genome.names, [genome.sequence(i) for i in range(len(genome))])
    return path


@pytest.fixture(scope="module")
def promises(reference, tmp_path_factory):
    return truth.checks(reference, tmp_path_factory.mktemp("checks"), part=0.01)


@pytest.mark.parametrize("platform", NUMBERS)
def test_promises(promises, platform):
    found = promises[platform]
    assert found["first_disagreement"] is None and found["rebuilt"] == found["reads"] > 0
    assert (found["unlabelled"], found["without_difference"]) == (0, 0)
    # A read of a long inserted sequence has no alignment.
    assert found["reads"] >= found["aligned"] == found["compared_with_calmd"] > 0.9 * found["reads"]
    assert found["differing_from_calmd"] == 0
    assert found["haplotypes"] > 8 and found["differing_from_consensus"] == 0
    assert not found["mismatching_ref"] and found["quickcheck"]
    assert all(found["limits"].values()) and len(found["limits"]) == 3
    for rate in found["rates"].values():
        assert abs(rate["deviation"]) < 6 * rate["standard_error"] + 0.05
    r = found["curves"]["quality" if platform == "illumina" else "deletion"]
    assert r > 0.95 if platform != "hifi" else r is None  # so few errors


@pytest.fixture
def made(reference, tmp_path):
    simulate(Config(reference=reference, reads={"pairs": 300}), tmp_path / "made")
    return tmp_path / "made"


def test_a_wrong_tag_is_seen(made, reference):
    before = made / "truth.bam"
    with pysam.AlignmentFile(str(before)) as old:
        records = list(old)
        records[7].set_tag("NM", records[7].get_tag("NM") + 1)
        records[9].set_tag("MD", "150")
        records[11].set_tag("MD", "0A149")
        with pysam.AlignmentFile(str(made / "new.bam"), "wb", template=old) as new:
            for record in records:
                new.write(record)
    (made / "new.bam").replace(before)
    aligned, differing = checks.calmd(made, reference)
    assert aligned == 600 and differing in (2, 3)
    before.write_bytes(before.read_bytes()[:-40])
    assert not checks.quickcheck(made)


def test_a_wrong_haplotype_and_a_wrong_ref_are_seen(made, reference, tmp_path):
    assert checks.consensus(made, reference)[1] == 0
    lines = gzip.open(made / "variants.vcf.gz", "rt").read().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if line[0] != "#" and "TYPE=SNP" in line)
    fields = lines[first].split("\t")
    other = next(base for base in "ACGT" if base not in (fields[3], fields[4]))

    def rewritten(column):
        changed = [*fields[:column], other, *fields[column + 1 :]]
        shutil.copytree(made, copy := tmp_path / f"column{column}")
        with pysam.BGZFile(str(copy / "variants.vcf.gz"), "wb") as file:
            file.write("".join([*lines[:first], "\t".join(changed), *lines[first + 1 :]]).encode())
        pysam.tabix_index(str(copy / "variants.vcf.gz"), preset="vcf", force=True)
        return copy

    assert checks.consensus(rewritten(4), reference)[1] > 0
    assert not checks.mismatching_ref(made, reference)
    assert checks.mismatching_ref(rewritten(3), reference)


def test_weights_of_a_curve():
    x, y = np.array([1.0, 2, 3, 9]), np.array([2.0, 4, 6, 1])
    assert checks._weighted_r(x, y, np.array([1.0, 1, 1, 0])) == pytest.approx(1)
    assert checks._weighted_r(x, y, np.ones(4)) == pytest.approx(np.corrcoef(x, y)[0, 1])
