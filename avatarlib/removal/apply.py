"""From a sample and a remover to a folder with what is kept, what is removed, every call, and a report."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

import avatarlib
from avatarlib import removal
from avatarlib.errors import InputError
from avatarlib.removal.evaluate import wilson
from avatarlib.removal.output import Output
from avatarlib.removal.reads import BATCH_READS, Batch, batches
from avatarlib.removal.remover import Calls, Remover
from avatarlib.removal.sample import Sample, labels, read_truth
from avatarlib.run.store import file_sha256, locked, scratch_folder, swap_in, write_json

SCHEMA = "avatar-removal/1"
BINS = 20  # of scores in the report
ASSUMED = (0.9999, 0.999, 0.99, 0.95, 0.9)  # sensitivities for which the report reckons what is left
Progress = Callable[[str, float], None]
Watch = Callable[[Batch, np.ndarray], None]  # takes a batch and which of its molecules are kept


class TooLong(InputError):
    """A sample has a read that is longer than the remover is made for."""


def remove(
    sample: Sample,
    name: str,
    reference: Path,
    out: Path,
    *,
    keep_names: bool = False,
    index: Path | None = None,
    threads: int = 1,
    time_limit: float = removal.TIME_LIMIT,
    batch_reads: int = BATCH_READS,
    watch: Watch = lambda batch, kept: None,
    finish: Callable[[dict, Path], None] = lambda report, folder: None,
    progress: Progress = lambda step, done: None,
) -> dict:
    """Take a sample's human reads away and write the folder `out`.

    Parameters
    ----------
    name, reference, threads, time_limit
        As `avatarlib.removal.fit` takes them.
    out
        Folder that doesn't exist or is empty; complete or not there when this ends.
    index
        Folder in which indices are kept for the next time; None: they are thrown away.
    watch
        Called with every batch and which of its molecules are kept.
    finish
        Called with the report and the folder before it takes its place, to add to both.
    batch_reads
        Molecules that are in memory at once; changes no byte of the output.

    Returns
    -------
    dict
        What `report.json` holds. No name of a read or of a file of the sample is in it.

    Raises
    ------
    InputError
        The sample, the reference or the call is wrong, or a program is missing.
    AvatarError
        A program failed; repeats what it said.
    """
    with new_folder(out) as scratch, fitted(name, reference, index, threads, time_limit, progress) as one:
        report = _write(sample, one, scratch, keep_names, batch_reads, watch, progress)
        report["reference"] = {"sha256": file_sha256(reference)}
        finish(report, scratch)
        write_json(scratch / "report.json", report)
    return report


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder that becomes `out` when all went well, and is gone when not.

    Raises
    ------
    InputError
        `out` holds something, or its parent is not there.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not an empty folder: choose another --out")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent} to write it in")
    lock = out.parent / f".{out.name}.lock"
    try:
        with locked(lock):
            scratch = scratch_folder(out)
            try:
                yield scratch
                swap_in(scratch, out)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    finally:
        lock.unlink(missing_ok=True)


@contextmanager
def fitted(
    name: str, reference: Path, index: Path | None, threads: int, time_limit: float, progress: Progress
) -> Iterator[Remover]:
    """Fit a remover in a folder of its own: a kept one below `index`, or one that is gone afterwards."""
    if not Path(reference).is_file():
        raise InputError(f"{reference}: no such file: give the human reference as FASTA")
    progress(f"index of {name}", 0)
    with tempfile.TemporaryDirectory(prefix="avatar-removal-") as own, ExitStack() as held:
        work = Path(own)
        if index is not None:
            # Whose reference or version is another has another folder, so a kept index is never the wrong one.
            work = index / f"{name}-{file_sha256(reference)[:16]}-{avatarlib.__version__}"
            held.enter_context(locked(work / "lock"))  # programs work in it: one run at a time
        yield removal.fit(name, Path(reference).resolve(), work=work, threads=threads, time_limit=time_limit)


def classified(sample: Sample, remover: Remover, *, batch_reads: int = BATCH_READS) -> Iterator[tuple[Batch, Calls]]:
    """Yield batches with their calls; refuses reads longer than the remover is made for."""
    for batch in batches(sample.files, most_reads=batch_reads):
        longest = int(np.diff(batch.offsets).max(initial=0))
        if longest > remover.longest:
            raise TooLong(
                f"the sample has a read of {longest:,} bases; {remover.name} is for reads of up to "
                f"{remover.longest:,}: use minimap2-long, kmer or kraken2"
            )
        yield batch, remover.classify(batch)


def _write(
    sample: Sample, one: Remover, folder: Path, keep_names: bool, batch_reads: int, watch: Watch, progress: Progress
) -> dict:
    truth = read_truth(sample.truth) if sample.truth else None
    tally, by_source = Counter(), Counter()
    bins = {"kept": np.zeros(BINS, np.int64), "removed": np.zeros(BINS, np.int64)}
    mates = len(sample.files)
    with Output(folder, kind=sample.kind, mates=mates, keep_names=keep_names) as output:
        for batch, calls in classified(sample, one, batch_reads=batch_reads):
            progress("reads", 0)
            output.write(batch, calls)
            watch(batch, ~calls.human)
            sizes = np.diff(batch.offsets).reshape(-1, mates).sum(axis=1)
            for what, chosen in (("kept", ~calls.human), ("removed", calls.human)):
                tally[f"{what} molecules"] += int(chosen.sum())
                tally[f"{what} bases"] += int(sizes[chosen].sum())
                places = np.minimum((calls.score[chosen] * BINS).astype(int), BINS - 1)
                bins[what] += np.bincount(places, minlength=BINS)
            tally["kept with a score"] += int((~calls.human & (calls.score > 0)).sum())
            if truth is not None:
                by_source.update(zip(*labels(batch, truth), calls.human.tolist(), strict=True))
    files = {"kept": output.kept, "removed": output.removed, "calls": "calls.tsv.gz"}
    return {
        "schema": SCHEMA,
        "version": avatarlib.__version__,
        "remover": describe(one),
        "sample": {"kind": sample.kind, "reads a molecule": mates},
        "files": files | {"names": "as in the sample" if keep_names else "new"},
        "counts": dict(tally),
        "scores": {what: several.tolist() for what, several in bins.items()} if one.meaning else None,
        "left": left_if(tally["removed molecules"]),
        "truth": agreement(by_source) if truth is not None else None,
        "residual": None,
    }


def describe(one: Remover) -> dict:
    """Return what a report says about a remover."""
    names = ("name", "tool", "version", "command", "meaning", "threshold")
    return {name: getattr(one, name) for name in names}


def left_if(removed: int) -> list[dict]:
    """Return how many human molecules are still there if the remover finds such a share of them.

    Examples
    --------
    >>> left_if(99)[2]
    {'sensitivity': 0.99, 'human molecules left': 1.0}
    """
    return [{"sensitivity": s, "human molecules left": round(removed * (1 - s) / s, 1)} for s in ASSUMED]


def agreement(by_source: Counter) -> dict:
    """Return sensitivity and false removals, also by source, with 95 % Wilson intervals, of (human, source, call).

    Examples
    --------
    >>> found = agreement(Counter({(True, "human", True): 9, (True, "human", False): 1, (False, "ecoli", False): 5}))
    >>> found["sensitivity"]["share"], found["false removals"]["share"], found["human molecules left"]
    (0.9, 0.0, 1)
    """

    def share(chosen) -> dict:
        n = sum(several for key, several in by_source.items() if chosen(key))
        hits = sum(several for key, several in by_source.items() if chosen(key) and key[2])
        low, high = wilson(hits, n)
        return {"hits": hits, "n": n, "share": hits / n if n else None, "interval": [float(low), float(high)]}

    sources = sorted({(human, source) for human, source, _ in by_source})
    rows = [
        {"source": source, "human": human} | share(lambda key, s=source, h=human: key[:2] == (h, s))
        for human, source in sources
    ]
    sensitivity, false = share(lambda key: key[0]), share(lambda key: not key[0])
    left = sensitivity["n"] - sensitivity["hits"]
    return {"sensitivity": sensitivity, "false removals": false, "human molecules left": left, "sources": rows}
