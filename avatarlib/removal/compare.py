"""Several removers on one sample: one after the other, so that one index is in memory at a time."""

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import avatarlib
from avatarlib import removal
from avatarlib.errors import InputError
from avatarlib.removal.apply import Progress, TooLong, agreement, classified, describe, fitted, new_folder
from avatarlib.removal.page import comparison_picture, page
from avatarlib.removal.sample import Sample, labels, read_truth
from avatarlib.run.store import file_sha256, write_json, write_text

SCHEMA = "avatar-compare/1"


def compare(
    sample: Sample,
    names: Sequence[str],
    reference: Path,
    out: Path,
    *,
    index: Path | None = None,
    threads: int = 1,
    time_limit: float = removal.TIME_LIMIT,
    progress: Progress = lambda step, done: None,
) -> dict:
    """Let removers judge a sample and write the folder `out`: comparison.csv, agreement.csv, report.json, report.html.

    Parameters
    ----------
    names
        Removers; empty: all that can run here and are made for reads as long as these.

    Raises
    ------
    InputError, AvatarError
        As `avatarlib.removal.apply.remove`; a remover that was named and can't run is an error.
    """
    unknown = [name for name in names if name not in removal.REMOVERS]
    if unknown or len(set(names)) < len(names):
        wrong = f"no remover is called {unknown[0]!r}" if unknown else "a remover is named twice"
        raise InputError(f"{wrong}: choose among {', '.join(removal.REMOVERS)}")
    wanted = list(names or removal.REMOVERS)
    missing = {name: why for name in wanted if (why := removal.absent(name))}
    if names and missing:
        name, why = next(iter(missing.items()))
        raise InputError(f"{name} can't run: {why}")
    rows, calls = [], {}
    with new_folder(out) as scratch, tempfile.TemporaryDirectory(prefix="avatar-compare-") as kept:
        for number, name in enumerate(wanted):
            if name in missing:
                continue
            progress("removers", number / len(wanted))
            try:
                row, file = _judge(sample, name, reference, index, threads, time_limit, Path(kept))
            except TooLong:
                if names:
                    raise
                missing[name] = "made for shorter reads"
                continue
            rows.append(row)
            calls[name] = np.fromfile(file, np.uint8)
        progress("removers", 1)
        report = {
            "schema": SCHEMA,
            "version": avatarlib.__version__,
            "reference": {"sha256": file_sha256(reference)},
            "molecules": len(next(iter(calls.values()))),
            "truth": sample.truth is not None,
            "removers": rows,
            "not run": missing,
        }
        _write(report, calls, scratch)
    return report


def _judge(
    sample: Sample, name: str, reference: Path, index: Path | None, threads: int, time_limit: float, kept: Path
) -> tuple[dict, Path]:
    """One remover's row of the table, and the file with its calls, a byte each."""
    truth = read_truth(sample.truth) if sample.truth else None
    tally, file, seconds = Counter(), kept / name, 0.0
    with fitted(name, reference, index, threads, time_limit, lambda *_: None) as one, file.open("wb") as out:
        begun = time.perf_counter()
        for batch, calls in classified(sample, one):
            seconds += time.perf_counter() - begun
            out.write(calls.human.astype(np.uint8).tobytes())
            keys = labels(batch, truth) if truth is not None else ([False] * len(batch), [""] * len(batch))
            tally.update(zip(*keys, calls.human.tolist(), strict=True))
            begun = time.perf_counter()
    several, removed = sum(tally.values()), sum(n for key, n in tally.items() if key[2])
    row = {"remover": name} | describe(one)
    row |= {"removed": removed, "removed share": removed / several, "molecules a second": several / max(seconds, 1e-9)}
    if truth is not None:
        found = agreement(tally)
        sensitivity = found["sensitivity"]
        low, high = sensitivity["interval"]
        missed = {
            "hits": sensitivity["n"] - sensitivity["hits"],
            "n": sensitivity["n"],
            "interval": [1 - high, 1 - low],
        }
        missed["share"] = None if sensitivity["share"] is None else 1 - sensitivity["share"]
        row |= found | {"missed": missed}
    return row, file


def _write(report: dict, calls: dict[str, np.ndarray], folder: Path) -> None:
    columns = ["remover", "tool", "version", "command", "removed", "removed share", "molecules a second"]
    table = pd.DataFrame([{name: row[name] for name in columns} for row in report["removers"]])
    for what in ("sensitivity", "false removals") if report["truth"] else ():
        shown = [row[what] for row in report["removers"]]
        table[what] = [one["share"] for one in shown]
        for k, end in enumerate(("low", "high")):
            table[f"{what}, {end}"] = [one["interval"][k] for one in shown]
    write_text(folder / "comparison.csv", table.to_csv(index=False, lineterminator="\n", float_format="%.9g"))
    names = list(calls)
    alike = [[float((calls[a] == calls[b]).mean()) for b in names] for a in names]
    shared = pd.DataFrame(alike, index=pd.Index(names, name="remover"), columns=names)
    write_text(folder / "agreement.csv", shared.to_csv(lineterminator="\n", float_format="%.9g"))
    pictures = comparison_picture(report["removers"], report["truth"])
    text = page("compare.html.j2", pictures, r=report, alike=list(zip(names, alike, strict=True)))
    write_text(folder / "report.html", text)
    write_json(folder / "report.json", report)
