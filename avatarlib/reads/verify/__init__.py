"""Prove that a folder of simulated reads agrees with its own truth, down to the last base (`avatar reads verify`)."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.reads.verify.bam import check_alignments
from avatarlib.reads.verify.differences import Differences
from avatarlib.reads.verify.genomes import check_haplotypes, read_variants
from avatarlib.reads.verify.reads import Counts, Inputs, check_reads
from avatarlib.reads.verify.rebuild import Genome, genome, read_reference
from avatarlib.reads.verify.text import Disagreement, Watch, shown
from avatarlib.run.store import file_sha256

Progress = Callable[[str, float], None]
LARGEST_RUN_JSON = 1 << 28
MOST_EXPLAINED = 100_000  # reads whose differences are held in memory to count what has no label


@dataclass(frozen=True)
class Report:
    """What was compared, and the first disagreement.

    `events` counts rows by class; `unlabelled` are differing bases without a row, `without_difference` rows without a
    differing base (those of class error_reverts_variant apart), both None where they could not be counted;
    `not_checked` says what the folder has no truth for; `first` is None where everything agrees.
    """

    files: int = 0
    variants: int = 0
    haplotypes: int = 0
    molecules: int = 0
    reads: int = 0
    bases: int = 0
    error_free: int = 0
    events: dict[str, int] = field(default_factory=dict)
    alignments: int = 0
    nm_checked: int = 0
    unlabelled: int | None = None
    without_difference: int | None = None
    not_checked: tuple[str, ...] = ()
    first: str | None = None

    @property
    def agrees(self) -> bool:
        """True where no disagreement was found."""
        return self.first is None

    def lines(self) -> list[str]:
        """The report as text for a reader, a line a fact."""
        out = [
            f"{self.reads:,} reads, {self.bases:,} bases of {self.molecules:,} molecules rebuilt from "
            f"{self.haplotypes} haplotypes with {self.variants:,} variants",
            "labelled differences: " + (", ".join(f"{name} {n:,}" for name, n in self.events.items()) or "none"),
        ]
        if self.alignments:
            out.append(f"{self.alignments:,} alignments, NM and MD of {self.nm_checked:,} recomputed")
        if self.unlabelled is not None:
            out.append(f"differences without a label: {self.unlabelled}; labels without one: {self.without_difference}")
        out += [f"not checked: {what}" for what in self.not_checked]
        return [*out, "everything agrees" if self.first is None else f"the files disagree: {self.first}"]


def verify(folder: Path, *, reference: Path | None = None, progress: Progress | None = None) -> Report:
    """Rebuild every read of a folder in two ways and report the first disagreement.

    First from fragments, haplotypes and error rows, against the FASTQ files; then from the reference and all rows, as
    the differences that the alignments of truth.bam show. Haplotypes are rebuilt from reference and VCF; checksums,
    NM, MD and all other labels are checked on the way. No code is shared with the simulator but that for checksums.

    Parameters
    ----------
    folder
        What `avatar reads simulate` wrote.
    reference
        Where the (human) reference lies now, if not where run.json says.
    progress
        Called with a step's name and the share of it that is done, 0 to 1.

    Returns
    -------
    Report
        Its `first` is None where all files agree. Memory grows by some 70 bytes a read.

    Raises
    ------
    InputError
        The folder, a file of it or the reference is missing, damaged though it has its checksum, or the run wrote no
        events, without which no read can be rebuilt.

    Examples
    --------
    >>> verify(Path("no such folder"))
    Traceback (most recent call last):
        ...
    avatarlib.errors.InputError: no such folder: no run.json in it: give a folder that `avatar reads simulate` wrote
    """
    folder = Path(folder)
    run = _run(folder)
    say = progress or (lambda step, share: None)
    outputs = _outputs(folder, run)
    changed = None
    for i, (name, digest) in enumerate(outputs.items()):
        say("checksums", i / len(outputs))
        if digest is not None and changed is None and file_sha256(folder / name) != digest:
            changed = f"{name}: its SHA-256 is not the one in run.json"
    report = Report(files=sum(digest is not None for digest in outputs.values()))
    if not run["truth"].get("events"):
        raise InputError(f"{folder}: the run has truth.events: false, and without events no read can be rebuilt")
    try:
        known = _genome(folder, run, reference, say)
        report = _contents(folder, run, outputs, known, report, say)
    except InputError as error:  # of a file that is no longer what was written, damage is a disagreement as well
        if changed is None:
            raise
        report = replace(report, first=f"{error} ({changed})")
    return replace(report, first=report.first or changed)


def _contents(folder: Path, run: dict, outputs: dict, known: Genome, report: Report, say: Progress) -> Report:
    counts, bam = Counts(), _find(folder, outputs, "truth.bam")

    def watch(step: str) -> Watch:
        return lambda share: say(step, share)

    try:
        alleles = read_variants(_need(folder, outputs, "variants.vcf"), known, watch("variants"))
        report = replace(report, variants=alleles.records)
        haplotypes = check_haplotypes(_need(folder, outputs, "haplotypes.fa"), known, alleles, watch("haplotypes"))
        report = replace(report, haplotypes=haplotypes)
        _check_donors(_find(folder, outputs, "donors.csv"), alleles.donors)
        files = _inputs(folder, run, outputs)
        expected = check_reads(files, known, counts, watch("reads"))
        _check_number(run, files, counts)
        report = _counted(report, counts)
        missing = [] if files.twins else ["error-free twins (truth.error_free: false)"]
        missing += ["checksums (output.checksums: false)"] if not report.files else []
        if not bam:
            missing.append("alignments, NM, MD and labels of differences (truth.bam: false)")
            return replace(report, not_checked=tuple(missing))
        report = replace(report, not_checked=tuple(missing))
        found = check_alignments(bam, known, expected, watch("alignments"))
        report = replace(report, alignments=found.alignments, nm_checked=found.nm_checked)
        if not found.differing:
            return replace(report, unlabelled=0, without_difference=0)
        wanted = dict.fromkeys(found.differing[:MOST_EXPLAINED])
        rows, shows = dict(wanted), dict(wanted)
        check_reads(files, known, Counts(), watch("reads again"), rows)
        check_alignments(bam, known, expected, watch("alignments again"), shows)
        return _explained(report, known, rows, shows, files.length is not None)
    except Disagreement as disagreement:
        return replace(_counted(report, counts), first=str(disagreement))


def _counted(report: Report, counts: Counts) -> Report:
    return replace(
        report,
        molecules=counts.molecules,
        reads=counts.reads,
        bases=counts.bases,
        error_free=counts.twins,
        events=dict(sorted(counts.events.items())),
    )


def _explained(report: Report, known: Genome, rows: dict, shows: dict, paired: bool) -> Report:
    """Count differences without a row and rows without a difference, and describe the first of either."""
    unlabelled = idle = 0
    first = ""
    for slot in sorted(rows):
        labelled, seen = _flat(rows[slot]), _flat(shows[slot])
        unlabelled += sum(size for _, size in seen - labelled)
        idle += sum(size for _, size in labelled - seen)
        if not first:
            name = f"r{slot // 2:010d}" + (f"/{slot % 2 + 1}" if paired else "")
            ((what, _),) = sorted(seen - labelled)[:1] or sorted(labelled - seen)[:1]
            where = "truth.bam" if seen - labelled else "events.tsv.gz"
            lacks = "has no row in events.tsv.gz" if seen - labelled else "is not seen in truth.bam"
            first = f"{where}, read {name}: the difference {what} {lacks}"
    return replace(report, unlabelled=unlabelled, without_difference=idle, first=first)


def _flat(differences: Differences) -> set[tuple[str, int]]:
    """Differences as text with their number of bases."""
    changed, inserted, deleted = differences
    found = {(f"{chr(base)} at position {place + 1} (read position {at})", 1) for place, base, at in changed}
    found |= {
        (f"{shown(bases)} inserted after position {place + 1} (read position {at})", len(bases))
        for place, bases, at in inserted
    }
    return found | {(f"deleted position {place + 1} (read position {at})", 1) for place, at in deleted}


def _run(folder: Path) -> dict:
    path = folder / "run.json"
    try:
        if path.stat().st_size > LARGEST_RUN_JSON:
            raise InputError(f"{path}: too large to be a run.json")
        run = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        problem = "no run.json in it: give a folder that `avatar reads simulate` wrote"
        raise InputError(f"{folder}: {problem}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read ({type(error).__name__}): make the folder again") from None
    kinds = {"references": list, "contigs": list, "truth": dict, "outputs": dict, "platform": str}
    for key, kind in kinds.items():
        if not isinstance(run, dict) or not isinstance(run.get(key), kind):
            raise InputError(f"{path}: {key} is missing or not a {kind.__name__}: make the folder again")
    entries = {"references": ("name", "path", "sha256"), "contigs": ("name", "source", "contig")}
    for key, names in entries.items():
        for entry in run[key]:
            if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
                raise InputError(f"{path}: an entry of {key} lacks one of {', '.join(names)}: make the folder again")
    return run


def _outputs(folder: Path, run: dict) -> dict[str, str | None]:
    for name in run["outputs"]:
        if Path(name).is_absolute() or ".." in Path(name).parts or not Path(name).parts:
            raise InputError(f"{folder / 'run.json'}: output {shown(name.encode())} is not in the folder")
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file, but run.json lists it: make the folder again")
    return run["outputs"]


def _find(folder: Path, outputs: dict, name: str) -> Path | None:
    return next((folder / file for file in (name, f"{name}.gz") if file in outputs), None)


def _need(folder: Path, outputs: dict, name: str) -> Path:
    path = _find(folder, outputs, name)
    if path is None:
        raise InputError(f"{folder / 'run.json'}: it lists no {name}.gz among its outputs: make the folder again")
    return path


def _genome(folder: Path, run: dict, reference: Path | None, say: Progress) -> Genome:
    humans = [bool(entry.get("human")) for entry in run["references"]]
    mine = humans.index(True) if True in humans else 0
    read: dict[str, dict[bytes, bytes]] = {}
    for i, entry in enumerate(run["references"]):
        say("reference", i / len(run["references"]))
        path = Path(reference) if reference and i == mine else folder / entry["path"]
        if not path.is_file():
            raise InputError(f"{path}: the reference is not there: say where it is with --reference")
        if file_sha256(path) != entry["sha256"]:
            raise InputError(f"{path}: not the reference of this run (SHA-256 differs): give that with --reference")
        read[entry["name"]] = read_reference(path)
    human = {entry["name"]: there for entry, there in zip(run["references"], humans, strict=True)}
    contigs = []
    for entry in run["contigs"]:
        bases = read.get(entry["source"], {}).get(entry["contig"].encode())
        if bases is None:
            raise InputError(f"run.json: no contig {entry['contig']!r} in reference {entry['source']!r}")
        texts = [entry[key].encode() for key in ("name", "source", "contig")]
        contigs.append((texts[0], texts[1], human[entry["source"]], bases, texts[2]))
    if len({name for name, *_ in contigs}) < len(contigs) or len(contigs) != sum(map(len, read.values())):
        raise InputError("run.json: contigs does not list each contig of the references once: make the folder again")
    return genome(contigs)


def _inputs(folder: Path, run: dict, outputs: dict) -> Inputs:
    paired = run["platform"] == "illumina"
    mates = ("_1", "_2") if paired else ("",)
    twins = [_need(folder, outputs, f"error_free{mate}.fastq") for mate in mates if run["truth"].get("error_free")]
    length = run.get("length") if paired else None
    if paired and (not isinstance(length, int) or length < 1):
        raise InputError(f"{folder / 'run.json'}: length is not a positive whole number: make the folder again")
    adapters = run.get("adapters") or {}
    return Inputs(
        reads=[_need(folder, outputs, f"reads{mate}.fastq") for mate in mates],
        twins=twins,
        fragments=_need(folder, outputs, "fragments.tsv"),
        events=_need(folder, outputs, "events.tsv"),
        length=length,
        adapters=tuple(str(adapters.get(mate) or "").encode() for mate in ("mate_1", "mate_2")),
    )


def _check_number(run: dict, files: Inputs, counts: Counts) -> None:
    config = run.get("config")
    asked = config.get("reads") if isinstance(config, dict) else None
    asked = asked.get("reads" if files.length is None else "pairs") if isinstance(asked, dict) else None
    if isinstance(asked, int) and asked != counts.molecules:
        raise Disagreement(f"{files.fragments.name}: {counts.molecules} molecules, but the run asked for {asked}")


def _check_donors(path: Path | None, donors: list[bytes]) -> None:
    if path is None:
        return
    try:
        with open(path, encoding="utf-8", newline="") as file:
            listed = [row.get("donor") for row in csv.DictReader(file)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path.name}: can't be read ({type(error).__name__}): make the folder again") from None
    if listed != [donor.decode("utf-8", "replace") for donor in donors]:
        raise Disagreement(f"{path.name}: its donors are not those of variants.vcf.gz")
