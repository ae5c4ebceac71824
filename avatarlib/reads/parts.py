"""One part of a simulation: some thousand molecules in a process of its own, written to files that can be joined."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes import bgzf
from avatarlib.reads import align, illumina, illumina_model, long, long_model, molecules, streams, tables, truth
from avatarlib.reads.batch import Batch, new_batch
from avatarlib.reads.config import Config, Reads
from avatarlib.reads.library import Library, load_library
from avatarlib.reads.profile import IlluminaProfile, LongProfile

Profile = IlluminaProfile | LongProfile

BATCH_BASES = 1_200_000  # read together: what stays in the processor's cache
PART_BATCHES = 8
_OUTPUT = 16_000_000  # bytes of BAM and of events held before they are packed


@dataclass(frozen=True)
class Plan:
    """What a worker needs to make any part: settings, folder of the library, numbers of molecules."""

    config: Config
    profile: Profile
    folder: Path
    molecules: int
    batch: int  # molecules read together
    part: int  # molecules of a part
    contigs: list[str]
    groups: list[str]
    fronts: list[str]

    @property
    def paired(self) -> bool:
        return self.config.reads.paired

    @property
    def parts(self) -> int:
        return -(-self.molecules // self.part)

    def files(self) -> list[str]:
        """Return the streams that a part writes, by their name in the output folder."""
        reads = ["reads_1", "reads_2"] if self.paired else ["reads"]
        twins = [name.replace("reads", "error_free") for name in reads] if self.config.truth.error_free else []
        ending = ".fastq.gz" if self.config.output.compress else ".fastq"
        names = [name + ending for name in (*reads, *twins)]
        if self.config.truth.bam:
            names.append("truth.bam")
        tables = ("events", "fragments")
        return names + [f"{table}.tsv.gz" for table in tables if getattr(self.config.truth, table)]

    def in_place(self, name: str) -> int:
        """Return the bytes of a molecule in a stream whose records have one size, so that parts go straight to their
        place in the final file; 0 for streams whose parts are joined later."""
        fixed = self.paired and name.endswith(".fastq")
        return illumina.HEADER + 2 * self.config.reads.length + 4 if fixed else 0

    def open_part(self, name: str, part: int, first: int, folder: Path) -> BinaryIO:
        """Open a part's own file, or the final one at the part's place."""
        record = self.in_place(name)
        if not record:
            return (folder / f"{part:06d}.{name}").open("wb")
        file = (self.folder / "out" / name).open("r+b")
        file.seek(first * record)
        return file


@dataclass
class Worker:
    """A process's own state: the library and the error model, made once."""

    plan: Plan
    library: Library
    shape: molecules.Shape
    model: illumina_model.Pool | long_model.Model
    names: tables.Names
    batch: Batch | None = None

    @classmethod
    def start(cls, plan: Plan) -> "Worker":
        library = load_library(plan.folder / "library")
        reads, errors = plan.config.reads, plan.config.errors
        common = {name: getattr(reads, name) for name in ("duplicates", "chimeras", "junk", "gc_bias")}
        least = shortest(reads, plan.profile)
        if plan.paired:
            shape = molecules.Shape(reads.fragment_mean, reads.fragment_sd, least, np.zeros(0), **common)
            model = illumina_model.build_pool(plan.profile, errors, reads.length)
        else:
            lengths = long_model.length_quantiles(plan.profile, reads.length_mean, reads.length_sd)
            shape = molecules.Shape(0.0, 0.0, least, lengths, **common)
            model = long_model.build_model(plan.profile, errors, _sample(library.ref))
        return cls(plan, library, shape, model, tables.names(plan.contigs, plan.groups, plan.fronts))


def _sample(bases: np.ndarray) -> np.ndarray:
    """Return up to four million bases from places spread over all references."""
    windows = np.array_split(bases, max(1, min(64, len(bases) // 65536)))
    return np.concatenate([window[:65536] for window in windows])


def shortest(reads: Reads, profile: Profile) -> int:
    """Return the least bases of a molecule: a read's without adapters, else few; for long reads the profile's."""
    if reads.paired:
        return reads.length if not reads.adapters else min(reads.length, 30)
    return max(1, min(profile.length.shortest, int(bases_of_molecule(reads, profile) / 2)))


def bases_of_molecule(reads: Reads, profile: Profile) -> float:
    """Return how many bases of a molecule are read, in the mean."""
    return 2 * reads.length if reads.paired else reads.length_mean or profile.length.mean


def make_part(worker: Worker, part: int, folder: Path) -> dict:
    """Write one part's streams to `folder` and return its counts; a part is there once its JSON file is.

    Raises
    ------
    InputError
        Where a molecule finds no place on the references.
    """
    plan = worker.plan
    stem = f"{part:06d}"
    first = part * plan.part
    last = min(first + plan.part, plan.molecules)
    counts = {"molecules": last - first, "reads": 0, "bases": 0, "labels": np.zeros(len(align.CLASSES), np.int64)}
    counts |= {"errors": np.zeros(3, np.int64), "template": 0, "kinds": np.zeros(len(molecules.KINDS), np.int64)}
    files = {name: plan.open_part(name, part, first, folder) for name in plan.files()}
    try:
        for begin in range(first, last, plan.batch):
            _batch(worker, begin, min(plan.batch, last - begin), files, counts)
    finally:
        for file in files.values():
            file.close()
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else int(value) for key, value in counts.items()}
    done = folder / f"{stem}.json"
    done.with_suffix(".new").write_text(json.dumps(plain))
    os.replace(done.with_suffix(".new"), done)
    return plain


def _batch(worker: Worker, first: int, n: int, files: dict, counts: dict) -> None:
    plan, library = worker.plan, worker.library
    reads, errors = plan.config.reads, plan.config.errors
    drawn = molecules.draw(library, worker.shape, streams.key(reads.seed, "molecules"), first, n)
    if drawn is None:
        raise InputError(
            f"reference: no place was found for a molecule of some {worker.shape.mean or plan.profile.length.mean:.0f} "
            "bases: its runs of A, C, G and T are too short: ask for shorter ones"
        )
    junk = streams.key(reads.seed, "junk")
    stream = streams.key(errors.seed, "errors")
    per = 2 if plan.paired else 1
    sizes = molecules.sizes(drawn)
    if plan.paired:
        most = reads.length
        record = illumina.HEADER + 2 * reads.length + 4
        if worker.batch is None:  # its pages are written again and again, which spares the system to clear new ones
            most_reads = min(plan.batch, plan.molecules)
            worker.batch = new_batch(2 * most_reads, most_reads * record, 2 * most_reads * most, paired=True)
        batch = worker.batch
        made = illumina.read_illumina(library, worker.model, drawn, first, stream, junk, batch)
        texts = [batch.text_1[: n * record], batch.text_2[: n * record]]
    else:
        most = int(sizes.max())
        room = 4 * int(sizes.sum()) + 1000 * n
        batch = new_batch(n, 2 * room, room, paired=False)
        written, made = long.read_long(library, worker.model, drawn, first, stream, junk, batch)
        texts = [batch.text_1[:written]]
    ending = ".fastq.gz" if plan.config.output.compress else ".fastq"
    labels = ["_1", "_2"] if plan.paired else [""]
    pack = bgzf.compress if plan.config.output.compress else memoryview
    for label, text in zip(labels, texts, strict=True):
        files[f"reads{label}{ending}"].write(pack(text))
    if plan.config.truth.error_free:
        if plan.paired:
            twins = illumina.twins(library, worker.model, drawn, first, junk, batch)
        else:
            twins = [long.twins(library, drawn, first, junk)]
        for label, text in zip(labels, twins, strict=True):
            files[f"error_free{label}{ending}"].write(pack(text))
    if plan.config.truth.bam or plan.config.truth.events:
        most_errors = int(np.diff(batch.error_at[: per * n + 1]).max(initial=0))
        span = truth.longest_span(library, drawn)
        room = align.room(int(max(most, sizes.max())), most_errors, span)
        for bam, events in truth.write(
            library, batch, drawn, first, plan.paired, room, worker.names, counts["labels"], _OUTPUT
        ):
            if plan.config.truth.bam:
                files["truth.bam"].write(bgzf.compress(bam, 0))
            if plan.config.truth.events:
                files["events.tsv.gz"].write(bgzf.compress(events))
    if plan.config.truth.fragments:
        files["fragments.tsv.gz"].write(bgzf.compress(tables.fragments(library, drawn, first, worker.names)))
    counts["reads"] += per * n
    counts["bases"] += int(batch.length[: per * n].sum())
    counts["template"] += int(batch.used[: per * n].sum())
    counts["errors"] += np.bincount(batch.error_kind[:made], minlength=3)
    counts["kinds"] += np.bincount(drawn.kind, minlength=len(molecules.KINDS))


_worker: Worker | None = None


def begin_process(plan: Plan) -> None:
    """Make this process a worker."""
    global _worker
    _worker = Worker.start(plan)


def make_in_process(part: int, folder: Path) -> dict:
    """Make a part in a process that `begin_process` prepared."""
    return make_part(_worker, part, folder)


def run(plan: Plan, folder: Path, wanted: list[int], workers: int) -> Iterator[tuple[int, dict]]:
    """Make parts, in this process or in several; yield each part's number and counts when it is there.

    What is written never depends on the number of processes.
    """
    if workers == 1 or len(wanted) < 2:
        worker = Worker.start(plan)
        for part in wanted:
            yield part, make_part(worker, part, folder)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(min(workers, len(wanted)), get_context("spawn"), begin_process, (plan,))
    try:
        futures = {pool.submit(make_in_process, part, folder): part for part in wanted}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
