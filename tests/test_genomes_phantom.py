"""The phantom genome: what it claims about its composition is measured on the bases that come out."""

import hashlib
import time

import numpy as np
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes import phantom
from avatarlib.genomes.composition import reverse_complement
from avatarlib.genomes.phantom import STRATA, phantom_decoy, phantom_genome, phantom_microbes

SEEDS = (1, 2, 3)
_CODE = np.full(256, 9, np.uint8)
_CODE[list(b"ACGT")] = range(4)


@pytest.fixture(scope="module")
def genomes():
    return {seed: phantom_genome(seed=seed) for seed in SEEDS}


@pytest.fixture(scope="module")
def genome(genomes):
    return genomes[1]


def codes(bases):
    found = _CODE[bases]
    assert found.max() < 4
    return found


def gc(bases):
    return float(np.isin(bases, list(b"CG")).mean())


def cpg(bases):
    c, g = bases == ord("C"), bases == ord("G")
    return float((c[:-1] & g[1:]).mean() / (c.mean() * g.mean()))


def strata_of(genome):
    """One stratum a base, in the order of `bases`."""
    return np.repeat(genome.strata["stratum"], genome.strata["end"] - genome.strata["start"])


def pieces(genome, stratum):
    rows = genome.strata[genome.strata["stratum"] == STRATA.index(stratum)]
    return [genome.reference.sequence(c)[a:b] for c, a, b, _ in rows.tolist()]


def words(bases, k):
    """Every k-mer as a number, in the order of the sequence, the smaller of both strands."""

    def one_strand(found):
        numbers = np.zeros(len(found) - k + 1, np.int64)
        for i in range(k):
            numbers = numbers * 4 + found[i : len(found) - k + 1 + i]
        return numbers

    found = codes(bases)
    return np.minimum(one_strand(found), one_strand(reverse_complement(found))[::-1])


def checksum(*references):
    whole = hashlib.sha256()
    for r in references:
        whole.update(repr(r.names).encode() + r.offsets.tobytes() + r.bases.tobytes())
    return whole.hexdigest()


def both_strands(a, b):
    """Share of bases in which two sequences of one length differ, on the strand on which they are more alike."""
    return float(min((a != b).mean(), (a != reverse_complement(b)).mean()))


def test_contigs_and_size(genomes):
    for g in genomes.values():
        r = g.reference
        assert r.names == ("chr1", "chr2", "chrX", "chrM") and len(r.bases) == 3_000_000 and r.length(3) == 16_000
        assert r.length(0) > r.length(1) > r.length(2) > 500_000
        assert set(np.unique(r.bases).tolist()) == set(b"ACGT")


@pytest.mark.parametrize("size", [500_000, 700_001, 1_000_000])
def test_other_sizes(size):
    for seed in range(5):
        g = phantom_genome(size=size, seed=seed)
        assert len(g.reference.bases) == size == (g.strata["end"] - g.strata["start"]).sum()
        assert sum(map(len, pieces(g, "gene_family"))) == 12 * 8000
    with pytest.raises(InputError, match="499,999 bases"):
        phantom_genome(size=499_999)


def test_strata_cover_every_base_once(genomes):
    for g in genomes.values():
        for contig in range(len(g.reference)):
            rows = g.strata[g.strata["contig"] == contig]
            assert rows["start"][0] == 0 and rows["end"][-1] == g.reference.length(contig)
            assert (rows["start"][1:] == rows["end"][:-1]).all() and (rows["end"] > rows["start"]).all()
            assert (np.diff(rows["stratum"].astype(int)) != 0).all()
        assert (np.diff(g.strata["contig"]) >= 0).all()
        assert set(g.strata["stratum"].tolist()) == set(range(5))
        assert set(g.strata["stratum"][g.strata["contig"] == 3].tolist()) == {STRATA.index("unique")}


def test_isochores(genomes):
    for g in genomes.values():
        windows = [
            gc(sequence[start : start + 100_000])
            for sequence in map(g.reference.sequence, range(3))
            for start in range(0, len(sequence) - 99_999, 25_000)
        ]
        # 0.02 is allowed for what units happen to lie in a window.
        assert 0.34 < min(windows) < 0.39 and 0.49 < max(windows) < 0.57
        assert 0.40 < gc(g.reference.bases) < 0.46


def test_cpg_is_rare_and_strands_are_alike(genomes):
    for g in genomes.values():
        assert 0.15 < cpg(g.reference.bases) < 0.4
        for stratum in ("unique", "repeat", "gene_family"):
            assert cpg(np.concatenate(pieces(g, stratum))) < 0.45
        unique = codes(np.concatenate(pieces(g, "unique")))
        pairs = np.bincount(unique[:-1] * 4 + unique[1:], minlength=16).reshape(4, 4)
        for x in range(4):
            for y in range(4):
                assert pairs[x, y] == pytest.approx(pairs[3 - y, 3 - x], rel=0.02)


def test_shares_of_the_strata(genomes):
    for g in genomes.values():
        share = dict(zip(STRATA, np.bincount(strata_of(g), minlength=5) / 3e6, strict=True))
        assert 0.38 < share["repeat"] < 0.41 and share["gene_family"] == pytest.approx(0.032)
        assert 0.02 < share["low_complexity"] < 0.05 and 0.015 < share["vntr"] < 0.05
        assert share["unique"] > 0.45


def test_repeats_are_repeated_and_unique_is_unique(genome):
    found = words(genome.reference.bases, 14)
    _, place, count = np.unique(found, return_inverse=True, return_counts=True)
    often = count[place] > 4
    by = {name: often[strata_of(genome)[: len(often)] == i].mean() for i, name in enumerate(STRATA)}
    assert by["unique"] < 0.02
    assert by["repeat"] > 0.3 and by["gene_family"] > 0.4 and by["low_complexity"] > 0.4 and by["vntr"] > 0.8


def test_repeats_are_copies_of_three_families_cut_short_and_diverged(genome):
    families = phantom._families(1)
    assert [len(f) for f in families.values()] == [300, 900, 6000]
    rows = genome.strata[genome.strata["stratum"] == STRATA.index("repeat")]
    reads = {name: [] for name in families}
    for c, a, b, _ in rows[::3].tolist():
        copy = codes(genome.reference.sequence(c)[a:b])
        # A copy is the 3' end of its family; those that happen to lie side by side are none and drop out.
        distance = {n: both_strands(copy, f[-len(copy) :]) for n, f in families.items() if len(copy) <= len(f)}
        best = min(distance, key=distance.get, default=None)
        if best and distance[best] < 0.35:
            reads[best].append((len(copy), distance[best]))
    assert sum(map(len, reads.values())) > 0.9 * len(rows[::3])
    for name, length in (("sine", 300), ("ltr", 900), ("line", 6000)):
        lengths, distances = np.array(reads[name]).T
        assert lengths.max() > 0.9 * length and (lengths < 0.9 * length).mean() > 0.3
        # Where 250 or more bases are compared, chance adds less than 0.06.
        long = distances[lengths >= 250]
        assert len(long) > 20 and long.min() < 0.05 and long.max() > 0.17 and long.max() < 0.26
        assert 0.09 < long.mean() < 0.13


def test_low_complexity_is_short_units_or_one_base(genome):
    found = [codes(p) for p in pieces(genome, "low_complexity")]
    periodic, one = 0, 0
    for piece in found:
        same = [(piece[k:] == piece[:-k]).mean() for k in range(1, 7)]
        periodic += max(same) > 0.7
        one += np.bincount(piece).max() > 0.95 * len(piece)
    assert len(found) > 1000 and periodic > 0.97 * len(found)
    assert 0.4 < one / len(found) < 0.9


def test_gene_family_differs_as_claimed(genomes):
    for g in genomes.values():
        members = [codes(p) for p in pieces(g, "gene_family")]
        assert [len(m) for m in members] == [8000] * 12
        distance = np.array([[both_strands(a, b) for a in members] for b in members])[np.triu_indices(12, 1)]
        assert distance.min() > 0.009 and distance.max() < 0.15
        assert distance.min() < 0.02 and distance.max() > 0.12
        # Most of it lies in few windows.
        a, b = max(((a, b) for a in members for b in members), key=lambda pair: both_strands(*pair))
        b = b if (a != b).mean() < 0.5 else reverse_complement(b)
        windows = np.sort((a != b).reshape(-1, 200).mean(1))
        assert windows[-3:].mean() > 2.5 * windows[:-3].mean()


def test_arrays_are_tandem_with_versions(genomes):
    for g in genomes.values():
        found = [codes(p) for p in pieces(g, "vntr")]
        assert len(found) > 30
        for array in found:
            units = [k for k in range(15, 71) if (array[k:] == array[:-k]).mean() > 0.75]
            assert any(len(array) % k == 0 and 10 <= len(array) // k <= 100 for k in units)
        assert np.mean([not np.array_equal(a[:15], a[-15:]) for a in found]) > 0.1


def test_the_seed_decides_everything(genome):
    again, other = phantom_genome(), phantom_genome(seed=2)
    assert checksum(again.reference) == checksum(genome.reference) != checksum(other.reference)
    assert np.array_equal(again.strata, genome.strata)
    assert 0.2 < (genome.reference.bases == other.reference.bases).mean() < 0.3
    microbes = [checksum(*phantom_microbes(seed=seed).values()) for seed in (1, 1, 2)]
    decoys = [checksum(phantom_decoy(genome, seed=seed)) for seed in (1, 1, 2)]
    for first, same, different in (microbes, decoys):
        assert first == same != different


def test_three_megabases_within_three_seconds():
    start = time.process_time()
    phantom_genome(seed=99)
    assert time.process_time() - start < 3


def test_decoy(genome):
    decoy = phantom_decoy(genome)
    assert decoy.names == ("phantom_decoy_chrM", "phantom_decoy_chr1")
    assert [decoy.length(i) for i in range(2)] == [16_000, 30_000]
    chromosome = genome.reference.sequence(0)
    # Its place in chr1: where words of both agree.
    mine, theirs = words(chromosome, 21), words(decoy.sequence(1), 21)
    _, at, here = np.intersect1d(mine, theirs, return_indices=True)
    start = np.bincount(np.maximum(at - here, 0)).argmax()
    for ours, its in ((genome.reference.sequence(3), 0), (chromosome[start : start + 30_000], 1)):
        assert (ours != decoy.sequence(its)).mean() == pytest.approx(0.03, abs=0.005)


def test_microbes(genome):
    microbes = phantom_microbes()
    assert all(name.startswith("phantom_") and r.names == (name,) for name, r in microbes.items())
    bacteria = {name: r for name, r in microbes.items() if "bacterium" in name}
    viruses = {name: r for name, r in microbes.items() if "virus" in name}
    assert len(bacteria) == 4 and len(viruses) == 3 and len(microbes) == 7
    assert all(100_000 <= len(r.bases) <= 300_000 for r in bacteria.values())
    assert sorted(len(r.bases) for r in viruses.values()) == [5_400, 18_000, 40_000]
    assert [gc(r.bases) for r in bacteria.values()] == pytest.approx([0.30, 0.42, 0.55, 0.68], abs=0.01)
    for r in bacteria.values():
        found = codes(r.bases)
        same = [(found[k:] == found[:-k]).mean() for k in range(1, 7)]
        assert min(same[2], same[5]) > max(same[0], same[1], same[3], same[4]) + 0.005
    assert all(cpg(r.bases) > 0.7 for r in microbes.values())


def shared(some, many):
    """How many words of 25 bases of one sequence stand in another."""
    some, many = (np.sort(words(bases, 25)) for bases in (some, many))
    return len(np.unique(some[many[np.searchsorted(many, some).clip(max=len(many) - 1)] == some]))


def test_what_microbes_share_with_each_other_and_with_the_genome(genomes):
    microbes = {name: r.bases for name, r in phantom_microbes().items()}
    names = list(microbes)
    for i, a in enumerate(names):
        with_human = shared(microbes[a], genomes[1].reference.bases)
        assert with_human > 500 if a == "phantom_virus_repeats" else with_human < 20
        for b in names[:i]:
            both = shared(microbes[a], microbes[b])
            # An operon has 4,500 bases.
            assert 1000 < both < 4500 if "bacterium" in a and "bacterium" in b else both == 0
    assert shared(microbes["phantom_virus_repeats"], genomes[2].reference.bases) < 20


def test_the_virus_fits_a_genome_of_any_size():
    virus = phantom_microbes(seed=5)["phantom_virus_repeats"].bases
    for size in (500_000, 1_000_000):
        assert shared(virus, phantom_genome(size=size, seed=5).reference.bases) > 300
