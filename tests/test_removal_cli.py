"""`avatar reads removal` and `compare`: what they write, and what they refuse."""

import gzip
import json
import os
import stat
import sys

import numpy as np
import pandas as pd
import pytest

from avatarlib import cli, removal
from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.reads.config import Config
from avatarlib.reads.simulate import simulate
from avatarlib.removal.apply import remove
from avatarlib.removal.sample import open_sample

ACGT = np.frombuffer(b"ACGT", np.uint8)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A human reference, a virus, and a user's paired FASTQ without truth, with names as machines give them."""
    folder = tmp_path_factory.mktemp("user; $(touch owned)")
    human = phantom_genome(size=500_000, seed=3).reference
    write_fasta(folder / "human.fa.gz", human.names, (human.sequence(contig)[:80_000] for contig in range(len(human))))
    rng = np.random.default_rng(1)
    virus = rng.choice(ACGT, 20_000)
    write_fasta(folder / "virus.fa.gz", ["virus"], [virus])
    for mate in (1, 2):
        with gzip.open(folder / f"patient_{mate}.fq.gz", "wb") as file:
            for number in range(200):
                source = human.sequence(0) if number % 4 == 0 else virus
                at = 90 * number
                read = source[at : at + 150].tobytes()
                file.write(b"@A00123:7:HX2:1:1101:%d:99 %d:N:0\n%b\n+\n%b\n" % (number, mate, read, b"F" * 150))
    return folder


def run(home, out, *more, remover="kmer", sample=("patient_1.fq.gz", "patient_2.fq.gz")):
    files = [str(home / name) for name in sample]
    place = ["--reference", str(home / "human.fa.gz"), "--out", str(out)]
    return cli.main(["reads", "removal", "--sample", *files, "--remover", remover, *place, *more])


def names(path):
    return [line[1:].split()[0] for line in gzip.open(path).read().split(b"\n")[0:-1:4]]


def test_a_users_sample_without_truth(home, tmp_path):
    out = tmp_path / "out"
    assert run(home, out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "calls.tsv.gz", "kept_1.fastq.gz", "kept_2.fastq.gz", "removed_1.fastq.gz", "removed_2.fastq.gz",
        "report.html", "report.json",
    ]  # fmt: skip
    calls = pd.read_csv(out / "calls.tsv.gz", sep="\t")
    assert list(calls) == ["read", "human", "score"] and calls.human.tolist() == [1, 0, 0, 0] * 50
    assert names(out / "kept_1.fastq.gz") == names(out / "kept_2.fastq.gz") == [b"r%d" % n for n in range(1, 151)]
    assert b"A00123" not in gzip.open(out / "kept_1.fastq.gz").read()
    assert names(out / "removed_2.fastq.gz")[1] == b"A00123:7:HX2:1:1101:4:99"
    report = json.loads((out / "report.json").read_text())
    assert report["truth"] is None and report["residual"] is None and report["counts"]["kept molecules"] == 150
    text = (out / "report.html").read_text()
    assert "A sample alone can't tell" in text and "patient" not in text and "A00123" not in text
    assert not [path for path in tmp_path.iterdir() if path != out]
    assert run(home, tmp_path / "named", "--keep-names") == 0
    assert names(tmp_path / "named" / "kept_1.fastq.gz")[0] == b"A00123:7:HX2:1:1101:1:99"


def test_bytes_do_not_depend_on_batches_or_threads(home, tmp_path):
    sample = open_sample([home / "patient_1.fq.gz", home / "patient_2.fq.gz"])
    for k, most in enumerate((1, 13, 10_000)):
        remove(sample, "minimap2-short", home / "human.fa.gz", tmp_path / f"{k}", batch_reads=most, threads=1 + k % 2)
    for path in (tmp_path / "0").iterdir():
        assert all((tmp_path / k / path.name).read_bytes() == path.read_bytes() for k in "12"), path.name


def test_only_human_no_human_and_fasta(home, tmp_path):
    for kind, nothing in (("human", "kept"), ("virus", "removed")):
        assert run(home, tmp_path / kind, sample=[f"{kind}.fa.gz"]) == 0
        counts = json.loads((tmp_path / kind / "report.json").read_text())["counts"]
        assert counts[f"{nothing} molecules"] == 0
        assert gzip.open(tmp_path / kind / f"{nothing}.fasta.gz").read() == b""


def test_wrong_input_leaves_nothing(home, tmp_path, capsys):
    cut = tmp_path / "cut.fq.gz"
    cut.write_bytes((home / "patient_1.fq.gz").read_bytes()[:-200])
    whole = str(home / "patient_1.fq.gz")
    cases = [
        ([str(cut)], "cut off"),
        ([whole, str(home / "human.fa.gz")], "give two files of a kind"),
        ([whole, whole], "same file twice"),
        ([str(tmp_path / "none.fq")], "no such file"),
    ]
    for files, said in cases:
        assert run(home, tmp_path / "out", sample=files) == 2
        err = capsys.readouterr().err.strip().splitlines()[-1]
        assert said in err and "Traceback" not in err
        assert not (tmp_path / "out").exists() and not [p for p in tmp_path.iterdir() if p.name.startswith(".")], said
    assert run(home, tmp_path / "out", remover="blast") == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert run(home, tmp_path / "full") == 2 and "choose another --out" in capsys.readouterr().err
    assert run(home, tmp_path / "a" / "b") == 2
    assert run(home, tmp_path / "out", "--threads", "0") == 2 and run(home, tmp_path / "out", "--time-limit", "0") == 2


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A bowtie2 of our own that builds an index and then does what the test says."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(text):
        for name, does in (("bowtie2-build", ""), ("bowtie2", text)):
            path = folder / name
            path.write_text(f"#!{sys.executable}\nimport sys, time\n{does}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin")

    return make


def test_a_program_that_crashes_or_hangs(home, tmp_path, capsys, fake):
    fake("if '--version' not in sys.argv: print('index is damaged', file=sys.stderr); sys.exit(1)")
    assert run(home, tmp_path / "out", remover="bowtie2") == 3
    err = capsys.readouterr().err
    assert "bowtie2 failed with exit code 1. It said: index is damaged" in err and "Traceback" not in err
    fake("if '--version' not in sys.argv: time.sleep(600)")
    assert run(home, tmp_path / "out", "--time-limit", "1", remover="bowtie2") == 3
    assert "raise --time-limit" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


def test_reads_that_are_too_long_for_a_tool(home, tmp_path, capsys, fake):
    fake("")
    assert run(home, tmp_path / "out", remover="bowtie2", sample=["virus.fa.gz"]) == 2
    assert "a read of 20,000 bases; bowtie2 is for reads of up to 2,000" in capsys.readouterr().err
    rng = np.random.default_rng(2)
    write_fasta(tmp_path / "long.fa.gz", ["one"], [rng.choice(ACGT, 1_200_000)])
    assert run(home, tmp_path / "long", remover="minimap2-long", sample=[str(tmp_path / "long.fa.gz")]) == 0


def test_an_index_is_kept(home, tmp_path):
    if removal.absent("kraken2"):
        pytest.skip(removal.absent("kraken2"))
    kept = tmp_path / "indices; here"
    for k in "12":
        assert run(home, tmp_path / k, "--index", str(kept), remover="kraken2") == 0
        (folder,) = kept.iterdir()
        built = (folder / "index.done").stat().st_mtime_ns
    assert (folder / "index.done").stat().st_mtime_ns == built
    assert (tmp_path / "1" / "calls.tsv.gz").read_bytes() == (tmp_path / "2" / "calls.tsv.gz").read_bytes()


def test_simulated_sample_has_truth_and_residual_risk(home, tmp_path):
    microbe = [{"name": "virus", "reference": home / "virus.fa.gz", "share": 0.5}]
    config = Config(
        reference=home / "human.fa.gz", reads={"platform": "ont", "reads": 400, "length_mean": 400, "length_sd": 0},
        variation={"snp_rate": 0.05}, errors={"scale": 3}, mixture=microbe,
    )  # fmt: skip
    simulate(config, tmp_path / "sample")
    assert run(home, tmp_path / "out", sample=[str(tmp_path / "sample")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert 0 < report["truth"]["human molecules left"] < report["truth"]["sensitivity"]["n"]
    assert report["residual"]["people"] == 2 and report["residual"]["informative sites"] > 0
    assert "stand out" in (tmp_path / "out" / "report.html").read_text()
    assert "donor001" not in (tmp_path / "out" / "report.html").read_text()


def test_compare(home, tmp_path, capsys):
    files = [str(home / f"patient_{mate}.fq.gz") for mate in (1, 2)]
    ask = ["reads", "compare", "--sample", *files, "--reference", str(home / "human.fa.gz")]
    assert cli.main([*ask, "--removers", "kmer,minimap2-short", "--out", str(tmp_path / "c")]) == 0
    table = pd.read_csv(tmp_path / "c" / "comparison.csv")
    assert table.remover.tolist() == ["kmer", "minimap2-short"] and table.removed.tolist() == [50, 50]
    shared = pd.read_csv(tmp_path / "c" / "agreement.csv", index_col=0)
    assert (shared.to_numpy() == 1).all()
    assert "kmer" in (tmp_path / "c" / "report.html").read_text()
    for wrong in ("kmer,kmer", "blast"):
        assert cli.main([*ask, "--removers", wrong, "--out", str(tmp_path / "d")]) == 2
    assert not (tmp_path / "d").exists()


def test_a_missing_tool_is_named(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    ask = ["reads", "compare", "--sample", str(home / "virus.fa.gz"), "--reference", str(home / "human.fa.gz")]
    assert cli.main([*ask, "--removers", "kraken2", "--out", str(tmp_path / "c")]) == 2
    assert "kraken2 can't run: kraken2 is not installed: it comes with kraken2 (apt-get" in capsys.readouterr().err
    assert cli.main([*ask, "--out", str(tmp_path / "c")]) == 0
    report = json.loads((tmp_path / "c" / "report.json").read_text())
    assert "bowtie2" in report["not run"] and "kmer" in [row["remover"] for row in report["removers"]]


def test_a_tool_without_scores_has_a_report_too(home, tmp_path, monkeypatch):
    from dataclasses import replace

    real = removal.fit
    monkeypatch.setattr(removal, "fit", lambda *args, **options: replace(real(*args, **options), meaning=""))
    assert run(home, tmp_path / "out") == 0
    assert "this tool says yes or no" in (tmp_path / "out" / "report.html").read_text()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["scores"] is None


def test_packed_bytes_do_not_depend_on_how_the_text_is_cut(tmp_path):
    from avatarlib.removal.output import BLOCK, Packed

    text = np.random.default_rng(1).choice(ACGT, 3 * BLOCK + 1234).tobytes()
    made = []
    for number, piece in enumerate((len(text), BLOCK // 3, 2 * BLOCK + 77)):
        packed = Packed((tmp_path / f"{number}.gz").open("wb"))
        for start in range(0, len(text), piece):
            packed.write(text[start : start + piece])
        packed.close()
        made.append((tmp_path / f"{number}.gz").read_bytes())
    assert made[0] == made[1] == made[2] and gzip.decompress(made[0]) == text
