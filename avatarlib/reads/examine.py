"""What a simulated folder turned out to hold: rates of errors by kind, qualities against errors, curves along a read.

All comes from the reads and their truth (`events.tsv.gz`, for long reads `fragments.tsv.gz` too), nothing from what was
asked for, so that the two can be compared; `curves` says what a profile asks for.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.reads.verify.events import EVENTS, FRAGMENTS, TAILS
from avatarlib.reads.verify.rebuild import reverse_complement
from avatarlib.reads.verify.text import Watch, fastq, table
from avatarlib.run.store import read_json

QUALITIES = 94  # Phred 0 to 93
RUNS = 31  # lengths of homopolymers that are told apart: 0 (never) to 30 and more
ERRORS = ("substitution", "insertion", "deletion")
_HELD = 4096  # reads whose qualities are counted at a time


@dataclass(frozen=True)
class Examination:
    """What reads show, adapters and junk left out.

    Attributes
    ----------
    reads, bases
        How many reads of molecules, and their bases.
    template
        Bases of the molecules that were read: `bases` without the inserted and with the deleted ones.
    labels
        Rows of events.tsv.gz by class, adapters and junk too.
    errors
        Wrong, inserted and deleted bases, by the names in `ERRORS`.
    stated, wrong
        int64 [QUALITIES]: bases by stated quality, and those of them that are substituted or inserted.
    by_cycle
        int64 [mates, length, QUALITIES]: Illumina's bases by mate, cycle and stated quality; length 0 for long reads.
    wrong_by_cycle
        int64 [mates, length]: those of them that are substituted or inserted.
    substitutions
        int64 [4, 4]: from the base in the molecule (row) to that in the read (column), as read, in order A, C, G, T.
    run_bases, run_insertions, run_deletions
        int64 [RUNS]: long reads' molecule bases by the length of the homopolymer that they lie in; insertions after,
        and gaps that begin (in the direction of reading) at such a base. Chimeras are left out. 0 for Illumina.
    identity
        float32 [reads]: share of an alignment's columns, gaps included, in which a read shows its molecule.
    """

    reads: int
    bases: int
    template: int
    labels: dict[str, int]
    errors: dict[str, int]
    stated: np.ndarray
    wrong: np.ndarray
    by_cycle: np.ndarray
    wrong_by_cycle: np.ndarray
    substitutions: np.ndarray
    run_bases: np.ndarray
    run_insertions: np.ndarray
    run_deletions: np.ndarray
    identity: np.ndarray

    @property
    def rates(self) -> dict[str, float]:
        """Errors per base of the molecules, by the names in `ERRORS`; as `rates` of a profile."""
        return {name: count / max(self.template, 1) for name, count in self.errors.items()}

    @property
    def empirical_quality(self) -> np.ndarray:
        """Phred quality that each stated quality turned out to be, float [QUALITIES]; NaN where no base was wrong."""
        seen = self.wrong > 0
        share = np.where(seen, self.wrong, 1) / np.maximum(self.stated, 1)
        return np.where(seen, -10 * np.log10(share), np.nan)

    @property
    def cycle_quality(self) -> np.ndarray:
        """Mean stated quality, float [mates, length]; NaN where no base was read."""
        return self.by_cycle @ np.arange(QUALITIES) / _or_nan(self.by_cycle.sum(2))

    @property
    def cycle_error(self) -> np.ndarray:
        """Share of substituted and inserted bases, float [mates, length]; NaN where no base was read."""
        return self.wrong_by_cycle / _or_nan(self.by_cycle.sum(2))

    @property
    def run_rates(self) -> np.ndarray:
        """Insertions and deletions per molecule base by homopolymer length, float [2, RUNS]; NaN without bases."""
        return np.stack([self.run_insertions, self.run_deletions]) / _or_nan(self.run_bases)


def _or_nan(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, np.nan)


def examine(folder: Path, *, watch: Watch | None = None) -> Examination:
    """Count what the reads of a simulated folder show, by their truth.

    Parameters
    ----------
    folder
        What `avatar reads simulate` wrote, with `truth.events` (and for long reads `truth.fragments`) true.
    watch
        Called now and then with the share of the reads that was seen, 0 to 1.

    Returns
    -------
    Examination
        Memory is constant but for four bytes a read.

    Raises
    ------
    InputError
        No such folder, no truth in it, or a file that is damaged.

    Examples
    --------
    >>> examine(Path("no such folder"))
    Traceback (most recent call last):
        ...
    avatarlib.errors.InputError: no such folder: no run.json in it: give a folder that `avatar reads simulate` wrote
    """
    folder = Path(folder)
    run = read_json(folder / "run.json")
    if not isinstance(run, dict) or not {"platform", "truth"} <= run.keys():
        raise InputError(f"{folder}: no run.json in it: give a folder that `avatar reads simulate` wrote")
    paired = run["platform"] == "illumina"
    wanted = ["events"] if paired else ["events", "fragments"]
    for name in wanted:
        if not run["truth"].get(name, True):
            raise InputError(f"{folder}: written with truth.{name}: false: simulate it again with true")
    mates = ("_1", "_2") if paired else ("",)
    streams = [fastq(_reads(folder, mate), watch if not i else None) for i, mate in enumerate(mates)]
    tally = _Tally(len(mates), int(run.get("length") or 0) if paired else 0)
    rows = _by_read(folder / "events.tsv.gz")
    strands = None if paired else _strands(folder / "fragments.tsv.gz")
    key, found = next(rows, (None, []))
    for records in zip(*streams, strict=True):
        strand = next(strands, "") if strands else ""
        for mate, (name, bases, qualities) in enumerate(records):
            own = []
            if key == (name[:11], b"%d" % (mate + 1) if paired else b"0"):
                own = found
                key, found = next(rows, (None, []))
            tally.add(mate, bases, qualities, own, strand)
    if key is not None:
        raise InputError(f"{folder / 'events.tsv.gz'}: rows of read {key[0].decode('latin-1')}, which is not there")
    return tally.done()


def _reads(folder: Path, mate: str) -> Path:
    plain = folder / f"reads{mate}.fastq"
    return plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")


def _by_read(path: Path) -> Iterator[tuple[tuple[bytes, bytes], list[list[bytes]]]]:
    """Yield name and mate with all their rows, in the order of the file."""
    key, rows = None, []
    for _, fields in table(path, EVENTS):
        if key != (fields[0], fields[1]):
            if rows:
                yield key, rows
            key, rows = (fields[0], fields[1]), []
        rows.append(fields)
    if rows:
        yield key, rows


def _strands(path: Path) -> Iterator[str]:
    """Yield the strand of each molecule; nothing where it has none, or two."""
    for _, fields in table(path, FRAGMENTS):
        if fields[1] == b"1":
            yield fields[10].decode("latin-1") if fields[11] in (b"plain", b"duplicate") else ""


class _Tally:
    """Counts so far: a class because each read adds to them."""

    def __init__(self, mates: int, length: int) -> None:
        self.length, self.bases, self.template = length, 0, 0
        self.labels: Counter = Counter()
        self.errors = dict.fromkeys(ERRORS, 0)
        self.stated, self.wrong = np.zeros(QUALITIES, np.int64), np.zeros(QUALITIES, np.int64)
        self.by_cycle = np.zeros((mates, length, QUALITIES), np.int64)
        self.wrong_by_cycle = np.zeros((mates, length), np.int64)
        self.substitutions = np.zeros((4, 4), np.int64)
        self.runs = np.zeros((3, RUNS), np.int64)  # bases, insertions, deletions
        self.identity: list[float] = []
        self.held: list[list[bytes]] = [[] for _ in range(mates)]

    def add(self, mate: int, bases: bytes, qualities: bytes, rows: list[list[bytes]], strand: str) -> None:
        """Count one read and its rows."""
        size, errors = len(bases), []
        for row in rows:
            kind = row[6]
            self.labels[kind.decode("latin-1")] += 1
            if kind in TAILS:
                size = int(row[5])
            elif kind != b"variant":
                errors.append((int(row[5]), *(b"" if text == b"-" else text for text in row[8:10])))
        if not size:  # junk, or nothing but adapter
            return
        substituted = inserted = deleted = 0
        for at, there, read in errors:
            if len(there) > len(read):
                deleted += len(there) - len(read)
                continue
            new = len(read) - len(there)
            substituted, inserted = substituted + len(there), inserted + new
            for k in range(at, at + len(read)):
                self.wrong[qualities[k] - 33] += 1
                if self.length:
                    self.wrong_by_cycle[mate, k] += 1
            if len(there) == len(read) == 1:  # which strand was read is seen from the base that the FASTQ has
                old, shown = (there, read) if bases[at : at + 1] == read else _reverse(there, read)
                self.substitutions[b"ACGT".index(old), b"ACGT".index(shown)] += 1
        for name, count in zip(ERRORS, (substituted, inserted, deleted), strict=True):
            self.errors[name] += count
        self.bases += size
        self.template += size - inserted + deleted
        self.identity.append(1 - (substituted + inserted + deleted) / (size + deleted))
        if strand:
            self._runs(bases, errors, strand == "-")
        if self.length and size == self.length:
            self.held[mate].append(qualities)
            if len(self.held[mate]) == _HELD:
                self._count(mate)
        elif self.length:
            np.add.at(self.by_cycle[mate], (np.arange(size), np.frombuffer(qualities, np.uint8)[:size] - 33), 1)
        else:
            self.stated += np.bincount(np.frombuffer(qualities, np.uint8)[:size] - 33, minlength=QUALITIES)

    def _count(self, mate: int) -> None:
        """Count the qualities held of a mate."""
        held = np.frombuffer(b"".join(self.held[mate]), np.uint8).reshape(-1, self.length)
        cells = held.astype(np.int64) - 33 + QUALITIES * np.arange(self.length)
        self.by_cycle[mate] += np.bincount(cells.ravel(), minlength=self.length * QUALITIES).reshape(-1, QUALITIES)
        self.held[mate] = []

    def _runs(self, bases: bytes, errors: list[tuple[int, bytes, bytes]], reverse: bool) -> None:
        """Undo a read's errors, and count indels by the run of equal bases in which they lie."""
        pieces, done, at, last = [], 0, 0, (-1, b"")
        events: tuple[list[int], list[int]] = ([], [])
        for place, there, read in errors:
            pieces.append(bases[at:place])
            done, at = done + place - at, place + len(read)
            if len(there) != len(read) and (done, bool(there)) != last:
                events[len(there) > len(read)].append(done if there else max(done - 1, 0))
            pieces.append(_reverse(there, b"")[0] if reverse else there)
            done += len(there)
            last = (done, bool(there)) if len(there) != len(read) else (-1, False)
        pieces.append(bases[at:])
        template = np.frombuffer(b"".join(pieces), np.uint8)
        edges = np.flatnonzero(template[1:] != template[:-1]) + 1
        lengths = np.diff(edges, prepend=0, append=len(template))
        named = np.minimum(lengths, RUNS - 1)
        self.runs[0] += np.bincount(named, lengths, RUNS).astype(np.int64)
        for k, places in enumerate(events, 1):
            self.runs[k] += np.bincount(named[np.searchsorted(edges, places, side="right")], minlength=RUNS)

    def done(self) -> Examination:
        for mate in range(len(self.held)):
            if self.held[mate]:
                self._count(mate)
        stated = self.by_cycle.sum((0, 1)) if self.length else self.stated
        counts = (len(self.identity), self.bases, self.template, dict(sorted(self.labels.items())), self.errors)
        curves = (self.by_cycle, self.wrong_by_cycle, self.substitutions, *self.runs)
        return Examination(*counts, stated, self.wrong, *curves, np.array(self.identity, np.float32))


def _reverse(*texts: bytes) -> tuple[bytes, ...]:
    return tuple(reverse_complement(text) for text in texts)
