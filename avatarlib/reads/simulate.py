"""From a configuration to a folder of reads with their whole truth, the same bytes for any number of workers.

Everything is written to a hidden folder beside the one asked for, which takes its place when it is complete. A run that
was stopped goes on where it was: variation and library are made once, parts that are there are kept.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pysam

import avatarlib
from avatarlib.errors import AvatarError, InputError
from avatarlib.genomes import bgzf
from avatarlib.genomes.settings import is_demes_file
from avatarlib.reads import align, molecules, parts, tables
from avatarlib.reads.config import Config, canonical
from avatarlib.reads.parts import Plan
from avatarlib.reads.prepare import HUMAN, Progress, prepare
from avatarlib.run.store import file_sha256, write_json

SCHEMA = "avatar-reads/1"
MOST_SORTING = 8  # threads


def simulate(config: Config, out: Path, *, progress: Progress = lambda step, done: None) -> dict:
    """Simulate reads and write them with their truth to a new folder.

    Parameters
    ----------
    config
        As `config.load` gives it.
    out
        Folder that doesn't exist, or is empty, or holds this very simulation.
    progress
        Called with a step's name and the share of it that is done.

    Returns
    -------
    dict
        What `run.json` holds: settings, counts, checksums of every file.

    Raises
    ------
    InputError
        Where a file of the configuration is wrong, or `out` holds something else.
    """
    out = Path(out)
    inputs = {name: file_sha256(path) for name, path in _inputs(config).items()}
    settings = canonical(config)
    key = hashlib.sha256(
        json.dumps([SCHEMA, avatarlib.__version__, settings, inputs], sort_keys=True).encode()
    ).hexdigest()
    earlier = _earlier(out, key)
    if earlier is not None:
        return earlier
    work = out.parent / f".{out.name}.partial"
    with _alone(work, out):
        earlier = _earlier(out, key)  # another run may just have finished it
        if earlier is not None:
            return earlier
        try:
            plan, prepared = prepare(config, work, key, progress)
            counts = _make(plan, work, config.workers, progress)
            record = _join(plan, work, prepared, counts, progress)
            record = {"schema": SCHEMA, "key": key, "version": avatarlib.__version__, "config": settings} | record
            record |= {"inputs": inputs, "references": _references(config, inputs, out)}
            _publish(config, work, out, record, progress)
        except InputError:  # nothing that another run could go on with
            shutil.rmtree(work)
            raise
        except (OSError, pysam.SamtoolsError) as error:
            what = getattr(error, "strerror", None) or error
            raise AvatarError(f"{what}: what is done is kept, run the same command to go on") from error
    return record


def _inputs(config: Config) -> dict[str, Path]:
    """Return the files that decide the output, by the key that names them."""
    files = {"reference": config.reference} | {f"mixture.{s.name}": s.reference for s in config.mixture}
    for name in ("sites", "pedigree"):
        if getattr(config.variation, name) is not None:
            files[f"variation.{name}"] = getattr(config.variation, name)
    if is_demes_file(config.variation.model):
        files["variation.model"] = Path(config.variation.model)
    if config.errors.profile != "default":
        files["errors.profile"] = Path(config.errors.profile)
    return files


def _publish(config: Config, work: Path, out: Path, record: dict, progress: Progress) -> None:
    """Add the record with every file's checksum, and move the finished folder to its place."""
    files = [path for path in sorted((work / "out").rglob("*")) if path.is_file() and path.name != "run.json"]
    progress("checksums", 0)
    with ThreadPoolExecutor(config.workers) as pool:
        sums = list(pool.map(file_sha256, files)) if config.output.checksums else [None] * len(files)
    names = [path.relative_to(work / "out").as_posix() for path in files]
    record["outputs"] = dict(zip(names, sums, strict=True))
    write_json(work / "out" / "run.json", record)
    if out.is_dir():
        out.rmdir()
    os.replace(work / "out", out)
    shutil.rmtree(work)
    progress("checksums", 1)


def _references(config: Config, inputs: dict[str, str], out: Path) -> list[dict]:
    """Return where the references lie as seen from the output folder, for `verify`."""
    rows = [(HUMAN, "reference", config.reference, True)]
    rows += [(source.name, f"mixture.{source.name}", source.reference, source.human) for source in config.mixture]
    return [
        {"name": name, "path": os.path.relpath(path, out), "sha256": inputs[key], "human": human}
        for name, key, path, human in rows
    ]


def _earlier(out: Path, key: str) -> dict | None:
    """Return the record of the same simulation in `out`; None where there is nothing."""
    if not out.exists() and not out.is_symlink():
        if not out.parent.is_dir():
            raise InputError(f"{out}: there is no folder {out.parent} to write it in")
        return None
    if not out.is_dir() or out.is_symlink():
        raise InputError(f"{out} exists and is no folder: choose another --out")
    if not any(out.iterdir()):
        return None
    try:
        record = json.loads((out / "run.json").read_text(encoding="utf-8"))
        same = record["key"] == key
        complete = all((out / name).is_file() for name in record["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        same = complete = False
    if not same:
        raise InputError(f"{out} holds something else, or a simulation with other settings: choose another --out")
    if not complete:
        raise InputError(f"{out} holds this simulation, but files are missing: remove the folder and run again")
    return record


@contextlib.contextmanager
def _alone(work: Path, out: Path) -> Iterator[None]:
    """Hold the work folder; a second run that asks for the same output is refused."""
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{out}: another run is writing it: wait for it, or choose another --out") from None
        yield


def _make(plan: Plan, work: Path, workers: int, progress: Progress) -> list[dict]:
    """Make the parts that are not there; return all parts' counts."""
    folder = work / "parts"
    counts = {int(path.stem): json.loads(path.read_text()) for path in folder.glob("*.json")}
    wanted = [part for part in range(plan.parts) if part not in counts]
    for name in plan.files():
        if plan.in_place(name):
            (work / "out" / name).touch()
    progress("reads", len(counts) / plan.parts)
    for part, made in parts.run(plan, folder, wanted, workers):
        counts[part] = made
        progress("reads", len(counts) / plan.parts)
    return [counts[part] for part in range(plan.parts)]


def _join(plan: Plan, work: Path, prepared: dict, counts: list[dict], progress: Progress) -> dict:
    """Lay the parts of every stream end to end, sort the alignments; return the counts of the whole."""
    heads = {"events.tsv.gz": tables.EVENTS_HEADER.encode(), "fragments.tsv.gz": tables.FRAGMENTS_HEADER.encode()}
    names = [name for name in plan.files() if not plan.in_place(name)]
    for number, name in enumerate(names):
        progress("joining", number / len(names))
        target = work / "out" / name if name != "truth.bam" else work / "unsorted.bam"
        with target.open("wb") as out:
            if name == "truth.bam":
                out.write(bgzf.compress(_bam_header(prepared)))
            elif name in heads:
                out.write(bgzf.compress(heads[name]))
            for part in range(plan.parts):
                with (work / "parts" / f"{part:06d}.{name}").open("rb") as file:
                    shutil.copyfileobj(file, out, 1 << 22)
            if name.endswith((".gz", ".bam")):
                out.write(bgzf.END)
        if name == "truth.bam":
            threads = min(plan.config.workers, MOST_SORTING)  # they change no byte
            share = ["-@", str(threads), "-m", f"{384 // threads}M", "-T", str(work / "sorting")]
            bam = work / "out" / name
            pysam.sort("--no-PG", "-l", "1", *share, "--write-index", "-o", f"{bam}##idx##{bam}.bai", str(target))
            target.unlink()
    progress("joining", 1)
    total = {name: sum(part[name] for part in counts) for name in ("molecules", "reads", "bases", "template")}
    errors = np.sum([part["errors"] for part in counts], 0)
    kinds = np.sum([part["kinds"] for part in counts], 0)
    labels = np.sum([part["labels"] for part in counts], 0)
    record = {
        "platform": plan.config.reads.platform,
        "length": plan.config.reads.length if plan.paired else None,
        "adapters": plan.profile.adapters.model_dump() if plan.paired else None,
        "truth": plan.config.truth.model_dump(),
        "contigs": [
            {"name": name, "source": source, "contig": own}
            for name, source, own in zip(prepared["contigs"], prepared["sources"], prepared["own_names"], strict=True)
        ],
        "short_contigs": prepared["short_contigs"],
        "left_out": prepared["left_out"],
        "variants": prepared["variants"],
        "counts": total
        | {"errors": dict(zip(("substitution", "insertion", "deletion"), map(int, errors), strict=True))}
        | {"molecules_by_kind": dict(zip(molecules.KINDS, map(int, kinds), strict=True))},
    }
    if plan.config.truth.bam or plan.config.truth.events:
        record["counts"]["labels"] = dict(zip(align.CLASSES, map(int, labels), strict=True))
    return record


def _bam_header(prepared: dict) -> bytes:
    """Return the header of the unsorted BAM: contigs, a read group a donor or source, and what wrote it."""
    lines = ["@HD\tVN:1.6\tSO:unsorted"]
    lines += [f"@SQ\tSN:{n}\tLN:{size}" for n, size in zip(prepared["contigs"], prepared["lengths"], strict=True)]
    lines += [f"@RG\tID:{group}\tSM:{group}" for group in prepared["groups"]]
    lines += [f"@PG\tID:avatar\tPN:avatar\tVN:{avatarlib.__version__}"]
    text = ("\n".join(lines) + "\n").encode()
    out = [b"BAM\1", len(text).to_bytes(4, "little"), text, len(prepared["contigs"]).to_bytes(4, "little")]
    for name, size in zip(prepared["contigs"], prepared["lengths"], strict=True):
        out += [(len(name) + 1).to_bytes(4, "little"), name.encode() + b"\0", size.to_bytes(4, "little")]
    return b"".join(out)
