"""`verify` against a folder written by hand: it agrees with it, and with no folder in which a byte was changed."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from avatarlib.errors import InputError
from avatarlib.reads.verify import Report, verify

pysam = pytest.importorskip("pysam")

REFERENCE = "ACGTTGCATCAGGATCTTACCGATGCAAGTCTGGACTTCAGATCCGTAATGCTAGGTCAA"
VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=60>
#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT d1 d2
chr1 10 . C T . . . GT 1|0 0|0
chr1 20 . C CGGA . . . GT 1|0 0|1
chr1 32 . TGG T . . . GT 0|1 1|1
"""
HAPLOTYPES = """>chr1|d1|1
ACGTTGCATTAGGATCTTACGGACGATGCAAGTCTGGACTTCAGATCCGTAATGCTAGGT
CAA
>chr1|d1|2
ACGTTGCATCAGGATCTTACCGATGCAAGTCTACTTCAGATCCGTAATGCTAGGTCAA
>chr1|d2|1
ACGTTGCATCAGGATCTTACCGATGCAAGTCTACTTCAGATCCGTAATGCTAGGTCAA
>chr1|d2|2
ACGTTGCATCAGGATCTTACGGACGATGCAAGTCTACTTCAGATCCGTAATGCTAGGTCA
A
"""
FRAGMENTS = """read part source human donor haplotype contig start offset length strand kind
r0000000000 1 human 1 d1 1 chr1 4 0 30 + plain
r0000000001 1 human 1 d1 2 chr1 20 0 30 - plain
r0000000002 1 human 1 d1 1 chr1 4 0 30 + duplicate
r0000000003 1 human 1 d2 2 chr1 20 2 8 + plain
r0000000004 1 * 0 * 0 * 0 0 12 + junk
r0000000005 1 human 1 d2 1 chr1 0 0 20 + chimera
r0000000005 2 human 1 d1 1 chr1 34 0 20 + chimera
r0000000006 1 human 1 d2 1 chr1 26 0 20 + plain
"""
EVENTS = """read mate contig position haplotype read_position class reference haplotype_base read_base quality
r0000000000 1 chr1 10 1 5 variant C T T 37
r0000000000 1 chr1 13 1 8 error G G A 20
r0000000000 2 chr1 20 1 11 variant - A A 37
r0000000001 1 chr1 48 2 4 error A A - .
r0000000001 2 chr1 23 2 3 error - - CC 37
r0000000002 1 chr1 10 1 5 error_reverts_variant C T C 37
r0000000002 2 chr1 20 1 11 error_on_variant - A C 37
r0000000003 1 chr1 20 2 0 variant - GA GA 37
r0000000003 1 * 0 0 8 adapter - - TTGC 37
r0000000003 2 chr1 20 2 6 variant - GA GA 37
r0000000003 2 * 0 0 8 adapter - - CCAA 37
r0000000004 1 * 0 0 0 junk - - ACACACACACAC 37
r0000000004 2 * 0 0 0 junk - - GTGTGTGTGTGT 37
r0000000005 1 chr1 10 1 9 error_mimics_variant C C T 37
r0000000006 1 chr1 33 1 6 variant GG - - 37
"""
F = "F" * 12
READS = {  # bases and qualities as sequenced, bases without errors
    (0, 1): ("TGCATTAGAATC", "FFFFFFFF5FFF", "TGCATTAGGATC"),
    (0, 2): ("GACTTGCATCGT", F, "GACTTGCATCGT"),
    (1, 1): ("GCATACGGATCT", F, "GCATTACGGATC"),
    (1, 2): ("CGACCTGCAAGT", F, "CGATGCAAGTCT"),
    (2, 1): ("TGCATCAGGATC", F, "TGCATTAGGATC"),
    (2, 2): ("GACTTGCATCGG", F, "GACTTGCATCGT"),
    (3, 1): ("GACGATGCTTGC", F, "GACGATGCTTGG"),
    (3, 2): ("GCATCGTCCCAA", F, "GCATCGTCCCAA"),
    (4, 1): ("ACACACACACAC", F, "ACACACACACAC"),
    (4, 2): ("GTGTGTGTGTGT", F, "GTGTGTGTGTGT"),
    (5, 1): ("ACGTTGCATTAG", F, "ACGTTGCATCAG"),
    (5, 2): ("TAGCATTACGGA", F, "TAGCATTACGGA"),
    (6, 1): ("AAGTCTACTTCA", F, "AAGTCTACTTCA"),
    (6, 2): ("TACGGATCTGAA", F, "TACGGATCTGAA"),
}
ALIGNMENTS = {  # strand, 1-based position, CIGAR, MD, NM, read group, haplotype, nv, ne
    (0, 1): ("+", 5, "12M", "5C2G3", 2, "d1", 1, 1, 1),
    (0, 2): ("-", 21, "1I11M", "11", 1, "d1", 1, 1, 0),
    (1, 1): ("-", 40, "8M1D4M", "8^A4", 1, "d1", 2, 0, 1),
    (1, 2): ("+", 21, "3M2I7M", "10", 2, "d1", 2, 0, 1),
    (2, 1): ("+", 5, "12M", "12", 0, "d1", 1, 0, 1),
    (2, 2): ("-", 21, "1I11M", "11", 1, "d1", 1, 0, 1),
    (3, 1): ("+", 21, "2I6M4S", "6", 2, "d2", 2, 1, 0),
    (3, 2): ("-", 21, "4S2I6M", "6", 2, "d2", 2, 1, 0),
    (5, 1): ("+", 1, "12M", "9C2", 1, "d2", 1, 0, 1),
    (5, 2): ("-", 43, "12M", "12", 0, "d1", 1, 0, 0),
    (6, 1): ("+", 27, "6M2D6M", "6^GG6", 2, "d2", 1, 1, 0),
    (6, 2): ("-", 37, "12M", "12", 0, "d2", 1, 0, 0),
}
LONG_FRAGMENTS = """read part source human donor haplotype contig start offset length strand kind
r0000000000 1 human 1 d2 1 chr1 26 0 20 - plain
r0000000001 1 human 1 d1 1 chr1 4 0 18 + chimera
r0000000001 2 human 1 d2 2 chr1 40 0 99 - chimera
"""
LONG_EVENTS = """read mate contig position haplotype read_position class reference haplotype_base read_base quality
r0000000000 0 chr1 40 1 8 error A A G 40
r0000000000 0 chr1 33 1 14 variant GG - - .
r0000000001 0 chr1 10 1 5 variant C T T 40
r0000000001 0 chr1 20 1 16 variant - G G 40
r0000000001 0 chr1 20 1 17 error_on_variant - G - .
r0000000001 0 chr1 60 2 17 error - - GG 40
r0000000001 0 chr1 59 2 20 error A A - .
"""
# r0: TACGGATC T>C GAAGTAGACTT; r1: TGCATTAGGATCTTAC G (G lost), CC before T (T lost) GACCTAGCATTACGGATC
LONG_READS = [
    ("TACGGATCCGAAGTAGACTT", "TACGGATCTGAAGTAGACTT"),
    ("TGCATTAGGATCTTACG" + "CC" + "T" + "GACCTAGCATTACGGATC", "TGCATTAGGATCTTACGG" + "TTGACCTAGCATTACGGATC"),
]
LONG_ALIGNMENTS = [  # read, part, then as above
    (0, 1, "-", 27, "6M2D14M", "6^GG5A8", 3, "d2", 1, 1, 1),
    (1, 1, "+", 5, "16M1I21S", "5C10", 2, "d1", 1, 2, 1),
    (1, 2, "-", 41, "18M1D1M2I17S", "18^A1", 3, "d2", 2, 0, 2),
]


def test_agrees(tmp_path):
    assert verify(folder(tmp_path)) == Report(
        files=10,
        variants=3,
        haplotypes=4,
        molecules=7,
        reads=14,
        bases=168,
        error_free=14,
        events={
            "adapter": 2,
            "error": 3,
            "error_mimics_variant": 1,
            "error_on_variant": 1,
            "error_reverts_variant": 1,
            "junk": 2,
            "variant": 5,
        },
        alignments=14,
        nm_checked=12,
        unlabelled=0,
        without_difference=0,
    )


def test_agrees_long(tmp_path):
    report = verify(folder(tmp_path, long=True))
    assert report.first is None and report.agrees
    assert (report.reads, report.alignments, report.nm_checked, report.unlabelled) == (2, 3, 3, 0)


def test_moved_reference_and_less_truth(tmp_path):
    made = folder(tmp_path, truth={"bam": False, "events": True, "error_free": False})
    (tmp_path / "ref.fa").rename(tmp_path / "moved.fa")
    with pytest.raises(InputError, match="ref.fa: the reference is not there: say where"):
        verify(made)
    steps = set()
    report = verify(made, reference=tmp_path / "moved.fa", progress=lambda step, share: steps.add(step))
    assert report.agrees and report.unlabelled is None and len(report.not_checked) == 2
    assert {"checksums", "reference", "reads"} <= steps
    (tmp_path / "moved.fa").write_text(">chr1\nACGT\n")
    with pytest.raises(InputError, match="not the reference of this run"):
        verify(made, reference=tmp_path / "moved.fa")


def test_without_events(tmp_path):
    with pytest.raises(InputError, match="truth.events: false"):
        verify(folder(tmp_path, truth={"bam": False, "events": False, "error_free": False}))


CHANGES = [  # file, old, new, what is said
    ("reads_1.fastq", "TGCATTAGAATC", "TGCATTAGACTC", "reads_1.fastq.gz, read r0000000000/1: base 10 is C"),
    ("reads_1.fastq", "FFFFFFFF5FFF", "FFFFFFFF6FFF", "r0000000000/1: quality 20 is not the read's"),
    ("reads_1.fastq", "@r0000000003/1", "@r0000000003/2", "read r0000000003/2 where r0000000003/1 is due"),
    ("reads_2.fastq", "TACGGATCTGAA\n+\n" + F, "TACGGATCTGA\n+\n" + F[1:], "11 bases, not 12"),
    (
        "reads_2.fastq",
        "CCCAA\n+\nFFFFFFFFFFFF",
        "CCCAA\n+\nFFFFFFFFFFFE",
        "error_free_2.fastq.gz, read r0000000003/2: qualities",
    ),
    ("reads_2.fastq", "CCCAA", "CCCAC", "adapter row is not the tail"),
    ("reads_1.fastq", "ACACACACACAC", "ACACACACACAT", "junk read"),
    ("error_free_1.fastq", "GACGATGCTTGG", "GACGATGCTTGC", "error_free_1.fastq.gz, read r0000000003/1"),
    ("haplotypes.fa", "GGT\nCAA", "GGT\nCAT", "haplotypes.fa.gz, line 3: chr1|d1|1 differs"),
    ("haplotypes.fa", "GTCAA\n>chr1|d2|1", "GTCA\n>chr1|d2|1", "57 bases; reference and VCF make 58"),
    ("haplotypes.fa", "d2|2", "d3|2", "no such copy as chr1|d3|2"),
    ("variants.vcf", "10 . C T", "10 . G T", "variants.vcf.gz, line 4: REF G is not what"),
    ("variants.vcf", "10 . C T", "10 . C A", "haplotypes.fa.gz, line 2"),
    ("variants.vcf", "1|0 0|0", "0|1 0|0", "haplotypes.fa.gz, line 2"),
    ("fragments.tsv", "4 0 30 + plain", "5 0 30 + plain", "read r0000000000/1"),
    ("fragments.tsv", "4 0 30 + duplicate", "4 0 31 + duplicate", "r0000000002"),
    ("fragments.tsv", "4 0 30 + duplicate", "4 0 30 + plain", "truth.bam, read r0000000002/"),
    ("fragments.tsv", "4 0 30 + plain", "4 0 30 + duplicate", "a duplicate is the copy of no other"),
    ("fragments.tsv", "20 2 8", "20 4 8", "no base at start 20 offset 4"),
    ("fragments.tsv", "d2 2 chr1 20 2", "d2 1 chr1 20 2", "no base at start 20 offset 2"),
    ("fragments.tsv", "20 0 30 -", "20 0 30 +", "read r0000000001/1"),
    ("fragments.tsv", "0 0 20 +", "0 0 11 +", "r0000000005/1"),
    ("fragments.tsv", "human 1 d1 2", "human 0 d1 2", "source or human"),
    ("fragments.tsv", "r0000000001 1", "r0000000002 1", "read 1 part 1 is due"),
    ("fragments.tsv", "r0000000006 1 human 1 d2 1 chr1 26 0 20 + plain\n", "", "no read 6 with a mate 1"),
    ("events.tsv", "13 1 8 error G G A", "13 1 8 error G G C", "base 9 is A, but haplotype and events make it C"),
    ("events.tsv", "13 1 8 error G G A", "13 1 8 error T T A", "not T"),
    ("events.tsv", "13 1 8 error G G A", "12 1 8 error G G A", "truth.bam, read r0000000000/1: the difference A at"),
    ("events.tsv", "13 1 8 error G", "13 2 8 error G", "contig or haplotype"),
    ("events.tsv", "13 1 8 error G", "13 1 8 error_mimics_variant G", "class error_mimics_variant does not fit"),
    ("events.tsv", "error_mimics_variant", "error", "class error does not fit"),
    ("events.tsv", "error_reverts_variant", "error_on_variant", "class error_on_variant does not fit"),
    ("events.tsv", "error_on_variant", "error", "class error does not fit"),
    ("events.tsv", "A 20\n", "A 21\n", "quality 21"),
    ("events.tsv", "r0000000000 1 chr1 10 1 5 variant C T T 37\n", "", "nv is 1"),
    ("events.tsv", "10 1 5 variant C T T", "10 1 4 variant C T T", "truth.bam, read r0000000000/1: the difference T"),
    ("events.tsv", "chr1 33 1 6 variant GG", "chr1 34 1 6 variant GA", "the haplotype has not - at position 34"),
    ("events.tsv", "chr1 33 1 6 variant GG", "chr1 33 1 5 variant GG", "r0000000006/1"),
    (
        "events.tsv",
        "chr1 33 1 6 variant GG",
        "chr1 33 1 6 variant G",
        "r0000000006/1: the difference deleted position 34",
    ),
    ("events.tsv", "48 2 4 error", "47 2 4 error", "r0000000001/1"),
    ("events.tsv", "23 2 3 error - - CC", "24 2 3 error - - CC", "r0000000001/2: the difference CC inserted"),
    ("events.tsv", "8 adapter - - CCAA", "7 adapter - - CCCAA", "r0000000003/2"),
    ("events.tsv", "0 junk - - GT", "0 junk - - AT", "junk"),
    ("donors.csv", "d2", "d3", "donors.csv: its donors"),
]


@pytest.mark.parametrize(("file", "old", "new", "says"), CHANGES)
def test_disagreement(tmp_path, file, old, new, says):
    report = verify(folder(tmp_path, edit={file: (old, new)}))
    assert not report.agrees and says in report.first and "\n" not in report.first


BAM_CHANGES = [
    ((0, 1), 1, 6, "NM 2 MD"),
    ((5, 2), 1, 45, "NM 0 MD"),
    ((1, 1), 2, "7M1D5M", "NM 1 MD"),
    ((3, 1), 2, "8M4S", "NM 2 MD"),
    ((3, 1), 3, "5", "NM 2 MD 5: they must be 2 and 6"),
    ((6, 1), 4, 1, "NM 1"),
    ((0, 2), 5, "d2", "RG is not d1"),
    ((0, 2), 6, 2, "tag ht is 2"),
    ((0, 2), 7, 0, "tag nv is 0"),
    ((2, 1), 8, 0, "tag ne is 0"),
    ((6, 2), 0, "+", "FLAG"),
]


@pytest.mark.parametrize(("read", "column", "new", "says"), BAM_CHANGES)
def test_alignment_disagrees(tmp_path, read, column, new, says):
    changed = ALIGNMENTS | {read: (*ALIGNMENTS[read][:column], new, *ALIGNMENTS[read][column + 1 :])}
    report = verify(folder(tmp_path, alignments=changed))
    assert report.first.startswith(f"truth.bam, read r{read[0]:010d}/{read[1]}: ") and says in report.first


def test_another_reference_is_noticed(tmp_path):
    made = folder(tmp_path, reference=REFERENCE[36:48] + REFERENCE[12:])
    assert verify(made).first.startswith("variants.vcf.gz, line 4: REF C")


def test_right_tags_at_a_wrong_place(tmp_path):
    """NM and MD that fit an alignment don't make it the right one: the same read, written in another way."""
    moved = ALIGNMENTS | {(3, 1): ("+", 22, "3I5M4S", "5", 3, "d2", 2, 1, 0)}
    assert "r0000000003/1: place, strand" in verify(folder(tmp_path, alignments=moved)).first


def test_labels_are_counted_over_all_reads(tmp_path):
    """Rows that no difference shows and differences that have no row are counted, not only found."""
    edit = {"events.tsv": ("23 2 3 error - - CC", "24 2 3 error - - CC")}
    report = verify(folder(tmp_path, edit=edit))
    assert (report.unlabelled, report.without_difference) == (2, 2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("40 1 8 error A A G", "40 1 8 error A A T", "base 9 is C, but"),
        ("17 error_on_variant - G - .\n", "17 error_on_variant - A - .\n", "not A"),
        ("r0000000001 0 chr1 20 1 17 error_on_variant - G - .\n", "", "r0000000001"),
        ("chr1 60 2 17 error - - GG", "chr1 20 1 17 error - - GG", "r0000000001"),
    ],
)
def test_long_disagreement(tmp_path, old, new, says):
    report = verify(folder(tmp_path, long=True, edit={"events.tsv": (old, new)}))
    assert not report.agrees and says in report.first


def test_checksum_alone(tmp_path):
    made = folder(tmp_path)
    (made / "donors.csv").write_text((made / "donors.csv").read_text() + "\n")
    assert verify(made).first == "donors.csv: its SHA-256 is not the one in run.json"


@pytest.mark.parametrize(
    "name", ["reads_1.fastq.gz", "events.tsv.gz", "fragments.tsv.gz", "truth.bam", "variants.vcf.gz"]
)
@pytest.mark.parametrize("part", ["half", "nothing", "noise", "turned bit"])
def test_damaged_files(tmp_path, name, part):
    """Whatever happened to a file, one line says so; with the checksum changed as well it is wrong input."""
    made = folder(tmp_path)
    data = (made / name).read_bytes()
    turned = data[:60] + bytes([data[60] ^ 16]) + data[61:]
    (made / name).write_bytes(
        {"half": data[: len(data) // 2], "nothing": b"", "noise": b"\x00\xff" * 9}.get(part, turned)
    )
    report = verify(made)
    assert name in report.first and "\n" not in report.first
    seal(made)
    try:
        assert verify(made).first
    except InputError as error:
        assert name in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("reads_1.fastq", "\n+\n", "\n-\n"),
        ("reads_1.fastq", "@r0000000002/1", "r0000000002/1"),
        ("reads_1.fastq", F + "\n", F + "F\n"),
        ("events.tsv", "read mate", "mate read"),
        ("events.tsv", " 13 1 8 ", " x 1 8 "),
        ("events.tsv", " error G", " mistake G"),
        ("events.tsv", " 20\n", "\n"),
        ("fragments.tsv", "30 -", "x -"),
        ("fragments.tsv", "junk", "jank"),
        ("variants.vcf", "#CHROM", "CHROM"),
        ("variants.vcf", "1|0 0|0", "1/0 0/0"),
        ("variants.vcf", "C T", "C <DEL>"),
        ("variants.vcf", "chr1 10", "chr9 10"),
    ],
)
def test_broken_lines(tmp_path, file, old, new):
    with pytest.raises(InputError, match=rf"{file}(.gz)?, line \d+") as caught:
        verify(folder(tmp_path, edit={file: (old, new)}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda run: [],
        lambda run: run | {"outputs": {"../ref.fa": "0"}},
        lambda run: run | {"outputs": {"none.gz": "0"}},
        lambda run: run | {"outputs": {}},
        lambda run: run | {"references": [{"name": "human"}]},
        lambda run: run | {"contigs": [{"name": "chr1", "source": "human", "contig": "chr2"}]},
        lambda run: run | {"contigs": []},
        lambda run: run | {"length": None},
    ],
)
def test_hostile_run_json(tmp_path, change):
    made = folder(tmp_path)
    (made / "run.json").write_text(json.dumps(change(json.loads((made / "run.json").read_text()))))
    with pytest.raises(InputError):
        verify(made)
    (made / "run.json").write_text("{")
    with pytest.raises(InputError, match="run.json: can't be read"):
        verify(made)


def folder(tmp_path: Path, *, long=False, edit=None, alignments=ALIGNMENTS, reference=REFERENCE, truth=None) -> Path:
    """Write the folder by hand, with `edit` {file without .gz: (old, new)} applied to texts."""
    made = tmp_path / "made"
    made.mkdir(parents=True)
    truth = truth or {"bam": True, "events": True, "error_free": True}
    (tmp_path / "ref.fa").write_text(">chr1 by hand\n" + reference[:30].lower() + "\n" + reference[30:] + "\n")
    texts = {
        "variants.vcf": VCF.replace(" ", "\t"),
        "haplotypes.fa": HAPLOTYPES,
        "fragments.tsv": (LONG_FRAGMENTS if long else FRAGMENTS).replace(" ", "\t"),
        "donors.csv": "donor,population,sex,father,mother\nd1,,,,\nd2,,,,\n",
    }
    if truth["events"]:
        texts["events.tsv"] = (LONG_EVENTS if long else EVENTS).replace(" ", "\t")
    for kind, column in {"reads": 0, "error_free": 2}.items() if not long else ():
        for mate in (1, 2):
            if kind == "reads" or truth["error_free"]:
                records = [
                    f"@r{r:010d}/{m}\n{read[column]}\n+\n{read[1]}\n" for (r, m), read in READS.items() if m == mate
                ]
                texts[f"{kind}_{mate}.fastq"] = "".join(records)
    for kind, column in {"reads": 0, "error_free": 1}.items() if long else ():
        lines = [f"@r{i:010d}\n{read[column]}\n+\n{'I' * len(read[column])}\n" for i, read in enumerate(LONG_READS)]
        texts[f"{kind}.fastq"] = "".join(lines)
    for name, (old, new) in (edit or {}).items():
        tabs = (" ", "\t") if name.endswith((".tsv", ".vcf")) else (" ", " ")
        assert old.replace(*tabs) in texts[name]
        texts[name] = texts[name].replace(old.replace(*tabs), new.replace(*tabs), 1)
    for name, text in texts.items():
        if name == "donors.csv":
            (made / name).write_text(text)
        else:
            (made / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    if truth["bam"]:
        write_bam(made / "truth.bam", long_records() if long else paired_records(alignments))
    run = {
        "config": {"reads": {"reads": 2} if long else {"pairs": 7}},
        "references": [
            {"name": "human", "path": str(tmp_path / "ref.fa"), "human": True, "sha256": sha256(tmp_path / "ref.fa")}
        ],
        "contigs": [{"name": "chr1", "source": "human", "contig": "chr1"}],
        "platform": "hifi" if long else "illumina",
        "length": None if long else 12,
        "adapters": None if long else {"mate_1": "TTGGAC", "mate_2": "CCA"},
        "truth": truth,
    }
    (made / "run.json").write_text(json.dumps(run))
    seal(made)
    return made


def seal(made: Path) -> None:
    """Write the checksums of what is in the folder into its run.json."""
    run = json.loads((made / "run.json").read_text())
    run["outputs"] = {path.name: sha256(path) for path in sorted(made.iterdir()) if path.name != "run.json"}
    (made / "run.json").write_text(json.dumps(run))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def turned(bases: str) -> str:
    return bases.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def record(name, flag, bases, qualities, alignment=None):
    made = pysam.AlignedSegment()
    made.query_name, made.flag = name, flag
    reverse = alignment is not None and alignment[0] == "-"
    made.query_sequence = turned(bases) if reverse else bases
    made.query_qualities = pysam.qualitystring_to_array(qualities[::-1] if reverse else qualities)
    if alignment:
        _, position, cigar, md, nm, group, haplotype, nv, ne = alignment
        made.reference_id, made.reference_start, made.cigarstring, made.mapping_quality = 0, position - 1, cigar, 60
        made.set_tags(
            [("NM", nm, "i"), ("MD", md), ("RG", group), ("ht", haplotype, "i"), ("nv", nv, "i"), ("ne", ne, "i")]
        )
        made.flag |= 16 * reverse
    else:
        made.flag |= 4
        made.set_tag("RG", "junk")
    return made


def paired_records(alignments):
    made = []
    for (read, mate), (bases, qualities, _) in READS.items():
        flag = 1 | 64 * mate | (1024 if read == 2 else 0)
        made.append(record(f"r{read:010d}", flag, bases, qualities, alignments.get((read, mate))))
    for one, two in zip(made[0::2], made[1::2], strict=True):
        for a, b in ((one, two), (two, one)):
            a.next_reference_id, a.next_reference_start = b.reference_id, b.reference_start
            a.mate_is_reverse, a.mate_is_unmapped = b.is_reverse, b.is_unmapped
    return made


def long_records():
    made = [
        record(f"r{read:010d}", 2048 * (part == 2), LONG_READS[read][0], "I" * len(LONG_READS[read][0]), alignment)
        for read, part, *alignment in LONG_ALIGNMENTS
    ]
    one, two = made[1:]
    for a, b in ((one, two), (two, one)):
        strand = "-" if b.is_reverse else "+"
        a.set_tag("SA", f"chr1,{b.reference_start + 1},{strand},{b.cigarstring},60,{b.get_tag('NM')};")
    return made


def write_bam(path: Path, records) -> None:
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": "chr1", "LN": 60}],
        "RG": [{"ID": "d1", "SM": "d1"}, {"ID": "d2", "SM": "d2"}, {"ID": "junk", "SM": "junk"}],
    }
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for made in sorted(records, key=lambda r: (r.reference_id & 0xFFFFFFFF, r.reference_start)):
            file.write(made)
