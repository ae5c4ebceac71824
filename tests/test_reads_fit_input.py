"""Fitting a profile: counts by hand, masks, what estimates correct for, and files that can't be used."""

import numpy as np
import pysam
import pytest

from avatarlib import cli
from avatarlib.errors import InputError
from avatarlib.genomes.fasta import join
from avatarlib.reads.fit import alignments, counts, fit, write
from avatarlib.reads.fit.known import read_known
from avatarlib.reads.fit.long import contexts, identities, run_slopes
from avatarlib.reads.fit.qualities import moments, split, uncut
from avatarlib.reads.profile import load_profile

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


def test_cut_off(tmp_path, capfd):
    ref, whole, cut = fasta(tmp_path), tmp_path / "whole.bam", tmp_path / "cut.bam"
    pysam.view("-b", "-o", str(whole), str(many(tmp_path / "a.sam", 60_000)), catch_stdout=False)
    data = whole.read_bytes()
    for size in (len(data) - 28, len(data) // 2):
        cut.write_bytes(data[:size])
        assert "cut.bam: the file is cut off" in refused(cut, ref)
    cut.write_bytes(data[: len(data) // 2] + data[-28:])
    assert "cut off or damaged after" in refused(cut, ref)
    text = many(tmp_path / "a.sam").read_text()
    (tmp_path / "a.sam").write_text(text[:-20])
    assert "cut off or damaged after 149 records" in refused(tmp_path / "a.sam", ref)
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
    start = load_profile("default", "illumina")
    start = start.model_copy(update={"adapters": type(start.adapters)(mate_1="ACGT", mate_2="")})
    found = fit(reads, ref, platform="illumina", about="x", start_from=start).profile
    assert found.adapters == start.adapters and found.about == "x"


def test_the_command_fits_and_replaces_nothing(tmp_path, capsys):
    (tmp_path / "ref.fa").write_bytes(b">c\n" + BASES + b"\n")
    reads = [("0", "1", f"{len(BASES)}M", BASES.decode())] * 150
    path = sam(tmp_path / "own.sam", [(*read, "I" * len(BASES)) for read in reads])
    call = ["reads", "fit", str(path), "--reference", str(tmp_path / "ref.fa"), "--out", str(tmp_path / "own.yml")]
    assert cli.main([*call, "--platform", "sanger"]) == 2 and not (tmp_path / "own.yml").exists()
    assert cli.main([*call, "--platform", "illumina"]) == 0
    assert "150 reads used; 0 bases at 0 sites masked" in capsys.readouterr().out
    assert load_profile(tmp_path / "own.yml", "illumina").about == "Fitted to own.sam"
    assert cli.main([*call, "--platform", "illumina"]) == 2 and "own.yml exists" in capsys.readouterr().err
