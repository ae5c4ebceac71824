"""`examine` against folders counted by hand, and against what was asked for and what the simulator counted."""

import gzip
import json

import numpy as np
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.reads import config
from avatarlib.reads.curves import cycle_curve, run_curve
from avatarlib.reads.examine import examine
from avatarlib.reads.profile import load_profile
from avatarlib.reads.simulate import simulate

EVENTS = "read mate contig position haplotype read_position class reference haplotype_base read_base quality\n"
FRAGMENTS = "read part source human donor haplotype contig start offset length strand kind\n"


def written(folder, reads, events, fragments="", length=None):
    """Write what `examine` reads; tables with blanks instead of tabs, reads as (bases, qualities)."""
    platform = "illumina" if length else "ont"
    (folder / "run.json").write_text(json.dumps({"platform": platform, "length": length, "truth": {"events": True}}))
    for name, text in (("events", EVENTS + events), ("fragments", FRAGMENTS + fragments)):
        with gzip.open(folder / f"{name}.tsv.gz", "wt") as file:
            file.write(text.replace(" ", "\t"))
    for mate in (1, 2) if length else (0,):
        rows = [reads[i] for i in range(len(reads)) if not mate or i % 2 == mate - 1]
        text = "".join(f"@r{i:010d}{f'/{mate}' if mate else ''}\n{b}\n+\n{q}\n" for i, (b, q) in enumerate(rows))
        (folder / f"reads{f'_{mate}' if mate else ''}.fastq").write_text(text)
    return folder


def test_two_pairs_by_hand(tmp_path):
    # Molecule 0: mate 1 has a wrong base (read as the forward strand) and a variant; mate 2, reverse, one wrong, one
    # inserted, one missing base. Molecule 1: mate 1 runs into the adapter after 3 bases, mate 2 is junk.
    reads = [("ACGTA", "IIII+"), ("GGCAT", "5555+"), ("ACGAG", "IIIII"), ("TTTTT", "#####")]
    events = (
        "r0000000000 1 c 3 1 2 error T T G 40\n"
        "r0000000000 1 c 5 1 4 variant C A A 10\n"
        "r0000000000 2 c 9 1 0 error T T C 20\n"
        "r0000000000 2 c 8 1 2 error - - G 20\n"
        "r0000000000 2 c 6 1 4 error_reverts_variant A T A 10\n"
        "r0000000000 2 c 7 1 4 error_on_variant C G - .\n"
        "r0000000001 1 * 0 0 3 adapter - - AG 40\n"
        "r0000000001 2 * 0 0 0 junk - - TTTTT 2\n"
    )
    found = examine(written(tmp_path, reads, events, length=5))
    assert (found.reads, found.bases, found.template) == (3, 13, 13)
    assert found.errors == {"substitution": 3, "insertion": 1, "deletion": 1}
    assert found.rates["substitution"] == 3 / 13
    assert found.labels["adapter"] == found.labels["junk"] == 1 and found.labels["error"] == 3
    stated = {q: int(n) for q, n in enumerate(found.stated) if n}
    assert stated == {10: 2, 20: 4, 40: 7}
    assert {q: int(n) for q, n in enumerate(found.wrong) if n} == {10: 1, 20: 2, 40: 1}
    assert found.empirical_quality[10] == pytest.approx(3.0103, abs=1e-4) and np.isnan(found.empirical_quality[30])
    assert found.by_cycle.sum(2).tolist() == [[2, 2, 2, 1, 1], [1, 1, 1, 1, 1]]
    assert found.wrong_by_cycle.tolist() == [[0, 0, 1, 0, 0], [1, 0, 1, 0, 1]]
    # As read: T to G (mate 1), A to G and A to T (mate 2, complements of T to C and T to A).
    assert {(int(a), int(b)) for a, b in np.argwhere(found.substitutions)} == {(3, 2), (0, 2), (0, 3)}
    assert np.allclose(np.sort(found.identity), sorted([4 / 5, 3 / 6 - 1 / 6, 1]))


def test_homopolymers_by_hand(tmp_path):
    # Forward: ACCCGGT read as ACCC-GT with an A inserted after T's first neighbour: deletion of G (run of 2) where
    # the gap begins at molecule base 4, insertion after base 6 (run of 1). Reverse: molecule as read TTTTAC, both of
    # the last two T lost in one gap. The chimera is not counted.
    reads = [("ACCCGTA", "IIIIIII"), ("TTAC", "IIII"), ("GGGG", "IIII")]
    events = (
        "r0000000000 0 c 5 1 4 error G G - .\n"
        "r0000000000 0 c 7 1 6 error - - A 40\n"
        "r0000000001 0 c 14 1 2 error A A - .\n"
        "r0000000001 0 c 13 1 2 error A A - .\n"
    )
    fragments = (
        "r0000000000 1 human 1 d 1 c 0 0 7 + plain\n"
        "r0000000001 1 human 1 d 1 c 10 0 6 - duplicate\n"
        "r0000000002 1 human 1 d 1 c 0 0 2 + chimera\n"
        "r0000000002 2 human 1 d 1 c 0 0 2 + chimera\n"
    )
    found = examine(written(tmp_path, reads, events, fragments))
    assert found.run_bases[:6].tolist() == [0, 4, 2, 3, 4, 0]
    assert found.run_insertions.tolist()[:5] == [0, 1, 0, 0, 0] and found.run_insertions.sum() == 1
    assert found.run_deletions.tolist()[:5] == [0, 0, 1, 0, 1] and found.run_deletions.sum() == 2
    assert found.run_rates[1, 4] == 0.25
    assert found.by_cycle.shape == (1, 0, 94) and found.template == 7 + 6 + 4


def test_nothing_to_count(tmp_path):
    found = examine(written(tmp_path, [("AC", "II"), ("GT", "II")], "", length=2))
    assert sum(found.errors.values()) == 0 and np.isnan(found.empirical_quality).all()
    assert found.identity.tolist() == [1, 1] and found.labels == {}


def test_wrong_folders(tmp_path):
    with pytest.raises(InputError, match="no run.json"):
        examine(tmp_path)
    written(tmp_path, [("AC", "II"), ("GT", "II")], "r0000000007 1 c 1 1 0 error A A C 40\n", length=2)
    with pytest.raises(InputError, match="rows of read r0000000007, which is not there"):
        examine(tmp_path)
    (tmp_path / "run.json").write_text('{"platform": "illumina", "length": 2, "truth": {"events": false}}')
    with pytest.raises(InputError, match=r"truth\.events: false"):
        examine(tmp_path)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "ref.fa.gz"
    genome = phantom_genome(size=500_000).reference
    write_fasta(path, genome.names, [genome.sequence(i) for i in range(len(genome))])
    return path


@pytest.mark.parametrize("platform", ["illumina", "ont", "hifi"])
def test_counts_are_the_simulators_and_as_asked(tmp_path, reference, platform):
    """Everything unusual at once: the truth's rows add up to what the kernels counted, rates to what was asked."""
    number = {"pairs": 4000, "fragment_mean": 160} if platform == "illumina" else {"reads": 500, "length_mean": 2000}
    settings = {"platform": platform, "chimeras": 0.1, "junk": 0.05, "duplicates": 0.1, **number}
    rates = {"substitution": 0.01, "insertion": 0.004, "deletion": 0.006}
    variation = {"snp_rate": 0.01, "indel_rate": 0.002}
    asked = config.Config(reference=reference, reads=settings, errors=rates, variation=variation)
    run = simulate(asked, tmp_path / "out")
    found = examine(tmp_path / "out")
    assert found.errors == run["counts"]["errors"]
    assert found.labels == {name: count for name, count in run["counts"]["labels"].items() if count}
    for name, rate in found.rates.items():
        assert abs(rate - rates[name]) < 5 * np.sqrt(rates[name] / found.template) + 0.05 * rates[name]
    profile = load_profile("default", platform)
    if platform == "illumina":
        assert found.template == run["counts"]["template"]
        quality, _ = cycle_curve(profile, 150)
        # Stated qualities fall as the asked rate exceeds the profile's; the curve's shape stays.
        assert np.corrcoef(quality.ravel(), found.cycle_quality.ravel())[0, 1] > 0.98
        assert found.run_bases.sum() == 0
    else:
        assert found.by_cycle.size == 0
        counted, shape = found.run_rates[:, 1:7], run_curve(profile)[:, 1:7]
        assert np.corrcoef(counted[1], shape[1])[0, 1] > 0.95
