"""Rebuild every read from fragments, haplotypes and events, and note what truth.bam must then hold."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from avatarlib.reads.verify.differences import NONE, Differences, canonical, of_rows
from avatarlib.reads.verify.events import TAILS, EventRows, Row, check_quality, check_row, molecules
from avatarlib.reads.verify.rebuild import Genome
from avatarlib.reads.verify.replay import Fail, Leg, Share, replay, shares, stretch
from avatarlib.reads.verify.text import Disagreement, Watch, fastq, shown

PAIRED, UNMAPPED, REVERSE, DUPLICATE, SUPPLEMENTARY = 0x1, 0x4, 0x10, 0x400, 0x800
NO_RECORD = -1
Record = tuple[bytes, bytes, bytes]


@dataclass
class Expected:
    """What truth.bam must hold: one value a slot, and a slot for each mate (or each part of a long molecule)."""

    flags: array = field(default_factory=lambda: array("i"))  # or NO_RECORD
    sequence: array = field(default_factory=lambda: array("q"))  # hash of bases and qualities as in the FASTQ
    place: array = field(default_factory=lambda: array("q"))  # hash of contig, aligned ends, strand, clips
    differences: array = field(default_factory=lambda: array("q"))
    variants: array = field(default_factory=lambda: array("i"))
    errors: array = field(default_factory=lambda: array("i"))
    haplotype: array = field(default_factory=lambda: array("b"))
    group: array = field(default_factory=lambda: array("i"))  # index into `groups`; -1: not said
    groups: dict[bytes, int] = field(default_factory=dict)

    def add(self, flags, sequence=0, place=0, differences=0, variants=0, errors=0, haplotype=0, group=None) -> None:
        """Append one slot."""
        self.flags.append(flags)
        self.sequence.append(sequence)
        self.place.append(place)
        self.differences.append(differences)
        self.variants.append(variants)
        self.errors.append(errors)
        self.haplotype.append(haplotype)
        self.group.append(-1 if group is None else self.groups.setdefault(group, len(self.groups)))


@dataclass
class Counts:
    """What was seen so far."""

    molecules: int = 0
    reads: int = 0
    bases: int = 0
    twins: int = 0
    events: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """The files of a folder: reads and error-free twins by mate (none where not written), and the two tables."""

    reads: list[Path]
    twins: list[Path]
    fragments: Path
    events: Path
    length: int | None  # bases of each read, None where a read is its molecule
    adapters: tuple[bytes, bytes]


def check_reads(
    files: Inputs,
    genome: Genome,
    counts: Counts,
    watch: Watch | None = None,
    wanted: dict[int, Differences | None] | None = None,
) -> Expected:
    """Rebuild each read and compare it with the FASTQ files byte for byte.

    Parameters
    ----------
    files, genome
        What was written, and the haplotypes.
    counts
        Counted up while reading.
    watch
        Called with the share of the reads that was seen.
    wanted
        Slots whose differences are to be filled in, for a second round after a disagreement.

    Returns
    -------
    Expected
        What truth.bam must hold; of one value a read only, whatever the number of events.

    Raises
    ------
    InputError, Disagreement
        At the first file that is broken, or the first read that can't be rebuilt.
    """
    expected = Expected()
    streams = [fastq(path, watch if i == 0 else None) for i, path in enumerate(files.reads)]
    twins = [fastq(path) for path in files.twins]
    events = EventRows(files.events, genome)
    paired = files.length is not None
    for number, (kind, parts) in enumerate(molecules(files.fragments, genome)):
        for mate, path in enumerate(files.reads, 1):
            name = b"r%010d/%d" % (number, mate) if paired else b"r%010d" % number
            record = _take(streams[mate - 1], path, name)
            _, bases, qualities = record
            if paired and len(bases) != files.length:
                raise Disagreement(f"{path.name}, read {shown(name)}: {len(bases)} bases, not {files.length}")
            rows = events.take(number, mate if paired else 0)
            if paired and parts:
                part = parts[mate - 1] if len(parts) == 2 else parts[0]
                legs = [(part, part.reverse == (mate == 1))]
            else:
                legs = [(part, part.reverse) for part in parts]
            flags = (DUPLICATE if kind == b"duplicate" else 0) | (PAIRED | 0x40 * mate if paired else 0)
            fail = _failing(path, files.events, name)
            twin = None  # of junk no truth is written but the read itself, with its errors
            if legs:
                twin = _follow(legs, record, rows, flags, genome, expected, wanted, fail)
                if paired and twins:
                    twin = _twin(legs, files, mate)
            else:
                _check_junk(record, rows, fail)
                expected.add(flags | UNMAPPED, hash((bases, qualities)))
                if not paired:
                    expected.add(NO_RECORD)
            if twins:
                there = files.twins[mate - 1]
                _check_twin(_take(twins[mate - 1], there, name), twin, qualities, paired, there)
                counts.twins += 1
            counts.reads += 1
            counts.bases += len(bases)
            for row in rows:
                counts.events[row.kind.decode()] = counts.events.get(row.kind.decode(), 0) + 1
        counts.molecules += 1
    events.refuse()
    for path, stream in zip([*files.reads, *files.twins], [*streams, *twins], strict=True):
        for name, _, _ in stream:
            raise Disagreement(f"{path.name}, read {shown(name)}: fragments.tsv.gz has no such molecule")
    return expected


def _take(stream: Iterator[Record], path: Path, name: bytes) -> Record:
    record = next(stream, None)
    if record is None:
        raise Disagreement(f"{path.name}: read {shown(name)} is missing; fragments.tsv.gz has it")
    if record[0] != name:
        raise Disagreement(f"{path.name}: read {shown(record[0])} where {shown(name)} is due")
    return record


def _failing(path: Path, events: Path, name: bytes) -> Fail:
    def fail(what: str, row: Row | None = None) -> Disagreement:
        where = path.name if row is None else f"{events.name}, line {row.line}"
        return Disagreement(f"{where}, read {shown(name)}: {what}")

    return fail


def _check_junk(record: Record, rows: list[Row], fail: Fail) -> None:
    if len(rows) != 1 or rows[0].kind != b"junk" or rows[0].at or rows[0].read != record[1]:
        raise fail("a junk read without the one row that holds it verbatim")
    if problem := check_quality(rows[0], record[2]):
        raise fail(problem, rows[0])


def _twin(legs: list[Leg], files: Inputs, mate: int) -> bytes:
    template = stretch(legs[0], files.length) + files.adapters[mate - 1]
    return (template + b"A" * files.length)[: files.length]


def _check_twin(twin: Record, bases: bytes | None, qualities: bytes, paired: bool, path: Path) -> None:
    if twin[1] != (twin[1] if bases is None else bases) or twin[2] != (qualities if paired else b"I" * len(twin[1])):
        what = "qualities are not as documented" if bases in (None, twin[1]) else "bases are not the haplotype's"
        raise Disagreement(f"{path.name}, read {shown(twin[0])}: {what}")


def _follow(
    legs: list[Leg], record: Record, rows: list[Row], flags: int, genome: Genome, expected: Expected, wanted, fail: Fail
) -> bytes:
    """Rebuild one read, hold its rows against everything, and add its slots; return its template."""
    _, bases, qualities = record
    paired = bool(flags & PAIRED)
    tail = rows[-1] if rows and rows[-1].kind == b"adapter" else None
    rows = rows[:-1] if tail else rows
    body = tail.at if tail else len(bases)
    if any([row.kind in TAILS for row in rows]):
        raise fail("an adapter row that is not the last of its read, or a junk row of a read that is none", rows[0])
    made = replay(legs, rows, body, not paired, fail)
    end = sum([part.right - part.left for part, _ in legs])
    if made.used > end:
        raise fail(f"it is longer than its molecule of {end} bases, and no row says why")
    if made.bases != bases[:body]:
        at = next((i for i, (a, b) in enumerate(zip(made.bases, bases, strict=False)) if a != b), len(made.bases))
        wrong, right = shown(bases[at : at + 1]), shown(made.bases[at : at + 1])
        raise fail(f"base {at + 1} is {wrong}, but haplotype and events make it {right}")
    if (tail or not paired) and made.used != end:
        raise fail(f"it ends after {made.used} bases of a molecule of {end}")
    if tail and (tail.read != bases[body:] or not tail.read):
        raise fail("the adapter row is not the tail of the read", tail)
    if tail and (problem := check_quality(tail, qualities)):
        raise fail(problem, tail)
    sequence = hash((bases, qualities))
    count = 0
    parts = shares(legs, rows, made, body, len(bases))
    for share in parts:
        for row in share.rows:
            if problem := check_row(row, *share.leg, genome, bases, qualities):
                raise fail(problem, row)
        if share.ends:
            _slot(expected, share, flags | (SUPPLEMENTARY if count else 0), sequence, wanted, fail)
            count += 1
    if not count:  # the whole read lies in inserted sequence; of a chimeric one, the record is then the first part's
        part, rows = legs[0][0], parts[0].rows
        errors = sum([row.kind != b"variant" for row in rows])
        expected.add(flags | UNMAPPED, sequence, 0, 0, len(rows) - errors, errors, part.haplotype, part.group)
    if not paired and count < 2:
        expected.add(NO_RECORD)
    return made.template


def _slot(expected: Expected, share: Share, flags: int, sequence: int, wanted, fail: Fail) -> None:
    (part, reverse), rows, ends, left, right = share
    found, errors = NONE, 0
    if rows:
        errors = sum([row.kind != b"variant" for row in rows])
        try:
            found = canonical(*of_rows(rows, reverse), *ends)
        except KeyError as twice:
            raise fail(f"two rows for position {twice.args[0] + 1}", rows[0]) from None
    if wanted is not None and len(expected.flags) in wanted:
        wanted[len(expected.flags)] = found
    expected.add(
        flags | (REVERSE if reverse else 0),
        sequence,
        hash((part.contig, *ends, reverse, left, right)),
        hash(found),
        len(rows) - errors,
        errors,
        part.haplotype,
        part.group,
    )
