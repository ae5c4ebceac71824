"""Evidence from alignments, known and found; a donor recognised from his own reads; the cone on haplotypes."""

import numpy as np
import pysam
import pytest

from avatarlib.cone.calibration import conformal_threshold
from avatarlib.genomes.fasta import join, write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.genomes.settings import Variation
from avatarlib.genomes.simulate import simulate
from avatarlib.genomes.vcf import write_vcf
from avatarlib.removal.reads import batch_of, batches
from avatarlib.residual import haplotypes
from avatarlib.residual.evidence import Collector, join_evidence, placer
from avatarlib.residual.exam import Exam, load_panel
from avatarlib.residual.experiment import families_world, known_evidence, pieces, populations_world, sequence_donor
from avatarlib.residual.likelihood import genotype_likelihoods, ratios
from avatarlib.residual.panel import Panel, panel_of
from avatarlib.residual.recognition import rank


def small_panel():
    bases = [np.frombuffer(text, np.uint8) for text in (b"ACG", b"GTA")]
    return Panel(("a", "b"), ("", ""), ("c0", "c1"), np.array([0, 0, 1]), np.array([2, 6, 3]), *bases, np.ones((3, 2)))


def test_walk_along_a_cigar():
    collector = Collector(small_panel())
    read = np.frombuffer(b"ttGxxTtt".upper(), np.uint8)  # soft clip 2, match, insertion 2, deletion of 3, match
    cigar = [(4, 2), (0, 1), (1, 2), (2, 3), (0, 3)]
    collector.add(5, 0, 2, cigar, read, np.full(8, 0.1))
    collector.add(6, 1, 3, [(7, 1)], np.frombuffer(b"C", np.uint8), np.array([0.9]))
    found = collector.evidence()
    assert (found.read.tolist(), found.site.tolist(), found.alternative.tolist()) == ([5, 5], [0, 1], [True, True])
    assert found.placed == 2  # the C is neither allele of the third site
    assert found.error.tolist() == [0.1, 0.1]
    both = join_evidence([found, found.of(np.array([7]))])
    assert len(both) == 2 and both.placed == 4
    assert len(Collector(small_panel()).evidence()) == 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    reference = pieces(phantom_genome(size=500_000, seed=3).reference, 10_000)
    return families_world(reference, folder, strangers=60, families=2, snp_rate=0.002, seed=1), folder


def test_truth_and_alignment_agree_on_a_donor(world, tmp_path):
    people, _ = world
    donor, brother = people.families[0]
    folder = sequence_donor(people, donor, tmp_path / "reads", reads=800, length=300, error=0.03, seed=2)
    truth = known_evidence(people, folder)
    write_fasta(
        tmp_path / "reference.fa.gz",
        people.genomes.reference.names,
        (people.genomes.reference.sequence(k) for k in range(len(people.genomes.reference))),
    )
    look = placer(tmp_path / "reference.fa.gz", people.panel)
    parts = [look(batch, np.ones(len(batch), bool)) for batch in batches((folder / "reads.fastq",), most_reads=300)]
    found = join_evidence(parts)
    assert found.placed > 780
    known = set(zip(truth.read.tolist(), truth.site.tolist(), truth.alternative.tolist(), strict=True))
    mine = set(zip(found.read.tolist(), found.site.tolist(), found.alternative.tolist(), strict=True))
    assert len(known & mine) / len(known | mine) > 0.9
    for evidence in (truth, found):
        ratio = ratios(people.panel, genotype_likelihoods(evidence, len(people.panel)))
        assert rank(ratio, donor) == 1
        assert ratio[donor] > ratio[brother] > ratio[people.strangers].mean()


def test_evidence_counted_again_from_the_bam(world, tmp_path):
    people, _ = world
    folder = sequence_donor(people, people.families[1][0], tmp_path / "x", reads=100, length=200, error=0.02, seed=4)
    evidence = known_evidence(people, folder)
    panel = people.panel
    named = [panel.contigs[k] for k in panel.contig]
    place = {key: site for site, key in enumerate(zip(named, panel.position.tolist(), strict=True))}
    again = []
    with pysam.AlignmentFile(str(folder / "truth.bam")) as file:
        for record in file:
            name = record.reference_name.rpartition(".")[0]
            for at, where in record.get_aligned_pairs(matches_only=True):
                site = place.get((name, where))
                base = ord(record.query_sequence[at])
                if site is not None and base in (panel.reference[site], panel.alternative[site]):
                    again.append((int(record.query_name[1:]), site, bool(base == panel.alternative[site])))
    mine = zip(evidence.read.tolist(), evidence.site.tolist(), evidence.alternative.tolist(), strict=True)
    assert sorted(again) == sorted(mine) and len(again) > 100


def test_exam_of_kept_reads_names_nobody(world, tmp_path):
    people, _ = world
    reference = tmp_path / "reference.fa.gz"
    whole = people.genomes.reference
    write_fasta(reference, whole.names, (whole.sequence(k) for k in range(len(whole))))
    write_vcf(tmp_path / "panel.vcf.gz", people.genomes)
    panel = load_panel(tmp_path / "panel.vcf.gz", reference)
    assert np.array_equal(panel.dose, people.panel.dose)
    donor = people.families[0][0]
    folder = sequence_donor(people, donor, tmp_path / "y", reads=400, length=300, error=0.03, seed=5)
    exam = Exam(panel, reference)
    for batch in batches((folder / "reads.fastq",)):
        exam.watch(batch, np.ones(len(batch), bool))
    report = exam.report()
    assert report["people above"] == 1 and report["ahead of the next"] > 5
    assert all(isinstance(value, int | float) for value in report.values())
    nothing = Exam(panel, reference)
    nothing.watch(batch_of([b"r"], [b"ACGT" * 50], []), np.array([False]))
    assert nothing.report()["people above"] == 0 and nothing.report()["reads placed"] == 0


def test_populations_world_has_its_people():
    reference = join(["chr1"], [phantom_genome(size=500_000, seed=3).reference.sequence(0)[:50_000]])
    world = populations_world(reference, people={"YRI": 4, "CEU": 4}, model="OutOfAfrica_3G09", snp_rate=0.001, seed=1)
    assert world.panel.populations == ("YRI",) * 4 + ("CEU",) * 4


def test_distances_are_those_of_the_trees():
    reference = join(["chr1"], [phantom_genome(size=500_000, seed=3).reference.sequence(0)[:40_000]])
    (contig,) = simulate(reference, Variation(donors=6, indel_rate=0, snp_rate=0.002)).contigs
    rows = contig.variants.genotypes.T
    ours = haplotypes.distances(rows, rows) * rows.shape[1]
    theirs = contig.trees.divergence_matrix(mode="site", span_normalise=False)[:-1, :-1]
    np.fill_diagonal(theirs, 0)
    assert np.allclose(ours, theirs)
    assert len(panel_of(simulate(reference, Variation(donors=2, indel_rate=0)))) > 0


def test_altered_copies_are_flagged_and_new_people_mostly_not():
    reference = pieces(phantom_genome(size=500_000, seed=3).reference, 10_000)
    genomes = simulate(reference, Variation(donors=120, indel_rate=0, snp_rate=0.002, ancestry_seed=5))
    autosomes = [c for c in genomes.contigs if len(c.copies) == 240]
    rows = np.concatenate([c.variants.genotypes for c in autosomes]).T
    people = np.repeat(np.arange(120), 2)
    originals, new = rows[people < 80], rows[people >= 80]
    rng = np.random.default_rng(1)
    altered = np.concatenate([
        haplotypes.mutated(originals[:40], 0.1, rng), haplotypes.recombined(originals[:40], 0.2, 20, rng)
    ])  # fmt: skip
    assert (altered != np.concatenate([originals[:40]] * 2)).any(axis=1).all()
    calibration = haplotypes.cone_scores(altered, originals, people[people < 80]).score
    tau = conformal_threshold(calibration, 0.05)
    later = haplotypes.mutated(originals[40:140], 0.1, rng)
    caught = haplotypes.cone_scores(later, originals, people[people < 80]).score <= tau
    alarms = haplotypes.cone_scores(new, originals, people[people < 80]).score <= tau
    assert caught.mean() > 0.85 and alarms.mean() < 0.1
    assert haplotypes.cone_scores(originals[:3], originals, people[people < 80]).score.tolist() == [0, 0, 0]
