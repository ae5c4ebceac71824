"""Variation: rates, invariants of variants, agreement of genotypes with genealogies, seeds, relatives, bad input."""

import itertools
from types import SimpleNamespace

import msprime
import numpy as np
import pytest
from pydantic import ValidationError

from avatarlib.errors import InputError
from avatarlib.genomes import simulate as module
from avatarlib.genomes.ancestry import bundles, genealogies
from avatarlib.genomes.demography import history, pair_age
from avatarlib.genomes.fasta import join
from avatarlib.genomes.people import copies_of, donors_table
from avatarlib.genomes.placement import CODES, left_align
from avatarlib.genomes.settings import Variation
from avatarlib.genomes.simulate import simulate
from avatarlib.genomes.variants import DELETION, DUPLICATION, INSERTION, INVERSION, SNP, first_base

COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
SPLIT = """\
time_units: generations
demes:
- name: old
  epochs: [{start_size: 10000, end_time: 2000}]
- {name: A, ancestors: [old], epochs: [{start_size: 1000}]}
- {name: B, ancestors: [old], epochs: [{start_size: 500, end_size: 20000}]}
"""


def reference(letters="ACGT", **lengths):
    rng = np.random.default_rng(7)
    return join(lengths, [rng.choice(np.frombuffer(letters.encode(), np.uint8), n) for n in lengths.values()])


def one(settings, **lengths):
    found = simulate(reference(**(lengths or {"c": 100_000})), settings)
    return found.contigs[0].variants, found


def differences(variants, a, b, kinds=(SNP,)):
    return int((variants.genotypes[:, a] != variants.genotypes[:, b])[np.isin(variants.kind, kinds)].sum())


def copy_of(sequence, variants, k):
    text = sequence.tobytes()
    p, r, allele = int(variants.position[k]), int(variants.reference_length[k]), variants.allele(k).tobytes()
    return text[:p] + allele + text[p + r :]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


def check_invariants(variants, sequence):
    text, end = sequence.tobytes(), -1
    removed, offsets = variants.reference_length, variants.allele_offsets
    assert [x.dtype for x in vars(variants).values()] == [
        np.dtype(t) for t in ("int64", "int32", "int64", "uint8", "uint8", "bool", "int8")
    ]
    assert offsets[0] == 0 and offsets[-1] == len(variants.alleles)
    for k in range(len(variants)):
        p, r, kind, allele = int(variants.position[k]), int(removed[k]), variants.kind[k], variants.allele(k).tobytes()
        first, size = int(first_base(kind, p)), len(allele)
        assert (r, size) == {SNP: (1, 1), DELETION: (r, 0), INVERSION: (size, size)}.get(kind, (0, size)) and r + size
        assert 0 <= first and p < len(text)
        assert first > end, "two variants share a base"
        assert kind == SNP or p > end + 1, "no unchanged base before an indel"
        end = p + r - 1 if kind == SNP else p + r  # one unchanged base after anything but a SNP
        assert set(text[first : p + r]) | set(allele) <= set(b"ACGT")
        assert text[p : p + r] != allele
        if kind == INVERSION:
            assert allele == text[p : p + r].translate(COMPLEMENT)[::-1] and allele[0] != text[p]
        elif kind == DUPLICATION:
            assert allele == text[p : p + size]
        if kind in (INSERTION, DELETION, DUPLICATION):  # left-aligned: no allele one base to the left does the same
            changed = copy_of(sequence, variants, k)
            assert text[: p - 1] + changed[p - 1 : p - 1 + size] + text[p - 1 + r :] != changed
    assert variants.genotypes.any(axis=1).all()


def test_pairwise_differences_are_the_rates_asked():
    settings = Variation(
        donors=3, snp_rate=0.002, indel_rate=0.001, sv_rate=2e-5, sv_longest=100, recombination_rate=2e-7
    )
    length, totals = 50_000, np.zeros(3)
    pairs = [(a, b) for a, b in itertools.combinations(range(6), 2) if a // 2 != b // 2]
    for seed in range(12):
        variants, _ = one(settings.model_copy(update={"ancestry_seed": seed, "mutation_seed": 50 + seed}), c=length)
        size = np.maximum(variants.reference_length, np.diff(variants.allele_offsets))
        long = size >= 50
        different = [variants.genotypes[:, a] != variants.genotypes[:, b] for a, b in pairs]
        for d in different:
            short = d & ~long
            totals += [(short & (variants.kind == SNP)).sum(), (short & (variants.kind != SNP)).sum(), (d & long).sum()]
    snp, indel, sv = totals / (12 * len(pairs) * length)
    assert snp == pytest.approx(0.002, rel=0.06)
    assert indel == pytest.approx(0.001, rel=0.08)
    assert sv == pytest.approx(2e-5, rel=0.3)


def test_types_and_lengths():
    settings = Variation(snp_rate=0.05, indel_rate=0.01, ts_tv=3, insertion_share=0.3, indel_mean_length=4)
    variants, found = one(settings, c=300_000)
    sequence = found.reference.sequence(0)
    old = CODES[sequence[variants.position[variants.kind == SNP]]]
    new = CODES[variants.alleles[variants.allele_offsets[:-1][variants.kind == SNP]]]
    transitions = ((old ^ new) == 2).sum()
    assert transitions / (len(old) - transitions) == pytest.approx(3, rel=0.05)
    inserted, deleted = variants.kind == INSERTION, variants.kind == DELETION
    assert inserted.sum() / (inserted | deleted).sum() == pytest.approx(0.3, abs=0.02)
    lengths = np.where(deleted, variants.reference_length, np.diff(variants.allele_offsets))[inserted | deleted]
    assert lengths.mean() == pytest.approx(4, rel=0.05) and lengths.max() <= 49
    assert (lengths == 1).mean() == pytest.approx(0.25, abs=0.02)  # geometric
    assert variants.reference_is_derived.mean() == pytest.approx(0.8 / (1 + 1 / 2 + 1 / 3 + 1 / 4), abs=0.06)
    copies = [variants.allele(k).tobytes() for k in np.flatnonzero(inserted)]
    after = [sequence[p : p + len(a)].tobytes() for p, a in zip(variants.position[inserted], copies, strict=True)]
    long = [a == b for a, b in zip(copies, after, strict=True) if len(a) > 3]
    assert np.mean(long) == pytest.approx(0.5, abs=0.06)  # slippage
    check_invariants(variants, sequence)


def test_structural_variants():
    variants, found = one(Variation(snp_rate=0, indel_rate=0, sv_rate=2e-4, sv_longest=500), c=400_000)
    size = np.maximum(variants.reference_length, np.diff(variants.allele_offsets))
    assert set(variants.kind.tolist()) == {INSERTION, DELETION, INVERSION, DUPLICATION}
    assert size.min() >= 50 and size.max() <= 500
    assert np.median(size) == pytest.approx(np.sqrt(50 * 500), rel=0.25)  # log-uniform
    check_invariants(variants, found.reference.sequence(0))


@pytest.mark.parametrize("letters", ["A", "AC", "AAAAAAAAAAACN", "ACGTRYN"])
def test_invariants_in_repeats_and_unknown_bases(letters):
    settings = Variation(snp_rate=0.1, indel_rate=0.05, sv_rate=0.001, sv_longest=60, indel_mean_length=2)
    variants, found = one(settings, letters=letters, c=4000, d=1, e=2, f=3, g=60)
    assert len(variants) > 5
    for contig, done in enumerate(found.contigs):
        check_invariants(done.variants, found.reference.sequence(contig))


def test_left_alignment_equals_brute_force():
    rng = np.random.default_rng(3)
    for _ in range(300):
        text = rng.choice(np.frombuffer(b"AC", np.uint8), 14)
        at, size = int(rng.integers(1, 11)), int(rng.integers(1, 4))
        allele = rng.choice(np.frombuffer(b"AC", np.uint8), size) if rng.random() < 0.5 else text[:0]
        removed = 0 if len(allele) else size

        def changed(p, inserted, text=text, removed=removed):
            return text[:p].tobytes() + inserted + text[p + removed :].tobytes()

        wanted = changed(at, allele.tobytes())
        best = next(p for p in range(at + 1) if changed(p, wanted[p : p + len(allele)]) == wanted)
        bases = CODES[allele]
        found = left_align(CODES[text], at, size, bases, 0)
        assert found == best
        assert changed(found, b"".join(b"ACGT"[c : c + 1] for c in bases)) == wanted


def test_gaps_get_nothing_and_give_nothing_to_their_neighbours():
    known = reference(c=200_000).sequence(0)
    half = known.copy()
    half[50_000:150_000] = ord("N")
    settings = Variation(snp_rate=0.01, indel_rate=0.001)
    whole, gapped = (simulate(join(["c"], [s]), settings).contigs[0].variants for s in (known, half))
    outside = (whole.position < 50_000) | (whole.position >= 150_000)
    assert not ((gapped.position >= 50_000) & (gapped.position < 150_000)).any()
    assert abs(len(gapped) - outside.sum()) <= 0.01 * outside.sum()


def test_genotypes_are_those_of_the_genealogy():
    found = simulate(
        reference(c=60_000, d=4000, chrX=20_000),
        Variation(donors=3, snp_rate=0.01, indel_rate=0.002, sv_rate=1e-4, sv_longest=300),
    )
    for contig, done in enumerate(found.contigs):
        variants, trees, text = done.variants, done.trees, found.reference.sequence(contig).tobytes()
        assert trees.sequence_length == len(text) and trees.num_samples == len(done.copies) + 1
        assert len(variants) == trees.num_sites == trees.num_mutations
        assert trees.sites_position.tolist() == first_base(variants.kind, variants.position).tolist()
        matrix = trees.genotype_matrix()
        for k, site in enumerate(trees.sites()):
            first, p, r = int(site.position), int(variants.position[k]), int(variants.reference_length[k])
            ref, alt = text[first : p + r].decode(), (text[first:p] + variants.allele(k).tobytes()).decode()
            states = np.array([site.ancestral_state, site.mutations[0].derived_state])
            assert sorted(states) == sorted([ref, alt])
            assert variants.reference_is_derived[k] == (states[1] == ref)
            carried = states[matrix[k]]
            assert carried[-1] == ref, "the reference leaf carries REF"
            assert ((carried[:-1] == alt) == variants.genotypes[k]).all()
        samples = range(len(done.copies))
        pairs = itertools.combinations(samples, 2)
        counted = np.mean([(variants.genotypes[:, a] != variants.genotypes[:, b]).sum() for a, b in pairs])
        assert trees.diversity(samples, span_normalise=False) == pytest.approx(counted)


def test_donors_in_the_genealogy():
    found = simulate(reference(chrX=5000, chrY=5000), Variation(donors=3))
    x, y = found.contigs
    assert x.copies == ((0, 1), (0, 2), (1, 1), (2, 1), (2, 2)) and y.copies == ((1, 1),)
    owners = [x.trees.individual(x.trees.node(s).individual).metadata["donor"] for s in range(5)]
    assert owners == ["donor001", "donor001", "donor002", "donor003", "donor003"]
    assert x.trees.node(5).individual == -1
    assert [person["sex"] for person in found.donors] == ["female", "male", "female"]


def test_streams_are_independent():
    settings = Variation(snp_rate=0.005, indel_rate=0.001, sv_rate=2e-5)
    base = simulate(reference(a=20_000, b=30_000), settings)
    again = simulate(reference(a=20_000, b=30_000), settings)
    other = simulate(reference(a=20_000, b=30_000), settings.model_copy(update={"mutation_seed": 9}))
    alone = simulate(join(["b"], [base.reference.sequence(1)]), settings)
    moved = simulate(reference(a=20_000, b=30_000), settings.model_copy(update={"ancestry_seed": 9}))
    for contig in (0, 1):
        assert equal(base.contigs[contig].variants, again.contigs[contig].variants)
        assert base.contigs[contig].trees.tables.equals(again.contigs[contig].trees.tables)
        assert base.contigs[contig].trees.tables.edges.equals(other.contigs[contig].trees.tables.edges)
        assert not equal(base.contigs[contig].variants, other.contigs[contig].variants)
        assert not base.contigs[contig].trees.tables.edges.equals(moved.contigs[contig].trees.tables.edges)
    assert equal(base.contigs[1].variants, alone.contigs[0].variants)


def test_a_higher_rate_or_another_class_keeps_the_variants():
    def snps(**rates):
        variants, _ = one(Variation(**{"indel_rate": 0, **rates}))
        at = np.flatnonzero(variants.kind == SNP)
        return {(int(variants.position[k]), bytes(variants.allele(k)), bytes(variants.genotypes[k])) for k in at}

    few = snps(snp_rate=0.001)
    assert few < snps(snp_rate=0.004)
    assert len(few - snps(snp_rate=0.001, indel_rate=0.002, sv_rate=5e-5)) <= 0.1 * len(few)


def test_rates_of_nothing_and_of_too_much():
    empty, found = one(Variation(snp_rate=0, indel_rate=0))
    assert len(empty) == 0 and empty.genotypes.shape == (0, 4) and found.contigs[0].trees.num_sites == 0
    variants, found = one(Variation(snp_rate=0.2, donors=1000), c=40)
    check_invariants(variants, found.reference.sequence(0))
    assert found.left_out["SNPs without room"] > 0 and len(variants) > 30


def test_ages_of_pairs(tmp_path):
    path = tmp_path / "split.yml"
    path.write_text(SPLIT)
    past = history(Variation(model=str(path)))
    assert past.living == ("A", "B")
    assert pair_age(past, ["A", "B"]) == pytest.approx(22_000, rel=0.002)
    # Within A: a pair meets in 2000 generations of 1/2000 each, or in the ancestor.
    inside = 2000 * (1 - np.exp(-1)) + 20_000 * np.exp(-1)
    assert pair_age(past, ["A"]) == pytest.approx(inside, rel=0.002)
    assert pair_age(past, ["A", "A", "B"]) == pytest.approx((inside + 2 * 22_000) / 3, rel=0.002)
    trees = msprime.sim_ancestry({"B": 1}, demography=past.demography, num_replicates=4000, random_seed=5)
    assert pair_age(past, ["B"]) == pytest.approx(np.mean([t.node(t.first().root).time for t in trees]), rel=0.06)


def test_demes_file_and_populations(tmp_path):
    path = tmp_path / "split.yml"
    path.write_text(SPLIT)
    settings = Variation(model=str(path), populations={"B": 1, "A": 2}, snp_rate=0.005, recombination_rate=1e-7)
    variants, found = one(settings)
    assert [person["population"] for person in found.donors] == ["B", "A", "A"]
    within, between = differences(variants, 2, 4), differences(variants, 0, 2)
    assert between > 1.5 * within
    trees = found.contigs[0].trees
    names = [trees.population(trees.node(s).population).metadata["name"] for s in trees.samples()]
    assert names == ["B", "B", "A", "A", "A", "A", "A"]


def test_catalogue():
    settings = Variation(model="OutOfAfrica_3G09", populations={"YRI": 1, "CHB": 1})
    past = history(settings)
    assert past.home == "CEU"
    assert pair_age(past, ["YRI", "CHB"]) == pytest.approx(17_545, rel=0.01)  # msprime's own, converged mean
    for model, said in (("OutOfNowhere", "OutOfAfrica_3G09"), ("Nobody:x", "unknown species"), ("HomSap:x", "Zigzag")):
        with pytest.raises(InputError, match=said):
            history(Variation(model=model))
    with pytest.raises(InputError, match="choose from YRI, CEU, CHB"):
        history(Variation(model="OutOfAfrica_3G09", populations={"EUR": 1}))


def test_bad_models(tmp_path):
    broken = tmp_path / "broken.yml"
    broken.write_text("demes: [")
    apart = tmp_path / "apart.yaml"
    deme = "- {{name: {}, epochs: [{{start_size: 9}}]}}\n"
    apart.write_text("time_units: generations\ndemes:\n" + deme.format("A") + deme.format("B"))
    for model, said in ((str(tmp_path / "none.yml"), "can't be read"), (str(broken), "no demes model")):
        with pytest.raises(InputError, match=said):
            history(Variation(model=model))
    with pytest.raises(InputError, match="no common ancestor"):
        one(Variation(model=str(apart), populations={"A": 1, "B": 1}))
    with pytest.raises(InputError, match="no living population 'B': choose from all"):
        one(Variation(populations={"B": 1}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"donors": 0},
        {"snp_rate": -1},
        {"snp_rate": float("nan")},
        {"colour": 1},
        {"sv_shortest": 100, "sv_longest": 50},
        {"indel_mean_length": 60},
        {"model": "known_sites"},
        {"sites": "x.vcf"},
        {"donors": 2, "populations": {"all": 3}},
        {"populations": {"all": 0}},
    ],
)
def test_bad_settings(wrong):
    with pytest.raises(ValidationError):
        Variation(**wrong)


FAMILY = """\
donor,father,mother,sex
son,dad,mum,
dad,,,
mum,granddad,,
girl,dad,mum,female
granddad,,,male
son2,dad,mum,M
"""


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    path = tmp_path_factory.mktemp("family") / "pedigree.csv"
    path.write_text(FAMILY)
    settings = Variation(pedigree=path, snp_rate=0.01, recombination_rate=5e-8)
    found = simulate(reference(chr1=200_000, chrX=150_000, chrY=50_000, chrM=16_000), settings)
    number = {person["donor"]: i for i, person in enumerate(found.donors)}

    def copies(contig, donor):
        done = found.contigs[contig]
        columns = [k for k, (owner, _) in enumerate(done.copies) if owner == number[donor]]
        return [done.variants.genotypes[:, k] for k in columns]

    return SimpleNamespace(found=found, copies=copies)


def mosaic(child, first, second):
    """Fewest changes between the two copies of a parent that make the child's, -1 where none do."""
    switches, now = 0, None
    for c, a, b in zip(child, first, second, strict=True):
        if a == b:
            if c != a:
                return -1
            continue
        source = 0 if c == a else 1
        switches += now is not None and source != now
        now = source
    return switches


def test_children_have_their_parents_copies(family):
    donors = family.found.donors
    assert [p["sex"] for p in donors] == ["female", "male", "female", "female", "male", "male"]
    assert (donors[0]["father"], donors[0]["mother"], donors[1]["father"]) == ("dad", "mum", "")
    for child in ("girl", "son2", "son"):
        first, second = family.copies(0, child)
        assert 0 <= mosaic(first, *family.copies(0, "dad")) < 12
        assert 0 <= mosaic(second, *family.copies(0, "mum")) < 12
    genotype = {name: sum(family.copies(0, name)) for name in ("girl", "dad", "mum", "granddad")}
    for child, parent in (("girl", "dad"), ("girl", "mum"), ("mum", "granddad")):
        assert abs(genotype[child] - genotype[parent]).max() == 1, "no opposite homozygotes"
    assert abs(genotype["dad"] - genotype["mum"]).max() == 2, "the founders are not related"


def test_sex_chromosomes_and_mitochondria_descend(family):
    copies = family.copies
    assert len(copies(1, "dad")) == 1 and len(copies(1, "mum")) == 2
    assert 0 <= mosaic(copies(1, "son2")[0], *copies(1, "mum")) < 9
    assert (copies(1, "girl")[0] == copies(1, "dad")[0]).all(), "a father's X is passed on whole"
    assert 0 <= mosaic(copies(1, "girl")[1], *copies(1, "mum")) < 9
    assert (copies(1, "mum")[0] == copies(1, "granddad")[0]).all()
    assert (copies(2, "son2")[0] == copies(2, "dad")[0]).all()
    assert (copies(2, "son2")[0] != copies(2, "granddad")[0]).any()
    assert copies(2, "girl") == []
    assert (copies(3, "girl")[0] == copies(3, "mum")[0]).all() and (copies(3, "son2")[0] == copies(3, "mum")[0]).all()
    assert (copies(3, "girl")[0] != copies(3, "dad")[0]).any()


def test_either_copy_of_a_parent_is_passed_on(tmp_path):
    path = tmp_path / "pedigree.csv"
    path.write_text("donor,father,mother\ndad,,\nmum,,\n" + "".join(f"k{i},dad,mum\n" for i in range(40)))
    variants, _ = one(Variation(pedigree=path, snp_rate=0.01, recombination_rate=0))
    for parent in (0, 1):
        from_first = [
            (variants.genotypes[:, 4 + 2 * k + parent] == variants.genotypes[:, 2 * parent]).all() for k in range(40)
        ]
        assert 8 <= sum(from_first) <= 32


def test_sizes_of_sex_chromosomes_and_mitochondria():
    settings = Variation(donors=12, recombination_rate=1e-6)
    past = history(settings)
    names = {"c": 30_000, "X": 30_000, "Y": 50, "chrY": 50, "M": 50, "MT": 50, "chrM": 50, "chrMT": 50}
    ref, ages = reference(**names), {name: [] for name in names}
    for seed in range(15):
        seeded = settings.model_copy(update={"ancestry_seed": seed})
        donors, _ = donors_table(seeded, ref.names, past.home)
        for bundle in genealogies(ref, seeded, past, donors, None):
            ages[ref.names[bundle.contigs[0]]].append(bundle.trees.diversity(mode="branch") / 2)
    assert np.mean(ages["c"]) == pytest.approx(20_000, rel=0.05)
    assert np.mean(ages["X"]) == pytest.approx(15_000, rel=0.05)
    quarter = [age for name, found in ages.items() if name not in "cX" for age in found]
    assert np.mean(quarter) == pytest.approx(5_000, rel=0.2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("donor,father\na,\n", "line 1: the columns must be"),
        ("donor,father,mother,donor\na,,,a\n", "line 1: the columns must be"),
        ("donor,father,mother\n", "no donors"),
        ("donor,father,mother\na,b,\n", "line 2: father 'b' has no line"),
        ("donor,father,mother\na,,\na,,\n", "line 3: donor 'a' is there twice"),
        ("donor,father,mother\na,b,\nc,,b\nb,,\n", "line 3: mother 'b' is male elsewhere"),
        ("donor,father,mother,sex\na,b,,\nb,,,female\n", "line 2: father 'b' is female"),
        ("donor,father,mother,sex\na,,,x\n", "line 2: sex 'x'"),
        ("donor,father,mother\na,b,\nb,a,\n", "'a' is their own ancestor"),
        ("donor,father,mother\na,a,\n", "'a' is their own ancestor"),
        ("donor,father,mother\na|b,,\n", "can't name a donor"),
        ("donor,father,mother\na,,,,\n", "line 2: more fields"),
        ("donor,father,mother\n\xff,,\n", "no CSV in UTF-8"),
    ],
)
def test_bad_pedigrees(tmp_path, text, said):
    path = tmp_path / "pedigree.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        simulate(reference(c=100), Variation(pedigree=path))


def test_more_pedigree_errors(tmp_path):
    path = tmp_path / "pedigree.csv"
    with pytest.raises(InputError, match="can't be read"):
        simulate(reference(c=100), Variation(pedigree=path))
    path.write_text("donor,father,mother\na,,\n")
    with pytest.raises(InputError, match="1 donors, but 2 were asked"):
        simulate(reference(c=100), Variation(pedigree=path, donors=2))


def test_copies_by_sex():
    sexes = ["female", "male", ""]
    assert copies_of("chr1", sexes) == ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2))
    assert copies_of("X", sexes) == ((0, 1), (0, 2), (1, 1), (2, 1), (2, 2))
    assert copies_of("chrY", sexes) == ((1, 1),)
    assert copies_of("MT", sexes) == ((0, 1), (1, 1), (2, 1))


def test_a_contig_that_nobody_has():
    variants, found = one(Variation(donors=1), chrY=5000)
    assert variants.genotypes.shape == (0, 0) and found.contigs[0].trees is None


def test_short_contigs_share_genealogies(monkeypatch):
    small = {f"s{k}": 9000 for k in range(130)}
    lengths = {"a": 100, "b": 200, "chrM": 300, "c": 20_000, "d": 1, **small}
    ref = reference(**lengths)
    groups = bundles(ref)
    assert [name for group in groups for name in (ref.names[c] for c in group)] == list(lengths)
    assert groups[:3] == [(0, 1), (2,), (3,)] and [len(g) for g in groups[3:]] == [112, 19]
    found = simulate(ref, Variation(snp_rate=0.01))
    assert all(c.trees.sequence_length == n for c, n in zip(found.contigs, lengths.values(), strict=True))
    for contig, done in enumerate(found.contigs):
        check_invariants(done.variants, ref.sequence(contig))
        states = done.trees.genotype_matrix()
        assert ((states[:, :-1] != states[:, -1:]) == done.variants.genotypes).all()
    monkeypatch.setattr(module, "MOST_TREES", 100)
    without = simulate(ref, Variation(snp_rate=0.01))
    assert [c.name for c in without.contigs if c.trees] == ["chrM", "c"]
    assert all(equal(a.variants, b.variants) for a, b in zip(found.contigs, without.contigs, strict=True))
