"""From a configuration to a folder of reads with their whole truth: resumable, the same bytes for any number of workers.

Everything is written to a hidden folder beside the one asked for, which takes its place when it is complete. A run that
was stopped goes on where it was: variation and library are made once, parts that are there are kept.
"""

import contextlib
import csv
import fcntl
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pysam

import avatarlib
from avatarlib.errors import AvatarError, InputError
from avatarlib.genomes.fasta import read_fasta, write_fasta
from avatarlib.genomes.haplotypes import haplotype
from avatarlib.genomes.simulate import Genomes
from avatarlib.genomes.simulate import simulate as simulate_variation
from avatarlib.genomes.trees import write_trees
from avatarlib.genomes.vcf import write_vcf
from avatarlib.reads import bgzf, parts, truth
from avatarlib.reads.config import Config, canonical, check_names
from avatarlib.reads.library import Source, save_library
from avatarlib.reads.parts import LEVEL, Plan
from avatarlib.reads.profile import load_profile
from avatarlib.run.store import file_sha256, write_json

SCHEMA = "avatar-reads/1"
HUMAN = "human"  # the donors' source
Progress = Callable[[str, float], None]


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
    key = hashlib.sha256(json.dumps([SCHEMA, avatarlib.__version__, settings, inputs], sort_keys=True).encode()).hexdigest()
    earlier = _earlier(out, key)
    if earlier is not None:
        return earlier
    work = out.parent / f".{out.name}.partial"
    with _alone(work, out):
        earlier = _earlier(out, key)  # another run may just have finished it
        if earlier is not None:
            return earlier
        try:
            plan, prepared = _prepare(config, work, key, progress)
            counts = _make(plan, work, config.workers, progress)
        except InputError:  # nothing that another run could go on with
            shutil.rmtree(work)
            raise
        record = _join(plan, work, prepared, counts, progress)
        record = {"schema": SCHEMA, "key": key, "version": avatarlib.__version__, "config": settings} | record
        record |= {"inputs": inputs, "references": _references(config, inputs, out)}
        _publish(work, out, record, progress)
    return record


def _inputs(config: Config) -> dict[str, Path]:
    """Return the files that decide the output, by the key that names them."""
    files = {"reference": config.reference} | {f"mixture.{s.name}": s.reference for s in config.mixture}
    for name in ("sites", "pedigree"):
        if getattr(config.variation, name) is not None:
            files[f"variation.{name}"] = getattr(config.variation, name)
    if config.variation.model.endswith((".yml", ".yaml")):
        files["variation.model"] = Path(config.variation.model)
    if config.errors.profile != "default":
        files["errors.profile"] = Path(config.errors.profile)
    return files


def _publish(work: Path, out: Path, record: dict, progress: Progress) -> None:
    """Add the record with every file's checksum, and move the finished folder to its place."""
    files = [path for path in sorted((work / "out").rglob("*")) if path.is_file() and path.name != "run.json"]
    record["outputs"] = {}
    for number, path in enumerate(files):
        progress("checksums", number / len(files))
        record["outputs"][path.relative_to(work / "out").as_posix()] = file_sha256(path)
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


def _prepare(config: Config, work: Path, key: str, progress: Progress) -> tuple[Plan, dict]:
    """Make variation and library, or find them from an earlier, stopped run of the same settings."""
    profile = load_profile(config.errors.profile, config.reads.platform)
    stamp = work / "prepared.json"
    prepared = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if prepared.get("key") != key:
        for path in work.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in ("out", "library", "parts"):
            (work / name).mkdir()
        prepared = _variation(config, profile, work, progress) | {"key": key}
        write_json(stamp, prepared)
    names = {name: prepared[name] for name in ("contigs", "groups", "fronts", "molecules", "batch", "part")}
    return Plan(config=config, profile=profile, folder=work, **names), prepared


def _variation(config: Config, profile, work: Path, progress: Progress) -> dict:
    """Write donors, variants, haplotypes and the library; return what the later steps need."""
    progress("variation", 0)
    reference = read_fasta(config.reference)
    genomes = simulate_variation(reference, config.variation)
    donors = [donor["donor"] for donor in genomes.donors]
    check_names(config, donors)
    share = max(0.0, 1 - sum(source.share for source in config.mixture))
    sources = [Source(HUMAN, True, share, reference, genomes)]
    sources += [Source(s.name, s.human, s.share, read_fasta(s.reference), None) for s in config.mixture]
    out = work / "out"
    write_vcf(out / "variants.vcf.gz", genomes)
    progress("variation", 0.5)
    if config.truth.haplotypes:
        _save_haplotypes(out / "haplotypes.fa.gz", genomes)
    _save_donors(out / "donors.csv", genomes)
    _save_trees(out / "genealogies", genomes)
    shape = Plan(config, profile, work, 0, 0, 0, [], [], [])
    least = config.reads.length if shape.paired else parts.shortest(shape)
    short = save_library(work / "library", sources, least)
    progress("variation", 1)
    for source in sources:
        if source.share > 0 and not (np.diff(source.reference.offsets) >= least).any():
            longest = int(np.diff(source.reference.offsets).max(initial=0))
            raise InputError(
                f"reference of {source.name}: its longest contig has {longest} bases, a read needs {least}: "
                "ask for shorter reads or give longer contigs"
            )
    contigs = _contig_names(sources)
    fronts = [f"{HUMAN}\t1\t{donor}" for donor in donors]
    fronts += [f"{source.name}\t{int(source.human)}\t*" for source in sources[1:]] + ["*\t0\t*"]
    molecules = _how_many(config, profile, int(reference.offsets[-1]), share)
    mean = 2 * config.reads.length if shape.paired else (config.reads.length_mean or profile.length.mean)
    batch = max(1, int(parts.BATCH_BASES / mean))
    return {
        "contigs": contigs,
        "lengths": np.concatenate([np.diff(source.reference.offsets) for source in sources]).tolist(),
        "sources": [source.name for source in sources for _ in source.reference.names],
        "own_names": [name for source in sources for name in source.reference.names],
        "human": {source.name: source.human for source in sources},
        "groups": [*donors, *(source.name for source in sources[1:]), "junk"],
        "samples": donors,
        "fronts": fronts,
        "molecules": molecules,
        "batch": batch,
        "part": batch * parts.PART_BATCHES,
        "short_contigs": int(short),
        "left_out": dict(genomes.left_out),
        "variants": sum(len(contig.variants) for contig in genomes.contigs),
    }


def _how_many(config: Config, profile, bases: int, share: float) -> int:
    reads = config.reads
    if reads.coverage is None:
        return reads.pairs or reads.reads
    if share == 0:
        raise InputError("reads.coverage is the depth of the donors' reference, and the mixture leaves them no share")
    each = 2 * reads.length if reads.platform == "illumina" else (reads.length_mean or profile.length.mean)
    return max(1, math.ceil(reads.coverage * bases / each / share))


def _contig_names(sources: list[Source]) -> list[str]:
    """Return every contig's name in the truth: its own, or source:name where two sources share it."""
    names = [name for source in sources for name in source.reference.names]
    if len(set(names)) == len(names):
        return names
    shared = {name for name in names if names.count(name) > 1} if len(names) < 1000 else _shared(names)
    return [f"{s.name}:{n}" if n in shared else n for s in sources for n in s.reference.names]


def _shared(names: list[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}


def _save_haplotypes(path: Path, genomes: Genomes) -> None:
    """Write every copy of every contig, named contig|donor|haplotype."""
    rows = [(index, copy) for index, contig in enumerate(genomes.contigs) for copy in range(len(contig.copies))]
    names, sequences = [], (
        haplotype(genomes.reference.sequence(index), genomes.contigs[index].variants, copy).bases for index, copy in rows
    )
    for index, copy in rows:
        donor, number = genomes.contigs[index].copies[copy]
        names.append(f"{genomes.contigs[index].name}|{genomes.donors[donor]['donor']}|{number}")
    write_fasta(path, names, sequences)


def _save_donors(path: Path, genomes: Genomes) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["donor", "population", "sex", "father", "mother"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(genomes.donors)
    path.write_text(text.getvalue(), encoding="utf-8")


def _save_trees(folder: Path, genomes: Genomes) -> None:
    folder.mkdir()
    for number, contig in enumerate(genomes.contigs):
        if contig.trees is not None and len(genomes.contigs) <= 1000:
            write_trees(folder / f"{number + 1}.trees", contig.trees)


def _make(plan: Plan, work: Path, workers: int, progress: Progress) -> list[dict]:
    """Make the parts that are not there; return all parts' counts."""
    folder = work / "parts"
    there = {int(path.stem): json.loads(path.read_text()) for path in folder.glob("*.json")}
    wanted = [part for part in range(plan.parts) if part not in there]
    for name in plan.files():
        if plan.in_place(name):
            (work / "out" / name).touch()
    made = [plan.parts - len(wanted)]
    progress("reads", made[0] / plan.parts)

    def done(counts: dict) -> None:
        made[0] += 1
        progress("reads", made[0] / plan.parts)

    try:
        parts.run(plan, work / "parts", wanted, workers, done)
    except OSError as error:
        raise AvatarError(f"{error.strerror or error}: what is done is kept, run the same command to go on") from error
    return [json.loads((folder / f"{part:06d}.json").read_text()) for part in range(plan.parts)]


def _join(plan: Plan, work: Path, prepared: dict, counts: list[dict], progress: Progress) -> dict:
    """Lay the parts of every stream end to end, sort the alignments; return the counts of the whole."""
    heads = {"events.tsv.gz": truth.EVENTS_HEADER.encode(), "fragments.tsv.gz": truth.FRAGMENTS_HEADER.encode()}
    names = [name for name in plan.files() if not plan.in_place(name)]
    for number, name in enumerate(names):
        progress("joining", number / len(names))
        target = work / "out" / name if name != "truth.bam" else work / "unsorted.bam"
        with target.open("wb") as out:
            if name == "truth.bam":
                out.write(bgzf.compress(_bam_header(prepared), LEVEL))
            elif name in heads:
                out.write(bgzf.compress(heads[name], LEVEL))
            for part in range(plan.parts):
                with (work / "parts" / f"{part:06d}.{name}").open("rb") as file:
                    shutil.copyfileobj(file, out, 1 << 22)
            if name.endswith((".gz", ".bam")):
                out.write(bgzf.EOF)
        if name == "truth.bam":
            bam = str(work / "out" / name)
            pysam.sort("--no-PG", "-l", "1", "-m", "384M", "-T", str(work / "sorting"), "-o", bam, str(target))
            target.unlink()
            pysam.index(bam, bam + ".bai")
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
        | {"molecules_by_kind": dict(zip(truth.KINDS, map(int, kinds), strict=True))},
    }
    if plan.config.truth.bam or plan.config.truth.events:
        record["counts"]["labels"] = dict(zip(truth.CLASSES, map(int, labels), strict=True))
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

