"""FASTA of strangers: what is accepted, what is refused and where, and what is written."""

import gzip
import os
import time

import numpy as np
import pysam
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes import bgzf, fasta
from avatarlib.genomes.fasta import join, read_fasta, write_fasta

GOOD = ">one first contig\nACGTacgt\nNn\n>two|x*=\nRYSWKMBDHV\nu\n"


def put(folder, content, name="a.fa"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bases(seed, n):
    return np.random.default_rng(seed).choice(np.frombuffer(b"ACGTN", np.uint8), n)


def is_good(reference):
    assert reference.names == ("one", "two|x*=") and len(reference) == 2
    assert reference.sequence(0).tobytes() == b"ACGTACGTNN" and reference.sequence(1).tobytes() == b"RYSWKMBDHVT"
    assert [reference.length(i) for i in range(2)] == [10, 11] and reference.offsets.tolist() == [0, 10, 21]
    assert reference.bases.dtype == np.uint8 and reference.offsets.dtype == np.int64


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        "\n" + GOOD.replace("\n>", "\n\n>"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r\n") + "\r\n\r\n",
        GOOD.replace("first contig", "h\u00e9 > there"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("block", [1, 7, 1 << 23])
def test_accepted(tmp_path, monkeypatch, text, zipped, block):
    monkeypatch.setattr(fasta, "BLOCK", block)
    is_good(read_fasta(put(tmp_path, gzip.compress(text.encode()) if zipped else text)))


def test_members_of_gzip_end_to_end(tmp_path):
    is_good(read_fasta(put(tmp_path, b"".join(gzip.compress(t.encode()) for t in (GOOD[:20], GOOD[20:])))))


REFUSED = {
    "": "no sequence",
    "\n\n": "no sequence",
    "ACGT\n>a\nA\n": "line 1: text before the first >: 'ACGT'",
    "\n\n@read\nACGT\n+\nIIII\n": "line 3: text before the first >: '@read'",
    ">a\nA\n>\nC\n": "line 3: no name",
    "> a\nA\n": "line 1: no name",
    ">a\nA\n>b\nC\n>a x\nG\n": "line 5: the name a stands in line 1 too",
    ">a\n\n>b\nC\n": "line 1: contig a has no sequence",
    ">a\nA\n>b": "line 3: contig b has no sequence",
    ">a\nACGT\nACEGT\n": "line 3: 'E' is no base",
    ">a\nACGT\n>b\n\nAC-GT\n": "line 5: '-' is no base",
    ">a\nAC GT\n": "line 2: ' ' is no base",
    ">a\nAC>GT\n": "line 2: '>' is no base",
    ">a\nAC\rGT\n": r"line 2: '\r' is no base",
    ">a\nAC\x00GT\n": r"line 2: '\x00' is no base",
    b">a\nAC\xe9GT\n": r"line 2: '\xe9' is no base",
    ">a\tb\nA\n": r"line 1: the name 'a\tb' holds '\t'",
    ">*a\nA\n": "line 1: the name '*a' holds '*'",
    ">=a\nA\n": "line 1: the name '=a' holds '='",
    ">a(b\nA\n": "line 1: the name 'a(b' holds '('",
    ">a\rACGT\r": r"holds '\r'",
    b">caf\xe9\nA\n": r"the name 'caf\xe9' holds '\xe9'",
    b"BZh91AY&SY\x00\x01": "line 1: binary",
    ">a\nA\n".encode("utf-16"): "line 1: binary",
    gzip.compress(gzip.compress(GOOD.encode())): "binary",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda c: ascii(c[:12]))
@pytest.mark.parametrize("block", [1, 1 << 23])
def test_refused(tmp_path, monkeypatch, content, block):
    monkeypatch.setattr(fasta, "BLOCK", block)
    path = put(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_fasta(path)
    message = str(caught.value)
    assert REFUSED[content] in message and message.startswith(str(path)) and message.isprintable()


def test_line_numbers_are_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "BLOCK", 100)
    lines = [f">c{i}\r\nACGT\r\n\r\nAC" for i in range(200)]
    lines[150] = lines[150].replace("ACGT", "ACXT")
    with pytest.raises(InputError, match=f"line {150 * 4 + 2}: 'X'"):
        read_fasta(put(tmp_path, "\r\n".join(lines)))


def test_no_file_and_folders(tmp_path):
    with pytest.raises(InputError, match="absent.fa: no such file"):
        read_fasta(tmp_path / "absent.fa")
    with pytest.raises(InputError, match="is a folder"):
        read_fasta(tmp_path)


def test_gzip_cut_off_or_damaged(tmp_path):
    write_fasta(tmp_path / "whole.fa.gz", ["a"], [bases(0, 200_000)])
    bgzip = (tmp_path / "whole.fa.gz").read_bytes()
    assert bgzip.endswith(bgzf.END)
    plain = gzip.compress(b">a\n" + bases(0, 200_000).tobytes())
    # The first bgzip is cut between two blocks, which gzip alone takes for complete.
    for whole, lengths in ((bgzip, (len(bgzip) - 28, len(bgzip) - 40, 20)), (plain, (len(plain) - 4, 5000, 12, 2))):
        for length in lengths:
            with pytest.raises(InputError, match="cut off"):
                read_fasta(put(tmp_path, whole[:length]))
    for whole in (bgzip, plain):
        for position in (500, len(plain) // 2):
            harmed = whole[:position] + bytes([whole[position] ^ 255]) * 9 + whole[position + 9 :]
            with pytest.raises(InputError, match="damaged|cut off"):
                read_fasta(put(tmp_path, harmed))
    with pytest.raises(InputError, match="damaged"):
        read_fasta(put(tmp_path, plain + b"rubbish"))


def test_size_limit(tmp_path, monkeypatch):
    text = b">a\n" + b"A" * 997
    for content in (text, gzip.compress(text), b">a\n" + b"A\n" * 498 + b"A"):
        assert read_fasta(put(tmp_path, content), largest=1000).length(0) in (997, 499)
        for block in (1, 100, 1 << 23):
            monkeypatch.setattr(fasta, "BLOCK", block)
            with pytest.raises(InputError, match="more than 999 bytes"):
                read_fasta(put(tmp_path, content), largest=999)
    bomb = gzip.compress(b">a\n" + bytes([65]) * 50_000_000, 9)
    start = time.process_time()
    with pytest.raises(InputError, match="more than 10,000 bytes"):
        read_fasta(put(tmp_path, bomb), largest=10_000)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("lengths", [(1,), (59, 60, 61), (120, 1000, 7)])
def test_what_is_written_is_read_back(tmp_path, lengths):
    path = tmp_path / "out.fa.gz"
    sequences = [bases(n, n) for n in lengths]
    names = [f"chr{i}|donor|{i}" for i in range(len(lengths))]
    write_fasta(path, iter(names), iter(sequences))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.fa.gz", "out.fa.gz.fai", "out.fa.gz.gzi"]
    reference = read_fasta(path)
    assert reference.names == tuple(names) and np.array_equal(reference.bases, np.concatenate(sequences))
    text = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert max(len(line) for line in text if line[0] != ">") == min(60, max(lengths))
    with pysam.FastaFile(str(path)) as indexed:
        assert list(indexed.references) == names
        for name, sequence in zip(names, sequences, strict=True):
            assert indexed.fetch(name) == sequence.tobytes().decode()
            assert indexed.fetch(name, len(sequence) // 2) == sequence[len(sequence) // 2 :].tobytes().decode()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.fa.gz"
    write_fasta(path, ["a"], [bases(0, 100)])
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def breaks():
        yield bases(1, 100)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_fasta(path, ["a", "b"], breaks())
    for names, sequences in (
        (["a", "a"], [bases(0, 5)] * 2),
        (["a b"], [bases(0, 5)]),
        (["a"], [bases(0, 0)]),
        ([], []),
    ):
        with pytest.raises(InputError, match="out.fa.gz"):
            write_fasta(path, names, sequences)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_reference_is_not_changed_by_accident(tmp_path):
    for reference in (read_fasta(put(tmp_path, GOOD)), join(["a"], [b"ACGT"])):
        with pytest.raises(ValueError, match="read-only"):
            reference.sequence(0)[0] = 65


def test_many_contigs_and_long_lines_are_fast(tmp_path):
    sequence = bases(0, 20_000_000)
    cases = {
        "long": b">a\n" + sequence.tobytes(),
        "many": b"".join(b">c%d\n%s\n" % (i, sequence[i : i + 100].tobytes()) for i in range(200_000)),
    }
    for name, content in cases.items():
        path = put(tmp_path, content)
        start = time.process_time()
        reference = read_fasta(path)
        assert time.process_time() - start < 2, name
        assert len(reference.bases) == 20_000_000
        os.remove(path)
