"""Fitting a profile: counts by hand, own reads whose truth is known, a real sample, and files that can't be used."""

import random

import numpy as np
import pysam
import pytest
import yaml

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import join, read_fasta, write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.reads import config
from avatarlib.reads.curves import cycle_curve
from avatarlib.reads.fit import alignments, counts, fit, write
from avatarlib.reads.fit.known import read_known
from avatarlib.reads.fit.long import contexts, identities, run_slopes
from avatarlib.reads.fit.qualities import moments, split, uncut
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


# Counts by hand

BASES = b"ACGTACGTAAAATCCGATTGCATGCAAGTCTTGACGTACC"
HEAD = f"@SQ\tSN:c\tLN:{len(BASES)}\n"
SNP = "##fileformat=VCFv4.3\nc\t7\t.\tG\tT\t.\t.\t.\n"
READS = [  # an error at base 4, the known allele at base 6; an error at 25, on the reverse strand; an error at 29
    ("0", "3", "2S12M", "TTGTGCTTAAAATC", "????+?????????"),
    ("16", "13", "6M2I6M1D5M", "TCCGATGGTGCATGCAGTC", "555555&&555555+5555"),
    ("0", "27", "3H3=1X2N4=", "AGTAGACG", "IIIIIIII"),
]


def sam(path, reads, head=HEAD):
    rows = [f"r{k}\t{r[0]}\tc\t{r[1]}\t60\t{r[2]}\t*\t0\t0\t{r[3]}\t{r[4]}\n" for k, r in enumerate(reads)]
    path.write_text(head + "".join(rows))
    return path


def counted(folder, monkeypatch, reads, vcf=None, long=True):
    monkeypatch.setattr(alignments, "FEWEST", 1)
    reference = join(["c"], [BASES])
    mask = np.zeros(len(BASES), bool)
    if vcf:
        (folder / "v.vcf").write_text(vcf)
        mask, _ = read_known(folder / "v.vcf", reference)
    path = sam(folder / "hand.sam", reads)
    return alignments.count_reads(path, reference, mask, long=long, longest=5, min_mapping_quality=20)


def test_counts_by_hand(tmp_path, monkeypatch):
    sample = counted(tmp_path, monkeypatch, READS, SNP)
    total = sample.tables.totals.sum((0, 1))
    columns = (counts.ALIGNED, counts.SUBSTITUTED, counts.DELETED, counts.INSERTED, counts.INSERTABLE, counts.MASKED)
    assert total[list(columns)].tolist() == [11 + 17 + 8, 3, 1, 2, 10 + 18 + 8, 1]
    assert total[[counts.DELETIONS, counts.WHOLLY_DELETED, counts.INSERTIONS, counts.PAIRS]].tolist() == [1, 1, 1, 0]
    wrong = sample.tables.matrix * (1 - np.eye(4, dtype=int))
    assert wrong.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]  # A>G, C>A, and T>G as read
    words = {"ACGT"[w // 16] + "ACGT"[w // 4 % 4] + "ACGT"[w % 4] for w in np.flatnonzero(sample.tables.words[:, 1])}
    assert words == {"TAC", "TTG", "TCT"} and sample.tables.words[:, 0].sum() == 9 + 17 + 8
    quality = {q: row for q, row in enumerate(sample.tables.quality.sum(0).tolist()) if row[0]}
    assert quality == {5: [2, 2], 10: [2, 2], 20: [16, 0], 30: [10, 0], 40: [8, 1]}
    runs = sample.tables.runs.sum(0)
    assert runs[:, counts.SITES].tolist() == [0, 23, 8, 0, 4, 0]
    assert runs[:, counts.RUN_DELETED].tolist() == [0, 1, 0, 0, 0, 0]
    assert runs[:, counts.RUN_INSERTED].tolist() == [0, 0, 2, 0, 0, 0]
    assert sample.halves.tolist() == [[11, 10, 0, 0], [20, 16, 0, 0], [8, 7, 0, 0]]
    assert sample.lengths.tolist() == [14, 18, 11] and sample.used == 3


def test_without_the_mask_the_variant_is_an_error(tmp_path, monkeypatch):
    total = counted(tmp_path, monkeypatch, READS).tables.totals.sum((0, 1))
    assert total[[counts.ALIGNED, counts.SUBSTITUTED, counts.MASKED]].tolist() == [37, 4, 0]


def test_cycles_run_as_the_read(tmp_path, monkeypatch):
    tables = counted(tmp_path, monkeypatch, READS, SNP, long=False).tables
    assert np.flatnonzero(tables.cycles[0, :, counts.WRONG]).tolist() == [4, 6]
    assert tables.cycles[0, [4, 6], counts.WRONG].tolist() == [2, 1]  # bases cut off before the third read count
    assert tables.cycles[0, [0, 3, 4], counts.STATED].tolist() == [2, 3, 3]
    assert tables.cycles[0, [0, 3, 4], counts.STATED_SUM].tolist() == [50, 90, 10 + 10 + 40]
    assert tables.quality.sum((0, 1)).tolist() == [36, 3]  # Illumina: the inserted bases are not among them


def test_an_inserted_base_belongs_to_its_run_wherever_the_aligner_puts_it(tmp_path, monkeypatch):
    whole = BASES.decode()[2:16]
    reads = [
        (flag, "3", f"{at}M1I{14 - at}M", whole[:at] + "A" + whole[at:], "I" * 15)
        for flag in "0 16".split()
        for at in (6, 8, 10)
    ]
    runs = counted(tmp_path, monkeypatch, reads).tables.runs.sum(0)
    assert runs[:, counts.RUN_INSERTED].tolist() == [0, 0, 0, 0, 6, 0]
    assert runs[4, counts.EDGES] == 6  # before the run is a T, read forwards as backwards
    other = [(flag, "3", "6M1I8M", whole[:6] + "C" + whole[6:], "I" * 15) for flag in "0 16".split()]
    runs = counted(tmp_path, monkeypatch, other).tables.runs.sum(0)
    assert runs[:, counts.RUN_INSERTED].tolist() == [0, 1, 0, 0, 1, 0]  # came after what was read before it


# Known variants

MASKS = {
    "4\t.\tA\tC": "0001000000000000",
    "4\t.\tAAT\tACC": "0001110000000000",
    "2\t.\tCA\tC": "0111110000000000",  # one A less: of any of the three, the base before and the one after
    "4\t.\tAA\tA": "0111110000000000",  # the same, not left-aligned
    "2\t.\tC\tCA": "0111110000000000",
    "6\t.\tT\tTGTGT": "0000111100000000",  # GTGT after T is TGTG before it
    "7\t.\tG\tGTG": "0000111100000000",
    "10\t.\tACA\tA": "0000000011111111",  # the repeat goes on
    "4\t.\tAAT\tCG": "0011111000000000",
    "3\t.\tA\tC,AT": "0011000000000000",
    "3\t.\tA\t<DEL>\t.\t.\tEND=7": "0011111100000000",
    "3\t.\tA\t<DUP>\t.\t.\tSVLEN=4": "0011111100000000",
    "3\t.\tA\t<INS>\t.\t.\tSVLEN=400": "0011000000000000",
    "3\t.\tA\tA[c:9[": "0011000000000000",
    "3\t.\ta\t.": "0" * 16,
    "3\t.\tA\t<NON_REF>\t.\t.\tEND=9": "0" * 16,
}


@pytest.mark.parametrize("record", MASKS)
def test_masks(tmp_path, record):
    (tmp_path / "v.vcf").write_text(f"##fileformat=VCFv4.3\nc\t{record}\n")
    mask, sites = read_known(tmp_path / "v.vcf", join(["c"], [b"GCAAATGCAACACACA"]))
    assert "".join(map(str, mask.astype(int).tolist())) == MASKS[record]
    assert sites == ("1" in MASKS[record])


# Estimates


def test_a_cut_off_process_is_recovered():
    rng = np.random.default_rng(1)
    level, sd, rho, share = np.linspace(41, 30, 40), 6.0, 0.6, 0.4
    drift = np.empty((60_000, 40))
    drift[:, 0] = rng.normal(size=len(drift))
    for k in range(1, 40):
        drift[:, k] = rho * drift[:, k - 1] + np.sqrt(1 - rho**2) * rng.normal(size=len(drift))
    mixed = np.sqrt(share) * rng.normal(size=(len(drift), 1)) + np.sqrt(1 - share) * drift
    seen = np.clip(np.round(level + sd * mixed), 10, 40)
    mean, ones, lags = seen.mean(0), np.ones(40), np.array([1, 2, 4, 8, 16])
    pairs = []
    for lag in lags.tolist():
        centred = seen - mean
        pairs.append(
            (np.arange(40 - lag), np.arange(lag, 40), ones[lag:], (centred[:, :-lag] * centred[:, lag:]).mean())
        )
    found = uncut(mean, ones, seen.var(0).mean(), pairs, 10, 40)
    assert abs(found.level - level).max() < 0.15 and found.sd == pytest.approx(sd, rel=0.01)
    assert split(found.correlation, lags) == pytest.approx((share, rho), abs=0.015)
    assert seen.var(0).mean() < 0.7 * sd**2  # plain moments would be far off
    assert moments(level, sd, 10, 40)[0] == pytest.approx(mean, abs=0.1)


def test_slopes_account_for_insertions_that_only_look_like_those_of_a_run():
    length = np.arange(9)
    runs = np.zeros((9, 5))
    runs[1:, counts.SITES] = runs[1:, counts.GAPS] = 1e8 / 2.0 ** length[1:]
    runs[3:, counts.EDGES] = runs[3:, counts.SITES] / length[3:]
    factor = 1 + 0.4 * np.maximum(length - 2, 0)
    runs[:, counts.RUN_DELETED] = 0.01 * runs[:, counts.SITES] * factor
    runs[:, counts.RUN_INSERTED] = 0.01 * runs[:, counts.GAPS] * factor
    lost = 0.01 * 0.25 * runs[:, counts.EDGES]
    runs[1, counts.RUN_INSERTED] -= lost.sum()
    runs[3:, counts.RUN_INSERTED] += lost[3:]
    assert run_slopes(runs, 3, 1.0) == pytest.approx((0.4, 0.4), rel=1e-3)
    runs[3:, counts.EDGES] = 0
    assert run_slopes(runs, 3, 1.0)[0] > 0.42


def test_context_of_chance_alone_is_drawn_to_one():
    rng = np.random.default_rng(3)
    n = np.full(64, 10_000)
    chance = np.stack([n, rng.poisson(20, 64)], 1)
    assert max((abs(f - 1) for f in contexts(chance).values()), default=0) < 0.2 < np.abs(chance[:, 1] / 20 - 1).max()
    chance[7, 1] = 200
    assert contexts(chance)["ACT"] > 5


def test_spread_of_identity_is_not_that_of_chance():
    rng = np.random.default_rng(2)
    columns = np.full((3000, 2), 600)

    def spread(identity):
        matches = rng.binomial(columns, identity[:, None])
        halves = np.stack([columns[:, 0], matches[:, 0], columns[:, 1], matches[:, 1]], 1)
        return identities(halves, 50, rng)[0][1]["value"]

    assert spread(np.full(3000, 0.95)) < 0.002  # within a read, chance alone spreads by 0.006
    assert spread(rng.normal(0.95, 0.01, 3000)) == pytest.approx(0.01, rel=0.06)


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


# What can't be used


def many(path, n=150, head=HEAD, flag="0", quality=None, contig="c", mapping=60):
    row = f"\t{flag}\t{contig}\t3\t{mapping}\t12M\t*\t0\t0\t{BASES.decode()[2:14]}\t{quality or 'I' * 12}\n"
    path.write_text(head + "".join(f"r{k}{row}" for k in range(n)))
    return path


def fasta(folder, names=("c",), bases=BASES):
    path = folder / "ref.fa"
    path.write_text("".join(f">{name}\n{bases.decode()}\n" for name in names))
    return path


def refused(*arguments, **more):
    with pytest.raises(InputError) as error:
        fit(*arguments, **({"platform": "illumina", "about": "x"} | more))
    assert "\n" not in str(error.value) and error.value.exit_code == 2
    return str(error.value)


def test_few_but_enough_reads_without_an_error_give_a_profile(tmp_path):
    for platform in ("illumina", "ont", "hifi"):
        found = fit(many(tmp_path / "a.sam"), fasta(tmp_path), platform=platform, about="x", resamples=10)
        row = found.rates[0]
        assert row["value"] == 0 and 0 < row["high"] < 0.01 and row["n"] == 1800
        write(found, tmp_path / "p.yml")
        assert load_profile(tmp_path / "p.yml", platform) == found.profile


def test_no_alignments(tmp_path):
    ref = fasta(tmp_path)
    assert "no such file" in refused(tmp_path / "none.bam", ref)
    assert "is no regular file" in refused(tmp_path, ref)
    (tmp_path / "a.bam").write_text("hello\n")
    assert "a.bam: no alignments" in refused(tmp_path / "a.bam", ref)
    assert "ref.fa: its header names no contigs" in refused(ref, ref)
    (tmp_path / "empty.bam").write_bytes(b"")
    assert "empty.bam: no alignments" in refused(tmp_path / "empty.bam", ref)
    assert "names no contigs" in refused(many(tmp_path / "b.sam", head="@HD\tVN:1.6\n", flag="4", contig="*"), ref)


def test_cut_off(tmp_path, home, made, capfd):
    out, _ = made("short", "illumina", None)
    data = (out / "truth.bam").read_bytes()
    for size in (len(data) - 28, len(data) // 2):
        (tmp_path / "cut.bam").write_bytes(data[:size])
        assert "cut.bam: the file is cut off" in refused(tmp_path / "cut.bam", home / "ref.fa.gz")
    (tmp_path / "cut.bam").write_bytes(data[: len(data) // 2] + data[-28:])
    assert "cut off or damaged after" in refused(tmp_path / "cut.bam", home / "ref.fa.gz")
    text = many(tmp_path / "a.sam").read_text()
    (tmp_path / "a.sam").write_text(text[:-20])
    assert "cut off or damaged after 149 records" in refused(tmp_path / "a.sam", fasta(tmp_path))
    assert capfd.readouterr() == ("", "")


def test_another_reference(tmp_path):
    reads = many(tmp_path / "a.sam")
    said = refused(reads, fasta(tmp_path, ["chr1"]))
    assert "a.sam" in said and "'c'" in said and "'chr1'" in said
    assert "contig c has 40 bases there and 39 in the reference" in refused(reads, fasta(tmp_path, bases=BASES[:39]))
    two = many(tmp_path / "b.sam", head=HEAD + "@SQ\tSN:d\tLN:50\n", contig="d")
    assert "no usable reads" in refused(two, fasta(tmp_path)) and "150 on contigs" in refused(two, fasta(tmp_path))
    out = many(tmp_path / "c.sam", head="@SQ\tSN:c\tLN:10\n")
    assert "beyond the end of c" in refused(out, fasta(tmp_path, bases=BASES[:10]))


def test_too_few_reads_says_why(tmp_path):
    ref = fasta(tmp_path)
    assert "99 usable reads, a fit needs 100 or more; none was skipped" in refused(many(tmp_path / "a.sam", 99), ref)
    for flag, why in (("4", "unmapped"), ("256", "secondary"), ("2048", "supplementary"), ("1024", "duplicate")):
        said = refused(many(tmp_path / "a.sam", flag=flag), ref)
        assert "no usable reads" in said and f"150 were skipped (150 {why})" in said
    assert "150 failed quality control" in refused(many(tmp_path / "a.sam", flag="512"), ref)
    assert "150 mapping quality below 20" in refused(many(tmp_path / "a.sam", mapping=19), ref)
    assert fit(many(tmp_path / "a.sam", mapping=19), ref, platform="illumina", about="x", min_mapping_quality=0)


def test_qualities_are_needed(tmp_path):
    assert "read 'r0' has no base qualities" in refused(many(tmp_path / "a.sam", quality="*"), fasta(tmp_path))


def test_known_variants_that_do_not_fit(tmp_path):
    reads, ref, vcf = many(tmp_path / "a.sam"), fasta(tmp_path), tmp_path / "v.vcf"
    vcf.write_text(SNP.replace("c\t7", "chr9\t7"))
    said = refused(reads, ref, known=vcf)
    assert "v.vcf" in said and "'chr9'" in said and "'c'" in said
    vcf.write_text(SNP.replace("G\tT", "C\tT"))
    assert "v.vcf, line 2: position 7: REF is C, the reference has G" in refused(reads, ref, known=vcf)
    vcf.write_text("hello\n")
    assert "v.vcf: no VCF" in refused(reads, ref, known=vcf)
    vcf.write_text("##fileformat=VCFv4.3\nc\t1\t.\n")
    assert "v.vcf, line 2: 3 columns" in refused(reads, ref, known=vcf)
    assert "v.gz" in refused(reads, ref, known=tmp_path / "v.gz")
    every = "".join(f"c\t{k + 1}\t.\t{chr(b)}\tN\t.\t.\t.\n" for k, b in enumerate(BASES))
    vcf.write_text("##fileformat=VCFv4.3\n" + every)
    assert "no base of 150 reads is compared" in refused(reads, ref, known=vcf)


def test_arguments(tmp_path):
    reads, ref = many(tmp_path / "a.sam"), fasta(tmp_path)
    assert "there is no platform 'pacbio'" in refused(reads, ref, platform="pacbio")
    assert "start_from is a profile of ont" in refused(reads, ref, start_from=load_profile("default", "ont"))
    assert "about" in refused(reads, ref, about="")
    assert "resamples is 1" in refused(reads, ref, resamples=1)
    assert read_fasta(ref).names == ("c",)
    adapters = load_profile("default", "illumina").model_copy(update={"about": "mine"})
    assert fit(reads, ref, platform="illumina", about="x", start_from=adapters).profile.adapters == adapters.adapters
