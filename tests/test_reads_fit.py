"""Fitting a profile to own reads, whose truth is known, and to a real sample."""

import random

import numpy as np
import pysam
import pytest
import yaml

from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.reads import config
from avatarlib.reads.curves import cycle_curve
from avatarlib.reads.fit import fit, write
from avatarlib.reads.profile import load_profile
from avatarlib.reads.simulate import simulate

ILLUMINA = """\
platform: illumina
about: a bad machine
rates: {insertion: 0.0003, deletion: 0.0004}
quality:
  mate_1: {by_cycle: [[0, 29], [0.1, 35], [0.7, 36], [1, 28]], read_sd: 3.0, cycle_sd: 5.0, correlation: 0.7}
  mate_2: {by_cycle: [[0, 31], [0.5, 32], [1, 25]], read_sd: 5.0, cycle_sd: 4.0, correlation: 0.3}
  lowest: 2
  highest: 39
calibration: {offset: -2.0, slope: 0.9}
substitution: {A: {C: .6, G: .3, T: .1}, C: {A: .2, G: .2, T: .6}, G: {A: .1, C: .1, T: .8}, T: {A: .3, C: .3, G: .4}}
adapters: {mate_1: ACGT, mate_2: TTTT}
"""
ONT = """\
platform: ont
about: an old pore
length: {mean: 3000, sd: 1500, shortest: 500}
rates: {substitution: 0.012, insertion: 0.008, deletion: 0.015}
identity: {sd: 0.012, highest: 0.999}
indel_length: {insertion: 1.2, deletion: 1.6}
homopolymer: {from: 3, insertion: 0.5, deletion: 0.9, longest: 12}
context: {CCA: 2.0, TGC: 0.3}
substitution: {A: {C: .6, G: .3, T: .1}, C: {A: .2, G: .2, T: .6}, G: {A: .1, C: .1, T: .8}, T: {A: .3, C: .3, G: .4}}
quality: {sd: 3.0, correlation: 0.8, lowest: 1, highest: 50}
calibration: {offset: 3.0, slope: 0.8}
"""
ERRORS = ("substitution", "insertion", "deletion")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    reference = phantom_genome(size=500_000).reference
    write_fasta(folder / "ref.fa.gz", reference.names, map(reference.sequence, range(len(reference))))
    (folder / "illumina.yml").write_text(ILLUMINA)
    (folder / "ont.yml").write_text(ONT)
    return folder


@pytest.fixture(scope="module")
def made(home):
    """Simulate once by name: `out` with its realised rates."""
    done = {}

    def run(name, platform, profile, variation=0.005, **reads):
        if name not in done:
            settings = {"reference": str(home / "ref.fa.gz"), "errors": {"profile": str(profile)}}
            settings["variation"] = {"snp_rate": variation, "indel_rate": variation / 5}
            settings["reads"] = {"platform": platform} | reads
            (home / f"{name}_run.yml").write_text(yaml.safe_dump(settings))
            record = simulate(config.load(home / f"{name}_run.yml"), home / name)["counts"]
            bases = record["bases"] if platform == "illumina" else record["template"]
            done[name] = home / name, {kind: n / bases for kind, n in record["errors"].items()}
        return done[name]

    return run


@pytest.fixture(scope="module")
def illumina(home, made):
    out, _ = made("short", "illumina", home / "illumina.yml", pairs=20_000)
    known = out / "variants.vcf.gz"
    return fit(out / "truth.bam", home / "ref.fa.gz", platform="illumina", known=known, about="own")


@pytest.fixture(scope="module")
def ont(home, made):
    out, _ = made("long", "ont", home / "ont.yml", reads=2500)
    return fit(out / "truth.bam", home / "ref.fa.gz", platform="ont", known=out / "variants.vcf.gz", about="own")


def value(found, name):
    return next(row["value"] for row in found.rates if row["name"] == name)


def within(found, name, truth, errors=3.5):
    """Is the estimate within so many standard errors of the truth?"""
    row = next(row for row in found.rates if row["name"] == name)
    assert row["low"] <= row["value"] <= row["high"] and row["n"] > 0
    return abs(row["value"] - truth) <= errors * max(row["high"] - row["low"], 1e-9) / 3.92


# Own reads, whose truth is known


def test_illumina_rates(illumina, made):
    truth = made("short", "illumina", None)[1]
    for name in ERRORS:
        assert within(illumina, name, truth[name]), name
    assert value(illumina, "substitution") == pytest.approx(truth["substitution"], rel=0.02)
    assert within(illumina, "calibration_slope", 0.9) and illumina.masked["sites"] > 1000
    assert illumina.reads == {"used": 40_000} and illumina.kept == ("adapters",)


def test_illumina_curves(illumina, home):
    asked, found = load_profile(home / "illumina.yml", "illumina"), illumina.profile
    for one, other in zip(cycle_curve(asked, 150), cycle_curve(found, 150), strict=True):
        for mate in range(2):
            assert np.corrcoef(one[mate], other[mate])[0, 1] >= 0.99
    assert abs(cycle_curve(asked, 150)[0] - cycle_curve(found, 150)[0]).max() < 0.3
    assert found.quality.highest == 39
    for mate in ("mate_1", "mate_2"):
        one, other = getattr(asked.quality, mate), getattr(found.quality, mate)
        assert len(other.by_cycle) <= 8
        assert other.read_sd == pytest.approx(one.read_sd, rel=0.03)
        assert other.cycle_sd == pytest.approx(one.cycle_sd, rel=0.03)
        assert other.correlation == pytest.approx(one.correlation, abs=0.02)
    for base, row in asked.substitution.items():
        assert found.substitution[base] == pytest.approx(row, abs=0.03)


def test_illumina_calibration(illumina):
    there = [row for row in illumina.by_quality if row["wrong"] > 100]
    assert len(there) > 25
    for row in there:
        assert row["low"] <= row["empirical"] <= row["high"]
        assert row["empirical"] == pytest.approx(0.9 * row["stated"] - 2, abs=1)
    assert sum(r["low"] <= 0.9 * r["stated"] - 2 <= r["high"] for r in there) > 0.8 * len(there)
    assert {row["mate"] for row in illumina.by_cycle} == {1, 2} and illumina.by_cycle[-1]["cycle"] == 150


def test_without_masking_variants_are_taken_for_errors(illumina, home, made):
    out, truth = made("short", "illumina", None)
    blind = fit(out / "truth.bam", home / "ref.fa.gz", platform="illumina", about="blind", resamples=20)
    assert value(blind, "substitution") > 1.5 * truth["substitution"] and blind.masked["sites"] == 0
    assert value(blind, "insertion") > 2 * truth["insertion"]
    assert value(blind, "calibration_slope") < value(illumina, "calibration_slope") - 0.1


def test_simulating_from_what_was_fitted_gives_the_rates_back(illumina, ont, home, made):
    for found, platform, reads in ((illumina, "illumina", {"pairs": 20_000}), (ont, "ont", {"reads": 2500})):
        write(found, home / f"fitted_{platform}.yml")
        assert load_profile(home / f"fitted_{platform}.yml", platform) == found.profile
        _, again = made(f"again_{platform}", platform, home / f"fitted_{platform}.yml", variation=0, **reads)
        assert again["substitution"] == pytest.approx(value(found, "substitution"), rel=0.02)
        if platform == "ont":
            assert again["insertion"] == pytest.approx(value(found, "insertion"), rel=0.02)
            assert again["deletion"] == pytest.approx(value(found, "deletion"), rel=0.02)
    model = cycle_curve(illumina.profile, 150)[1].mean()
    assert model == pytest.approx(value(illumina, "substitution"), rel=0.005)


def test_long_rates(ont, made):
    truth = made("long", "ont", None)[1]
    for name in ERRORS:
        assert value(ont, name) == pytest.approx(truth[name], rel=0.02), name
        assert within(ont, name, truth[name])
    assert value(ont, "insertion_length") == pytest.approx(1.2, rel=0.02)
    assert value(ont, "deletion_length") == pytest.approx(1.6, rel=0.02)
    assert ont.kept == ()


def test_homopolymers(ont):
    assert within(ont, "homopolymer_insertion", 0.5) and within(ont, "homopolymer_deletion", 0.9)
    assert value(ont, "homopolymer_deletion") == pytest.approx(0.9, rel=0.08)
    rows = {row["run"]: row for row in ont.by_homopolymer}
    asked = [1 + 0.9 * max(run - 2, 0) for run in range(1, 9)]
    assert np.corrcoef(asked, [rows[run]["deletion"] for run in range(1, 9)])[0, 1] >= 0.99
    assert rows[6]["n"] > 1000


def test_long_reads_otherwise(ont):
    found = ont.profile
    assert found.identity.sd == pytest.approx(0.012, rel=0.08)
    assert found.quality.sd == pytest.approx(3.0, rel=0.03) and found.quality.correlation == pytest.approx(
        0.8, abs=0.02
    )
    assert found.calibration.slope == pytest.approx(0.8, abs=0.02)
    assert found.calibration.offset + 20 * found.calibration.slope == pytest.approx(3 + 20 * 0.8, abs=0.15)
    assert found.length.mean == pytest.approx(3000, rel=0.02) and found.length.sd == pytest.approx(1500, rel=0.03)
    assert found.context["CCA"] == pytest.approx(2, rel=0.12) and found.context["TGC"] == pytest.approx(0.3, rel=0.25)
    others = [f for word, f in found.context.items() if word not in ("CCA", "TGC")]
    assert max(abs(np.log(others))) < 0.25
    rows = {row["name"]: row for row in ont.identity}
    assert rows["sd"]["low"] <= rows["sd"]["value"] <= rows["sd"]["high"] and rows["mean"]["value"] > 0.96
    assert ont.by_cycle == []


def test_hifi_keeps_its_passes(home, made):
    out, truth = made("hifi", "hifi", "default", reads=250, length_mean=6000.0, length_sd=1000.0)
    found = fit(out / "truth.bam", home / "ref.fa.gz", platform="hifi", known=out / "variants.vcf.gz", about="own")
    assert found.profile.passes == load_profile("default", "hifi").passes and "passes" in found.kept
    for name in ERRORS:
        assert within(found, name, truth[name]) and value(found, name) == pytest.approx(truth[name], rel=0.1)


def test_order_and_format_make_no_difference(illumina, home, made, tmp_path):
    out, _ = made("short", "illumina", None)
    with pysam.AlignmentFile(str(out / "truth.bam")) as file:
        header, reads = file.header, [read for k, read in enumerate(file) if k % 20 == 0]
    fasta = home / "ref.fa.gz"
    found = []
    for name, mode in (("a.bam", "wb"), ("b.sam", "wh"), ("c.cram", "wc")):
        if name == "b.sam":
            random.Random(1).shuffle(reads)
        with pysam.AlignmentFile(str(tmp_path / name), mode, header=header, reference_filename=str(fasta)) as file:
            for read in reads:
                file.write(read)
        found.append(fit(tmp_path / name, fasta, platform="illumina", about="own", resamples=5))
    assert found[0] == found[1] == found[2]
    assert found[0].profile != illumina.profile


def test_single_reads_are_both_mates(home, made, tmp_path):
    out, _ = made("short", "illumina", None)
    path = tmp_path / "single.bam"
    with pysam.AlignmentFile(str(out / "truth.bam")) as file, pysam.AlignmentFile(str(path), "wb", template=file) as to:
        for k, read in enumerate(file):
            if read.is_read2 and k % 10 == 0:
                read.flag &= 0x10
                to.write(read)
    found = fit(path, home / "ref.fa.gz", platform="illumina", known=out / "variants.vcf.gz", about="own")
    assert found.profile.quality.mate_1 == found.profile.quality.mate_2
    assert found.profile.quality.mate_1.read_sd == pytest.approx(5, rel=0.1)
    assert "substitution_mate_2" not in {row["name"] for row in found.rates}
    assert cycle_curve(found.profile, 150)[1].mean() == pytest.approx(value(found, "substitution"), rel=0.005)


# A real sample: 12 kb of one person's chromosome 22


@pytest.mark.mirror
def test_na12878(mirror, tmp_path):
    files = [
        mirror / "sequences" / "reads" / f"NA12878.chr22.tiny.{e}" for e in ("bam", "reference.fa.gz", "giab.vcf.gz")
    ]
    masked = fit(*files[:2], platform="illumina", known=files[2], about="NA12878")
    plain = fit(*files[:2], platform="illumina", about="NA12878")
    assert masked.masked == {"sites": 14, "reference_bases": 14, "read_bases": 512} and masked.reads["used"] == 3308
    assert masked.reads["unmapped"] == 7 and masked.reads["secondary"] == 6
    for found in (masked, plain):
        for row in found.rates:
            assert row["low"] <= row["value"] <= row["high"], row
    assert 0.004 < value(masked, "substitution") < 0.0075 < value(plain, "substitution") < 0.009
    assert value(masked, "substitution_mate_1") < value(masked, "substitution_mate_2")
    assert value(masked, "deletion") < 0.001 and value(masked, "insertion") < 0.0002
    best, blind = (next(r for r in f.by_quality if r["stated"] == 40) for f in (masked, plain))
    assert best["empirical"] > blind["empirical"] + 3  # where the machine is surest, variants weigh most
    write(masked, tmp_path / "na12878.yml")
    profile = load_profile(tmp_path / "na12878.yml", "illumina")
    assert cycle_curve(profile, 151)[1].mean() == pytest.approx(value(masked, "substitution"), rel=0.01)
    seen = np.array([row["quality"] for row in masked.by_cycle]).reshape(2, 151)
    assert min(np.corrcoef(seen[m], cycle_curve(profile, 151)[0][m])[0, 1] for m in range(2)) > 0.95
