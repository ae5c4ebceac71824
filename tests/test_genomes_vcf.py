"""VCF: what is written equals reference and genotypes, round trip, strict reading; known sites with frequencies."""

import gzip

import numpy as np
import pysam
import pysam.bcftools
import pytest

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import join, read_fasta, write_fasta
from avatarlib.genomes.known_sites import read_sites
from avatarlib.genomes.settings import Variation
from avatarlib.genomes.simulate import Contig, Genomes, simulate
from avatarlib.genomes.variants import DELETION, DUPLICATION, INSERTION, INVERSION, SNP, no_variants
from avatarlib.genomes.vcf import read_vcf, write_vcf

LENGTHS = {"chr1": 40_000, "chr2": 300, "chrX": 20_000, "chrY": 9000, "chrM": 12_000}


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(4)
    sequences = [rng.choice(np.frombuffer(b"ACGT", np.uint8), n) for n in LENGTHS.values()]
    sequences[0][1000:1500] = ord("N")
    return join(LENGTHS, sequences)


@pytest.fixture(scope="module")
def genomes(reference):
    return simulate(
        reference, Variation(donors=3, snp_rate=0.01, indel_rate=0.003, sv_rate=2e-4, sv_longest=400, mutation_seed=3)
    )


@pytest.fixture(scope="module")
def written(genomes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vcf")
    write_vcf(folder / "variants.vcf.gz", genomes)
    reference = genomes.reference
    write_fasta(folder / "reference.fa.gz", reference.names, [reference.sequence(k) for k in range(len(reference))])
    return folder / "variants.vcf.gz"


def equal(a, b):
    columns = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in columns)


def test_what_is_written_equals_reference_and_genotypes(genomes, written):
    text = {name: genomes.reference.sequence(k).tobytes().decode() for k, name in enumerate(LENGTHS)}
    with pysam.VariantFile(str(written)) as file:
        assert [(c.name, c.length) for c in file.header.contigs.values()] == list(LENGTHS.items())
        records = list(file)
    expected = [(c, k) for c in genomes.contigs for k in range(len(c.variants))]
    assert len(records) == len(expected) > 1000
    kinds = set()
    for record, (contig, k) in zip(records, expected, strict=True):
        v, p, allele = contig.variants, int(contig.variants.position[k]), contig.variants.allele(k).tobytes().decode()
        assert record.contig == contig.name
        assert record.ref == text[record.contig][record.start : record.stop], "REF is the reference's"
        anchor = text[record.contig][p - 1] if v.kind[k] in (INSERTION, DELETION, DUPLICATION) else ""
        assert (record.start, record.alts) == (p - len(anchor), (anchor + allele,))
        assert len(record.ref) == len(anchor) + v.reference_length[k]
        assert record.info["AA"] == (record.alts[0] if v.reference_is_derived[k] else record.ref)
        columns = {copy: int(v.genotypes[k, j]) for j, copy in enumerate(contig.copies)}
        for donor, call in enumerate(record.samples.values()):
            theirs = tuple(columns[copy] for copy in columns if copy[0] == donor)
            assert call["GT"] == (theirs or (None,)) and (len(theirs) < 2 or call.phased)
        length = {DELETION: -int(v.reference_length[k])}.get(int(v.kind[k]), len(allele))
        structural = v.kind[k] in (INVERSION, DUPLICATION) or abs(length) >= 50
        assert ("SVTYPE" in record.info, "SVLEN" in record.info) == (structural, structural)
        if structural:
            assert record.info["SVLEN"] in (length, (length,))
        kinds.add(record.info["TYPE"])
    assert kinds == {"SNP", "INS", "DEL", "INV", "DUP"}


def test_the_index_finds_records(genomes, written):
    with pysam.VariantFile(str(written)) as file:
        assert len(list(file.fetch("chrX"))) == len(genomes.contigs[2].variants)


def test_bcftools_finds_nothing_to_normalise(written):
    normal = pysam.bcftools.norm("-c", "e", "-f", str(written.parent / "reference.fa.gz"), str(written))
    records = [line for line in normal.splitlines() if not line.startswith("#")]
    assert records == [line for line in gzip.open(written, "rt").read().splitlines() if not line.startswith("#")]


def test_bytes_are_reproducible_and_read_back(genomes, written, tmp_path):
    write_vcf(tmp_path / "again.vcf.gz", genomes)
    for ending in ("", ".tbi"):
        assert (tmp_path / f"again.vcf.gz{ending}").read_bytes() == written.with_name(
            written.name + ending
        ).read_bytes()
    back = read_vcf(written, genomes.reference)
    assert back.donors == genomes.donors
    for a, b in zip(back.contigs, genomes.contigs, strict=True):
        assert (a.name, a.copies, a.trees) == (b.name, b.copies, None) and equal(a.variants, b.variants)


def test_no_variants_and_no_copies(reference, tmp_path):
    empty = simulate(reference, Variation(donors=1, snp_rate=0, indel_rate=0))
    write_vcf(tmp_path / "empty.vcf.gz", empty)
    back = read_vcf(tmp_path / "empty.vcf.gz", reference)
    assert [c.copies for c in back.contigs] == [c.copies for c in empty.contigs]
    assert back.contigs[3].variants.genotypes.shape == (0, 0)


def test_long_contigs_get_the_other_index(tmp_path):
    class Long:
        names = ("long",)

        def __len__(self):
            return 1

        def length(self, _):
            return 1 << 30

        def sequence(self, _):
            return np.zeros(0, np.uint8)

    write_vcf(tmp_path / "v.vcf.gz", Genomes(Long(), [{"donor": "d"}], (Contig("long", (), no_variants(0), None),)))
    assert (tmp_path / "v.vcf.gz.csi").is_file()


SMALL = join(["c", "d"], [b"ACGTACGTNACCCCGT", b"GGGG"])
HEAD = "##fileformat=VCFv4.3\n##contig=<ID=c,length=16>\n"
NAMES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n"


def record(position, ref, alt, *calls, contig="c", info="."):
    calls = calls or ("0|1", "1|0")
    return "\t".join([contig, str(position), ".", ref, alt, ".", ".", info, "GT", *calls]) + "\n"


def small(tmp_path, *records, head=HEAD + NAMES):
    path = tmp_path / "small.vcf"
    path.write_text(head + "".join(records))
    return path


def test_a_users_file(tmp_path):
    path = small(
        tmp_path,
        record(1, "A", "G", "0|0", "1"),
        record(2, "CG", "TC", "1|0", "0"),
        record(4, "T", "TT", "1/1", "1"),
        record(5, "A", "C", "0|1", "0", info="AA=C"),
        record(12, "CCC", "C", "0/0", "1"),
        record(1, "G", "A", ".", "1|1", contig="d"),
    )
    c, d = read_vcf(path, SMALL).contigs
    assert c.copies == ((0, 1), (0, 2), (1, 1)) and d.copies == ((1, 1), (1, 2))
    assert c.variants.position.tolist() == [0, 1, 2, 4, 4, 12]
    assert c.variants.kind.tolist() == [SNP, SNP, SNP, INSERTION, SNP, DELETION]
    assert c.variants.alleles.tobytes() == b"GTCTC"
    assert c.variants.genotypes.tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]]
    assert c.variants.reference_is_derived.tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([record(2, "A", "G")], "line 4: position 2: REF is A, the reference has C: use the FASTA"),
        ([record(2, "C", "C")], "line 4: REF is ALT"),
        ([record(99, "A", "G")], "line 4: position 99 is outside c"),
        ([record("x", "A", "G")], "line 4: POS 'x' is no position"),
        ([record(1, "A", "G", contig="e")], "line 4: no contig 'e'"),
        ([record(1, "A", "G,T")], "line 4: several alternative alleles"),
        ([record(1, "A", "<DEL>")], "line 4: REF and ALT must be spelt out"),
        ([record(9, "N", "A")], "line 4: REF and ALT must be spelt out"),
        ([record(2, "CG", "TAT")], "line 4: a replacement"),
        ([record(1, "A", "CA")], "line 4: an insertion or deletion at the contig's first base"),
        ([record(1, "ACG", "A"), record(3, "G", "T")], "line 5: overlaps"),
        ([record(4, "T", "TA"), record(4, "T", "A")], "line 5: overlaps"),
        ([record(4, "T", "A"), record(3, "G", "T")], "line 5: overlaps the record before it, or isn't sorted"),
        ([record(1, "G", "T", contig="d"), record(3, "G", "T")], "line 5: contigs are not in the reference's order"),
        ([record(1, "A", "G", "0/1", "0|0")], "line 4: genotype '0/1': write phased"),
        ([record(1, "A", "G", ".|.", "0|0")], "line 4: genotype"),
        ([record(1, "A", "G", "0|2", "0|0")], "line 4: genotype"),
        ([record(1, "A", "G", "0|1")], "line 4: 10 columns"),
        ([record(1, "A", "G"), record(3, "G", "T", "0", "0|1")], "line 5: donors have other numbers of copies"),
    ],
)
def test_bad_records(tmp_path, records, said):
    with pytest.raises(InputError, match=said) as caught:
        read_vcf(small(tmp_path, *records), SMALL)
    assert str(caught.value).startswith(str(tmp_path / "small.vcf"))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("", "empty"),
        (">c\nACGT\n", "no VCF"),
        (HEAD, "no line #CHROM"),
        (HEAD + NAMES.replace("\tFORMAT\ta\tb", ""), "line 3: expected the header"),
        (HEAD + NAMES.replace("\tb", "\ta"), "line 3: a donor is there twice"),
        (HEAD.replace("16", "17") + NAMES, "line 2: contig c has 17 bases, the reference's 16"),
    ],
)
def test_bad_headers(tmp_path, head, said):
    with pytest.raises(InputError, match=said):
        read_vcf(small(tmp_path, head=head), SMALL)


def test_damaged_files(tmp_path, written, reference):
    with pytest.raises(InputError, match="can't be read"):
        read_vcf(tmp_path / "none.vcf", SMALL)
    (tmp_path / "half.vcf.gz").write_bytes(written.read_bytes()[:3000])
    with pytest.raises(InputError, match="cut off"):
        read_vcf(tmp_path / "half.vcf.gz", reference)
    (tmp_path / "latin.vcf").write_bytes((HEAD + "##x=é\n").encode("latin-1"))
    with pytest.raises(InputError, match="line 3: no UTF-8"):
        read_vcf(tmp_path / "latin.vcf", SMALL)


SITES = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def site(position, ref, alt, info, contig="c"):
    return "\t".join([contig, str(position), ".", ref, alt, ".", ".", info]) + "\n"


def from_sites(path, reference=SMALL, **settings):
    return simulate(reference, Variation(model="known_sites", sites=path, **settings))


def test_known_sites(tmp_path):
    path = small(
        tmp_path,
        site(1, "A", "G", "AF=0.5;EUR_AF=1;AFR_AF=0;AA=G|||"),
        site(2, "C", "A,T", "EUR_AF=0.2,0;AFR_AF=0,1"),
        site(2, "CG", "C", "EUR_AF=1;AFR_AF=1"),
        site(5, "A", "<CN0>", "EUR_AF=1;AFR_AF=1"),
        site(6, "C", "A", "EUR_AF=1"),
        site(7, "GT", "AAA", "EUR_AF=1;AFR_AF=1"),
        site(13, "C", "CC", "EUR_AF=1;AFR_AF=1"),
        site(14, "C", "A", "EUR_AF=1;AFR_AF=1", contig="other"),
        site(14, "C", "CA", "EUR_AF=0;AFR_AF=0"),
        head=SITES,
    )
    found = from_sites(path, populations={"EUR": 1, "AFR": 1})
    c = found.contigs[0]
    assert [person["population"] for person in found.donors] == ["EUR", "AFR"]
    assert c.variants.position.tolist() == [0, 1, 10]
    assert c.variants.alleles.tobytes() == b"GTC", "the most frequent alternative; indels left-aligned"
    assert c.variants.genotypes.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]
    assert c.variants.reference_is_derived.tolist() == [True, False, False]
    assert found.left_out == {
        "sites that overlap another": 1,
        "sites with symbolic alleles": 1,
        "sites without frequency": 1,
        "sites with complex alleles": 1,
        "sites of contigs that the reference hasn't": 1,
    }
    assert c.trees is None and len(found.contigs[1].variants) == 0


def test_known_sites_have_their_frequencies(tmp_path):
    reference = join(["c"], [b"ACGT" * 5000])
    frequency = np.random.default_rng(2).beta(0.5, 0.5, 10_000).round(3)
    records = [site(2 * k + 1, "AG"[k % 2], "CA"[k % 2], f"AF={f}") for k, f in enumerate(frequency)]
    path = small(tmp_path, *records, head=SITES)
    found = from_sites(path, reference, donors=20)
    carried = np.zeros(10_000)
    variants = found.contigs[0].variants
    carried[variants.position // 2] = variants.genotypes.mean(axis=1)
    assert abs(carried - frequency).max() < 0.45
    assert carried.mean() == pytest.approx(frequency.mean(), abs=0.005)
    again = from_sites(path, reference, donors=20, ancestry_seed=77).contigs[0].variants
    other = from_sites(path, reference, donors=20, mutation_seed=77).contigs[0].variants
    assert equal(variants, again) and not equal(variants, other)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "no sites"),
        ([site(1, "C", "G", "AF=1")], "line 3: position 1: REF is C, the reference has A"),
        ([site(1, "A", "G", "AF=1.5")], "line 3: AF=1.5: expected a number from 0 to 1"),
        ([site(1, "A", "G", "AF=nan")], "line 3: AF=nan"),
        ([site(1, "A", "G", "AF=1,0")], "line 3: AF=1,0"),
        ([site(1, "A", "G", "EUR_AF=0.1")], "no frequencies AF: populations are EUR"),
        ([site(1, "A", "G", "AF=1", contig="z")], "no site can be used"),
        (["c\t1\tA\n"], "line 3: 3 columns"),
    ],
)
def test_bad_sites(tmp_path, records, said):
    with pytest.raises(InputError, match=said):
        from_sites(small(tmp_path, *records, head=SITES))


@pytest.mark.mirror
def test_real_sites(mirror, tmp_path):
    folder = mirror / "sequences" / "human"
    reference, sites = read_fasta(folder / "vg_1mb1kgp.fa.gz"), folder / "vg_1mb1kgp.sites.vcf.gz"
    found = from_sites(sites, reference, populations={"EUR": 2, "AFR": 1})
    read, _ = read_sites(sites, reference, ["EUR", "AFR"])
    frequency = np.array([f for *_, f in read[0]])
    heterozygous = (
        found.contigs[0].variants.genotypes[:, [0, 2, 4]] != found.contigs[0].variants.genotypes[:, [1, 3, 5]]
    )
    expected = (2 * frequency * (1 - frequency)).sum(axis=0)[[0, 0, 1]]
    assert heterozygous.sum(axis=0) == pytest.approx(expected, rel=0.15)
    write_vcf(tmp_path / "v.vcf.gz", found)
    assert equal(read_vcf(tmp_path / "v.vcf.gz", reference).contigs[0].variants, found.contigs[0].variants)
    assert sum(found.left_out.values()) < 0.01 * len(read[0])
