"""Samples of strangers: read in batches, refused with one line that says what is wrong."""

import gzip

import numpy as np
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes import bgzf
from avatarlib.removal.reads import batches
from avatarlib.removal.sample import labels, open_sample, read_truth


def fastq(*reads, start=0):
    return b"".join(b"@r%d some words\n%b\n+\n%b\n" % (n + start, r, b"I" * len(r)) for n, r in enumerate(reads))


def put(path, text):
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def test_batches_cut_anywhere_hold_the_same_reads(tmp_path):
    rng = np.random.default_rng(1)
    reads = [rng.choice(list(b"ACGTN"), n).astype(np.uint8).tobytes() for n in rng.integers(0, 200, 57)]
    path = put(tmp_path / "a.fastq.gz", fastq(*reads))
    whole = [(n, r, q) for b in batches((path,)) for n, r, q in zip(b.names, b.reads(), b.stated(), strict=True)]
    assert [r for _, r, _ in whole] == reads and whole[3][0] == b"r3" and len(whole[3][2]) == len(reads[3])
    for most in (1, 7, 1000):
        parts = list(batches((path,), most_reads=most, most_bases=150))
        assert [r for b in parts for r in b.reads()] == reads
        assert [b.first for b in parts] == np.cumsum([0, *map(len, parts[:-1])]).tolist()
        assert all(len(b) == 1 or len(b.bases) <= 150 for b in parts)


def test_forms_that_are_right(tmp_path):
    crlf = put(tmp_path / "crlf.fq", fastq(b"ACGT", b"").replace(b"\n", b"\r\n") + b"\r\n")
    assert [b.reads() for b in batches((crlf,))] == [[b"ACGT", b""]]
    rna = put(tmp_path / "rna.fa", b">one words\nacg\nuuR\n\n>two\nA\n")
    (batch,) = batches((rna,))
    assert batch.names == [b"one", b"two"] and batch.reads() == [b"ACGTTR", b"A"] and not len(batch.qualities)
    long = put(tmp_path / "long.fq", fastq(b"ACGT" * 300_000, b"A"))
    assert [len(r) for b in batches((long,)) for r in b.reads()] == [1_200_000, 1]
    pair = put(tmp_path / "1.fq", b"@a/1\nA\n+\nI\n"), put(tmp_path / "2.fq", b"@a/2\nC\n+\nI\n")
    (batch,) = batches(pair)
    assert batch.names == [b"a"] and batch.reads() == [b"A", b"C"] and batch.mates == 2


BAD = {
    "empty": (b"", "empty"),
    "neither": (b"ACGT\n", "neither @"),
    "no name": (b"@\nA\n+\nI\n", "line 1: no name"),
    "space for a name": (b"@ a\nA\n+\nI\n", "line 1: no name"),
    "fasta in fastq": (b"@a\nA\n+\nI\n>b\nA\n", "line 5: a FASTA entry"),
    "fastq in fasta": (b">a\nA\n@b\nA\n+\nI\n", "line 3: a FASTQ entry"),
    "qualities": (b"@a\nACG\n+\nII\n", "2 qualities for 3 bases"),
    "no plus": (b"@a\nACG\nACG\nIII\n", "no + behind"),
    "cut in a read": (b"@a\nACG\n", "ends within a read"),
    "letters": (b"@a\nAC!\n+\nIII\n", "line 2: '!' is no base"),
    "quality letters": (b"@a\nA\n+\n\x07\n", "quality that no FASTQ"),
    "blank line": (b"@a\nA\n+\nI\n\n@b\nA\n+\nI\n", "line 5: blank line"),
}


@pytest.mark.parametrize("text, said", BAD.values(), ids=BAD)
def test_bad_text(tmp_path, text, said):
    with pytest.raises(InputError, match=said.replace("+", r"\+").replace("!", "!")):
        list(batches((put(tmp_path / "x.fq", text),)))


def test_truncated_gzip(tmp_path):
    data = gzip.compress(fastq(*[b"ACGTACGT"] * 5000))
    (tmp_path / "cut.fq.gz").write_bytes(data[: len(data) // 2])
    block = bgzf.compress(fastq(b"ACGT"))  # a whole block, but no end marker
    (tmp_path / "block.fq.gz").write_bytes(block)
    for name in ("cut.fq.gz", "block.fq.gz"):
        with pytest.raises(InputError, match="cut off"):
            list(batches((tmp_path / name,)))


def test_pairs_that_do_not_fit(tmp_path):
    one = put(tmp_path / "1.fq", fastq(b"A", b"C"))
    with pytest.raises(InputError, match="2.fq has 1 reads, .*1.fq has more"):
        list(batches((one, put(tmp_path / "2.fq", fastq(b"A")))))
    with pytest.raises(InputError, match="read 1 is called 'r1', .* 'r0'"):
        list(batches((one, put(tmp_path / "3.fq", fastq(b"A", b"C", start=1)))))
    with pytest.raises(InputError, match="give two files of a kind"):
        list(batches((one, put(tmp_path / "4.fa", b">r0\nA\n"))))


def test_folders(tmp_path):
    with pytest.raises(InputError, match="no file of reads"):
        open_sample([tmp_path])
    put(tmp_path / "x $(touch y)_R1.fq.gz", fastq(b"A"))
    assert len(open_sample([tmp_path]).files) == 1
    put(tmp_path / "x $(touch y)_R2.fq.gz", fastq(b"A"))
    sample = open_sample([tmp_path])
    assert [path.name[-8] for path in sample.files] == ["R", "R"] and sample.truth is None
    put(tmp_path / "third.fq", fastq(b"A"))
    with pytest.raises(InputError, match="3 files of reads"):
        open_sample([tmp_path])
    with pytest.raises(InputError, match="same file twice"):
        open_sample([tmp_path / "third.fq"] * 2)
    with pytest.raises(InputError, match="no such file"):
        open_sample([tmp_path / "none.fq"])


def test_truth_follows_the_reads(tmp_path):
    rows = ["read\tpart\tsource\thuman\tdonor", "r0\t1\tvirus\t0\t*", "r0\t2\thuman\t1\td", "r1\t1\tecoli\t0\t*"]
    path = put(tmp_path / "fragments.tsv.gz", "\n".join(rows).encode() + b"\n")
    (batch,) = batches((put(tmp_path / "a.fq", fastq(b"A", b"C")),))
    assert labels(batch, read_truth(path)) == ([True, False], ["virus", "ecoli"])
    (other,) = batches((put(tmp_path / "b.fq", fastq(b"A", start=1)),))
    with pytest.raises(InputError, match="don't belong together"):
        labels(other, read_truth(path))
