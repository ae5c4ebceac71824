"""Removers: what is found and what is not, one answer whatever the batch, programs that fail or hang."""

import os
import stat
import sys
import time

import numpy as np
import pytest

from avatarlib import removal
from avatarlib.errors import AvatarError, InputError
from avatarlib.genomes.fasta import join, write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.removal import kmers, programs
from avatarlib.removal.reads import batch_of

ACGT = np.frombuffer(b"ACGT", np.uint8)


def complement(read: bytes) -> bytes:
    return read[::-1].translate(bytes.maketrans(b"ACGT", b"TGCA"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a reference; with 'odd' $names")
    whole = phantom_genome(size=500_000, seed=3).reference
    path = folder / "human $(reference).fa.gz"
    write_fasta(path, whole.names, (whole.sequence(contig)[:60_000] for contig in range(len(whole))))
    return path


@pytest.fixture(scope="module")
def sample(reference):
    """Reads of the reference from both strands, of random sequence, an empty one and one of N."""
    from avatarlib.genomes.fasta import read_fasta

    rng = np.random.default_rng(5)
    first = read_fasta(reference).sequence(0)
    own = [first[at : at + 150].tobytes() for at in rng.integers(0, 59_000, 60)]
    own = [complement(read) if k % 2 else read for k, read in enumerate(own)]
    foreign = [rng.choice(ACGT, 150).tobytes() for _ in range(60)]
    reads = own + foreign + [b"", b"N" * 150]
    names = [b"r%d" % n for n in range(len(reads))]
    return batch_of(names, reads, [b"I" * len(read) for read in reads])


@pytest.fixture(scope="module", params=list(removal.REMOVERS))
def fitted(request, reference, tmp_path_factory):
    lacks = removal.absent(request.param)
    if lacks:
        pytest.skip(lacks)
    odd = "work" if request.param.startswith("hostile") else "work; with spaces & 'quotes'"
    return removal.fit(request.param, reference, work=tmp_path_factory.mktemp(odd), threads=2)


def test_finds_its_own_and_nothing_else(fitted, sample):
    calls = fitted.classify(sample)
    assert calls.human[:60].all() and not calls.human[60:].any()
    assert ((calls.score >= 0) & (calls.score <= 1)).all() and (calls.human == (calls.score > fitted.threshold)).all()
    assert fitted.version and fitted.tool


def test_answers_do_not_depend_on_the_batch(fitted, sample):
    whole = fitted.classify(sample).score
    reads, stated = sample.reads(), sample.stated()
    cuts = [0, 1, 40, len(reads)]
    parts = [
        batch_of(sample.names[a:b], reads[a:b], stated[a:b], first=a) for a, b in zip(cuts, cuts[1:], strict=False)
    ]
    assert np.array_equal(np.concatenate([fitted.classify(part).score for part in parts]), whole)


def test_a_pair_is_human_where_one_read_is(fitted, sample):
    reads = sample.reads()
    mixed = [reads[0], reads[60], reads[61], reads[1], reads[62], reads[63]]
    pairs = batch_of([b"a", b"b", b"c"], mixed, [b"I" * 150] * 6, mates=2)
    assert fitted.classify(pairs).human.tolist() == [True, True, False]


def test_only_human_and_no_human(fitted, sample):
    reads = sample.reads()
    human = batch_of([b"a", b"b"], reads[:2], [b"I" * 150] * 2)
    assert fitted.classify(human).human.all()
    assert not fitted.classify(batch_of([b"a", b"b"], reads[60:62], [b"I" * 150] * 2)).human.any()
    without = batch_of([b"a", b"b"], [reads[0], reads[60]], [])  # FASTA
    assert fitted.classify(without).human.tolist() == [True, False]


def test_minimizers_against_a_plain_count():
    rng = np.random.default_rng(2)
    whole = rng.choice(ACGT, 400)
    whole[100] = ord("N")
    reference = join(["one"], [whole])
    k = 11
    text = whole.tobytes()
    known = {text[i : i + k] for i in range(len(text) - k + 1)} | {
        complement(text[i : i + k]) for i in range(len(text) - k + 1) if b"N" not in text[i : i + k]
    }
    known = {word for word in known if b"N" not in word}
    reads = [text[30:80], complement(text[150:220]), rng.choice(ACGT, 60).tobytes(), text[90:130], b"ACG"]
    batch = batch_of([b"r"] * len(reads), reads, [])
    got = kmers.fit(reference, k=k, w=1, least=1).scores(batch)
    for read, score in zip(reads, got, strict=True):
        words = [read[i : i + k] for i in range(len(read) - k + 1) if b"N" not in read[i : i + k]]
        assert score == pytest.approx(sum(word in known for word in words) / max(1, len(words)))


def test_windows_take_the_smallest_hash():
    rng = np.random.default_rng(3)
    bases = rng.choice(ACGT, 300)
    hashes, mins = np.empty(300, np.uint64), np.empty(300, np.uint64)
    n = kmers._hashes(bases, 15, hashes)
    found = mins[: kmers._minimizers(hashes, n, 7, mins)].tolist()
    windows = [min(hashes[i : i + 7]) for i in range(n - 6)]
    assert found == [h for i, h in enumerate(windows) if i == 0 or h != windows[i - 1]]


def test_masking_takes_what_is_shared():
    rng = np.random.default_rng(4)
    virus = rng.choice(ACGT, 300)
    human = np.concatenate([rng.choice(ACGT, 500), virus[100:200], rng.choice(ACGT, 500)])
    masked, several = kmers.mask_shared(join(["chr1"], [human]), [join(["v"], [virus])], k=21)
    n = np.flatnonzero(masked.bases == ord("N"))
    assert several == len(n) and 100 <= several <= 104 and n.min() >= 498 and n.max() <= 601
    assert np.array_equal(np.delete(masked.bases, n), np.delete(human, n))


def script(path, text):
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def _alive(process: int) -> bool:
    try:
        return open(f"/proc/{process}/stat").read().split()[2] != "Z"
    except OSError:
        return False


def test_programs_that_fail_hang_or_are_missing(tmp_path):
    crash = script(tmp_path / "crash", "import os, sys; print('no room', file=sys.stderr); sys.exit(3)")
    with pytest.raises(AvatarError, match="crash failed with exit code 3. It said: no room"):
        programs.run([crash], folder=tmp_path, time_limit=60)
    dead = script(tmp_path / "dead", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(AvatarError, match="crashed .signal 11"):
        programs.run([dead], folder=tmp_path, time_limit=60)
    note = tmp_path / "child"
    hang = script(
        tmp_path / "hang",
        f"import subprocess, time\np = subprocess.Popen(['sleep', '600'])\nopen({str(note)!r}, 'w').write(str(p.pid))\n"
        "import sys; print('still here', file=sys.stderr, flush=True); time.sleep(600)",
    )
    with pytest.raises(AvatarError, match="stopped after 2 seconds: raise --time-limit. It said: still here"):
        programs.run([hang], folder=tmp_path, time_limit=2)
    child, until = int(note.read_text()), time.monotonic() + 10
    while _alive(child) and time.monotonic() < until:  # killed, but the system may take a moment
        time.sleep(0.05)
    assert not _alive(child)
    with pytest.raises(InputError, match="no_such_program is not installed: it comes with a package"):
        programs.find("no_such_program", "a package")


def test_a_missing_tool_names_its_package(monkeypatch, reference, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("bowtie2", "kraken2", "hostile-short"):
        assert removal.absent(name)
        with pytest.raises(InputError, match="is not installed: it comes with"):
            removal.fit(name, reference, work=tmp_path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(InputError, match="no remover is called 'blast'"):
        removal.fit("blast", reference, work=tmp_path)
