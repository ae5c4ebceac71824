"""`avatar reads simulate`: streams that don't touch, truth that is exact, runs that go on, input that is refused."""

import gzip
import json
import shutil

import numpy as np
import pysam
import pysam.bcftools
import pytest
import yaml

from avatarlib import cli
from avatarlib.errors import AvatarError, InputError
from avatarlib.genomes import bgzf
from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import phantom_genome, phantom_microbes
from avatarlib.reads import config, parts
from avatarlib.reads.simulate import simulate
from avatarlib.reads.verify import verify

VARIATION = {"snp_rate": 0.01, "indel_rate": 0.001, "sv_rate": 0.0001, "donors": 2}
READS = {
    "illumina": {"platform": "illumina", "pairs": 3000, "fragment_mean": 220, "fragment_sd": 60},
    "ont": {"platform": "ont", "reads": 150, "length_mean": 1500, "length_sd": 1000},
    "hifi": {"platform": "hifi", "reads": 60, "length_mean": 3000, "length_sd": 1000},
}
ODD = {"duplicates": 0.1, "chimeras": 0.05, "junk": 0.02}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a reference of four contigs, an N run and a IUPAC code in it, and a microbe whose contig has the
    same name as one of them."""
    folder = tmp_path_factory.mktemp("simulate")
    reference = phantom_genome(size=500_000).reference
    sequences = [reference.sequence(contig)[:40_000].copy() for contig in range(len(reference))]
    sequences[0][5_000:5_300] = ord("N")
    sequences[1][7_000] = ord("R")
    write_fasta(folder / "ref.fa.gz", reference.names, sequences)
    write_fasta(folder / "virus.fa.gz", ["chr1"], [phantom_microbes()["phantom_virus_small"].sequence(0)])
    return folder


@pytest.fixture(scope="module")
def make(home):
    """Simulate with these blocks of the configuration; equal settings are simulated once."""
    made = {}

    def run(platform="illumina", name=None, **blocks):
        blocks["reads"] = READS[platform] | ODD | blocks.get("reads", {})
        blocks["variation"] = VARIATION | blocks.get("variation", {})
        settings = {"reference": str(home / "ref.fa.gz")} | blocks
        key = name or json.dumps(settings, sort_keys=True)
        if key not in made:
            out = home / f"out{len(made)}"
            (home / f"{out.name}.yml").write_text(yaml.safe_dump(settings))
            simulate(config.load(home / f"{out.name}.yml"), out)
            made[key] = out
        return made[key]

    return run


def digests(folder):
    return json.loads((folder / "run.json").read_text())["outputs"]


def rows(path):
    with gzip.open(path, "rt") as file:
        header, *lines = (line.rstrip("\n").split("\t") for line in file)
    return [dict(zip(header, line, strict=True)) for line in lines]


def fastq(path):
    with gzip.open(path, "rt") as file:
        lines = file.read().splitlines()
    return lines[1::4], lines[3::4]


BIOLOGY = ("variants.vcf.gz", "haplotypes.fa.gz", "donors.csv")


@pytest.mark.parametrize("platform", READS)
@pytest.mark.parametrize(
    "errors",
    [{"seed": 9}, {"scale": 4}, {"substitution": 0.02}, {"insertion": 0.01}, {"deletion": 0.02}, {"quality_offset": 3}],
    ids=lambda errors: next(iter(errors)),
)
def test_errors_change_no_variant_haplotype_or_fragment(make, platform, errors):
    base, other = make(platform), make(platform, errors=errors)
    same = [*BIOLOGY, "fragments.tsv.gz", *(f for f in digests(base) if f.startswith("genealogies/"))]
    assert len(same) >= 7 and all(digests(base)[f] == digests(other)[f] for f in same)
    reads = "reads_1.fastq.gz" if platform == "illumina" else "reads.fastq.gz"
    assert digests(base)[reads] != digests(other)[reads]


def test_mutations_change_no_fragment_and_no_error_draw(make):
    no_shift = {"indel_rate": 0, "sv_rate": 0}  # then a cycle reads the same haplotype base, mutated or not
    one, other = (make(variation=no_shift | {"mutation_seed": seed}) for seed in (2, 3))
    assert digests(one)["fragments.tsv.gz"] == digests(other)["fragments.tsv.gz"]
    assert digests(one)["variants.vcf.gz"] != digests(other)["variants.vcf.gz"]
    drawn = [
        {
            (r["read"], r["mate"], r["read_position"])
            for r in rows(f / "events.tsv.gz")
            if r["class"].startswith("error")
        }
        for f in (one, other)
    ]
    assert len(drawn[0]) > 500 and drawn[0] == drawn[1]
    assert fastq(one / "reads_1.fastq.gz")[1] == fastq(other / "reads_1.fastq.gz")[1]


def test_molecules_change_no_variant(make):
    assert all(digests(make())[f] == digests(make(reads={"seed": 8}))[f] for f in BIOLOGY)


@pytest.mark.parametrize("platform", READS)
def test_any_number_of_workers_gives_the_same_bytes(make, monkeypatch, platform):
    monkeypatch.setattr(parts, "BATCH_BASES", 15_000)  # many parts; the plan carries their size to the workers
    monkeypatch.setattr(parts, "PART_BATCHES", 2)
    one, two, four = (make(platform, f"{platform} {n}", workers=n, truth={"error_free": True}) for n in (1, 2, 4))
    assert (json.loads((one / "run.json").read_text())) == json.loads((four / "run.json").read_text())
    assert digests(one) == digests(two) == digests(four)


@pytest.mark.parametrize("platform", READS)
def test_every_read_is_rebuilt_and_the_usual_tools_agree(home, make, platform):
    mixture = [{"name": "virus", "reference": str(home / "virus.fa.gz"), "share": 0.2}]
    folder = make(platform, mixture=mixture, errors={"scale": 3}, truth={"error_free": True})
    report = verify(folder)
    assert report.first is None and report.unlabelled == report.without_difference == 0
    assert min(report.events.get(c, 0) for c in ("variant", "error", "error_on_variant", "junk")) > 0
    union = home / f"union_{platform}.fa"
    with gzip.open(home / "ref.fa.gz", "rt") as one, gzip.open(home / "virus.fa.gz", "rt") as two:
        union.write_text(
            one.read().replace(">chr1\n", ">human:chr1\n") + two.read().replace(">chr1\n", ">virus:chr1\n")
        )
    pysam.quickcheck(str(folder / "truth.bam"))
    pysam.calmd("-b", str(folder / "truth.bam"), str(union), save_stdout=str(home / "calmd.bam"))
    compared = 0
    with pysam.AlignmentFile(folder / "truth.bam") as ours, pysam.AlignmentFile(home / "calmd.bam") as theirs:
        for a, b in zip(ours, theirs, strict=True):
            if not a.is_unmapped:
                assert (a.get_tag("NM"), a.get_tag("MD")) == (b.get_tag("NM"), b.get_tag("MD")), a.query_name
                compared += 1
    assert compared > 50


def test_bcftools_finds_reference_and_haplotypes_as_they_are(home, make):
    folder = make()
    vcf, reference = str(folder / "variants.vcf.gz"), home / "plain.fa"
    with gzip.open(home / "ref.fa.gz", "rb") as file:
        reference.write_bytes(file.read())
    pysam.faidx(str(reference))
    pysam.bcftools.norm("-c", "e", "-f", str(reference), "-o", str(home / "normed.vcf"), vcf, catch_stdout=False)
    with pysam.FastaFile(str(folder / "haplotypes.fa.gz")) as haplotypes:
        for name in haplotypes.references:
            contig, donor, number = name.split("|")
            out = home / "consensus.fa"
            pysam.bcftools.consensus(
                "-f", str(reference), "-s", donor, "-H", number, "-o", str(out), vcf, catch_stdout=False
            )
            with pysam.FastaFile(str(out)) as consensus:
                if (contig, number) != ("chrM", "2"):
                    assert consensus.fetch(contig) == haplotypes.fetch(name), name
            (home / "consensus.fa.fai").unlink()


def test_no_errors_no_variants_no_differences(make):
    plain = {"duplicates": 0, "chimeras": 0, "junk": 0}
    still = {"snp_rate": 0, "indel_rate": 0, "sv_rate": 0}
    truth = {"error_free": True}
    for platform in READS:
        errorless = make(platform, reads=plain, errors={"scale": 0}, truth=truth)
        names = ["reads_1", "reads_2"] if platform == "illumina" else ["reads"]
        for name in names:
            twin = name.replace("reads", "error_free")
            assert fastq(errorless / f"{name}.fastq.gz")[0] == fastq(errorless / f"{twin}.fastq.gz")[0]
        assert {row["class"] for row in rows(errorless / "events.tsv.gz")} <= {"variant", "adapter"}
        neither = make(platform, reads=plain, errors={"scale": 0}, variation=still)
        assert {row["class"] for row in rows(neither / "events.tsv.gz")} <= {"adapter"}
        with pysam.AlignmentFile(neither / "truth.bam") as bam:
            assert {read.get_tag("NM") for read in bam} == {0}
    with pysam.FastaFile(str(neither / "haplotypes.fa.gz")) as haplotypes:
        with pysam.FastaFile(str(neither.parent / "ref.fa.gz")) as reference:
            for name in haplotypes.references:
                assert haplotypes.fetch(name) == reference.fetch(name.split("|")[0])


@pytest.mark.parametrize(
    ("platform", "asked"),
    [
        ("illumina", {"substitution": 0.004, "insertion": 0.001, "deletion": 0.002}),
        ("ont", {"substitution": 0.02, "insertion": 0.01, "deletion": 0.03}),
        # Without its slopes, since in so small a reference few long runs of a base would decide.
        ("hifi", {"substitution": 0.001, "insertion": 0.004, "deletion": 0.002, "homopolymer": 0}),
    ],
)
def test_requested_rates_are_met(home, make, platform, asked):
    many = {"pairs": 10_000} if platform == "illumina" else {"reads": 1000, "length_mean": 3000, "length_sd": 1500}
    plain = {"duplicates": 0, "chimeras": 0, "junk": 0} | ({"fragment_mean": 500} if platform == "illumina" else {})
    counts = json.loads((make(platform, reads=many | plain, errors=asked) / "run.json").read_text())["counts"]
    bases = counts["bases"] if platform == "illumina" else counts["template"]
    for name, rate in list(asked.items())[:3]:
        n = counts["errors"][name]
        # Indels come in runs and by read, so their counts spread more than Poisson's.
        assert abs(n / bases - rate) < 0.005 * rate + 4.5 * np.sqrt(n) / bases, name


def test_stated_qualities_are_true(make):
    folder = make(reads={"pairs": 10_000, "fragment_mean": 500, "duplicates": 0, "chimeras": 0, "junk": 0})
    wrong = np.zeros(94)
    for row in rows(folder / "events.tsv.gz"):
        if row["class"].startswith("error") and row["read_base"] != "-":
            wrong[int(row["quality"])] += 1
    stated = np.zeros(94)
    for mate in (1, 2):
        for text in fastq(folder / f"reads_{mate}.fastq.gz")[1]:
            stated += np.bincount(np.frombuffer(text.encode(), np.uint8) - 33, minlength=94)
    seen = wrong >= 100
    assert seen.sum() > 8
    empirical = -10 * np.log10(wrong[seen] / stated[seen])
    assert np.abs(empirical - np.flatnonzero(seen)).max() < 1


def test_a_stopped_run_goes_on_to_the_same_bytes(home, make, monkeypatch):
    monkeypatch.setattr(parts, "BATCH_BASES", 15_000)
    monkeypatch.setattr(parts, "PART_BATCHES", 2)
    whole = make("ont", "ont 1", workers=1, truth={"error_free": True})
    settings, real, calls = config.load(home / f"{whole.name}.yml"), parts.make_part, []

    def dies(worker, part, folder):
        calls.append(part)
        if len(calls) == 3:
            (folder / "000002.events.tsv.gz").write_bytes(b"half")
            raise KeyboardInterrupt
        return real(worker, part, folder)

    monkeypatch.setattr(parts, "make_part", dies)
    with pytest.raises(KeyboardInterrupt):
        simulate(settings, home / "stopped")
    assert not (home / "stopped").exists()
    simulate(settings, home / "stopped")
    assert calls.count(0) == calls.count(1) == 1 and calls.count(2) == 2
    assert digests(home / "stopped") == digests(whole) and not (home / ".stopped.partial").exists()
    calls.clear()
    simulate(settings, home / "stopped")
    assert not calls  # it is there


@pytest.mark.parametrize("written", [0, 3])  # in variation, in the reads
def test_a_full_disk_loses_nothing_and_says_so(home, make, monkeypatch, written):
    settings, compress, calls = config.load(home / f"{make().name}.yml"), bgzf.compress, []

    def full(data, *level):
        calls.append(len(data))
        if len(calls) > written:
            raise OSError(28, "No space left on device")
        return compress(data, *level)

    monkeypatch.setattr(bgzf, "compress", full)
    with pytest.raises(AvatarError, match="No space left on device.*same command"):
        simulate(settings, home / f"full{written}")
    monkeypatch.undo()
    simulate(settings, home / f"full{written}")
    assert digests(home / f"full{written}") == digests(make())


def test_what_is_there_is_never_replaced(home, make, tmp_path):
    settings = config.load(home / f"{make().name}.yml")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/precious.txt").write_text("x")
    for place, message in (
        (tmp_path / "taken", "holds something else"),
        (tmp_path / "taken/precious.txt", "is no folder"),
        (tmp_path / "no/where", "there is no folder"),
        (make(errors={"seed": 9}), "other settings"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(settings, place)
    assert (tmp_path / "taken/precious.txt").read_text() == "x"
    broken = tmp_path / "broken"
    shutil.copytree(make(), broken)
    (broken / "events.tsv.gz").unlink()
    with pytest.raises(InputError, match="files are missing"):
        simulate(settings, broken)


@pytest.mark.parametrize(
    ("fasta", "message"),
    [
        (b">a\nACGTACGTAA\n", "longest contig has 10 bases, a read needs 150"),
        (b">a\n" + b"N" * 5000 + b"\n", "no place"),
        (b">a\n" + b"ACGTN" * 1000 + b"\n", "no place"),
        (b"", "ref.fa"),
    ],
)
def test_references_without_room_for_a_read_are_refused(tmp_path, capsys, fasta, message):
    (tmp_path / "ref.fa").write_bytes(fasta)
    (tmp_path / "c.yml").write_text("reference: ref.fa\nreads: {pairs: 10}\nvariation: {snp_rate: 0}\n")
    assert cli.main(["reads", "simulate", "--config", str(tmp_path / "c.yml"), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_checksums_can_be_left_out(home, tmp_path):
    chosen = {"output": {"checksums": False}, "reads": {"pairs": 50}}
    (tmp_path / "c.yml").write_text(json.dumps({"reference": str(home / "ref.fa.gz")} | chosen))
    record = simulate(config.load(tmp_path / "c.yml"), tmp_path / "out")
    assert len(record["outputs"]) > 8 and set(record["outputs"].values()) == {None}
    assert simulate(config.load(tmp_path / "c.yml"), tmp_path / "out") == record  # found again, not made again
    report = verify(tmp_path / "out")
    assert report.agrees and "checksums (output.checksums: false)" in report.not_checked


def test_the_command_prints_a_configuration_simulates_and_verifies(home, tmp_path, capsys):
    assert cli.main(["reads", "config"]) == 0
    text = capsys.readouterr().out.replace("ref.fa.gz  ", str(home / "ref.fa.gz"))
    (tmp_path / "c.yml").write_text(text)
    call = ["reads", "simulate", "--config", str(tmp_path / "c.yml"), "--out", str(tmp_path / "out"), "--set"]
    assert cli.main([*call, "reads.pairs=200"]) == 0
    assert "400 reads, 60,000 bases" in capsys.readouterr().out
    assert cli.main(["reads", "verify", str(tmp_path / "out")]) == 0
    assert "400 reads" in capsys.readouterr().out
    with gzip.open(tmp_path / "out/events.tsv.gz", "rb") as file:
        lines = file.read().split(b"\n")
    cut = next(k for k, line in enumerate(lines) if b"\terror\t" in line)
    (tmp_path / "out/events.tsv.gz").write_bytes(gzip.compress(b"\n".join(lines[:cut] + lines[cut + 1 :])))
    assert cli.main(["reads", "verify", str(tmp_path / "out")]) == 1
    assert "disagree" in capsys.readouterr().out
