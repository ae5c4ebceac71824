"""Tables of the study (`make study-removal`): the cells that it makes one by one, and the committed tables, loaded."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib.removal import grid
from avatarlib.removal.evaluate import operating_curve, wilson
from avatarlib.removal.grid import Cell
from avatarlib.removal.material import DECOY, Material
from avatarlib.removal.remover import Remover
from avatarlib.run.store import project_root, read_json, write_json

FOLDER = "studies/removal"
COUNTS = ("hits", "n")
TABLES = {  # columns before the intervals
    "sensitivity": ("variation", "error", "length", "platform", "remover", "stratum", *COUNTS),
    "specificity": ("error", "length", "platform", "remover", "source", *COUNTS),
    "curves": ("error", "length", "remover", "threshold", "sensitivity", "false removals"),
    "masked": ("error", "length", "remover", "reference", "what", "source", *COUNTS),
}
CURVE_POINTS = 40  # of an operating curve, at most


def committed(name: str) -> pd.DataFrame | None:
    """Return a committed table of the study, None where the study has not been run."""
    path = project_root() / FOLDER / f"{name}.csv"
    return pd.read_csv(path) if path.is_file() else None


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Add share and 95 % Wilson interval to a table with hits and n."""
    low, high = wilson(table.hits.to_numpy(), table.n.to_numpy())
    return table.assign(share=table.hits / table.n.clip(lower=1), low=low, high=high)


def run_cells(
    wanted: Sequence[Cell],
    material: Material,
    removers: Mapping[str, Remover],
    masked: Mapping[str, Remover],
    store: Path,
    *,
    reads: int,
    seed: int,
    curve_variation: float,
    masked_cells: Sequence[Cell] = (),
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> Iterator[dict[str, list[dict]]]:
    """Yield the rows of every cell by table, made now or found in the folder `store` from an earlier, stopped run.

    Parameters
    ----------
    removers, masked
        Fitted to the reference, and to its masked copy.
    curve_variation
        Variation of the cells whose operating curves are kept.
    masked_cells
        Those in which the masked reference is tried too.
    """
    store.mkdir(parents=True, exist_ok=True)
    about = {"reads": reads, "seed": seed, "bases": len(material.reference.bases)}
    about["removers"] = [[one.name, one.version, one.command, one.threshold] for one in removers.values()]
    for number, cell in enumerate(wanted):
        progress(f"cell {number + 1} of {len(wanted)}", number / len(wanted))
        curves = cell.variation == curve_variation
        asked = about | {"cell": [cell.variation, cell.error, cell.length], "curves": curves}
        asked["masked"] = cell in masked_cells
        path = store / f"{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]}.json"
        rows = read_json(path)
        if rows is None:
            rows = _cell(cell, material, removers, masked if cell in masked_cells else {}, reads, seed, curves)
            write_json(path, rows)
        yield rows
    progress("cells", 1)


def _cell(
    cell: Cell,
    material: Material,
    removers: Mapping[str, Remover],
    masked: Mapping[str, Remover],
    reads: int,
    seed: int,
    curves: bool,
) -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {name: [] for name in TABLES}
    with tempfile.TemporaryDirectory(prefix="avatar-study-") as place:
        human = grid.human_sample(cell, material.human, Path(place) / "human", reads=reads, seed=seed)
        table, scores = grid.judge_human(cell, human, removers, material.reference, material.strata)
        rows["sensitivity"] = table.to_dict("records")
        if not curves:  # what is not human doesn't vary: one variation stands for all
            return rows
        folder = Path(place) / "others"
        others = grid.other_sample(cell, material.human, material.others, folder, reads=reads, seed=seed)
        table, foreign = grid.judge_others(cell, others, removers)
        rows["specificity"] = table.to_dict("records")
        real = grid.origin(others).source.to_numpy() != DECOY
        for name, score in scores.items():
            if removers[name].meaning:
                rows["curves"] += _curve(cell, name, score, foreign[name][real])
        for name, one in masked.items():
            if grid.unfit(name, cell.length):
                continue
            for kind, fitted in (("whole", removers[name]), ("masked", one)):
                for what, folder in (("human", human), ("others", others)):
                    taken = grid.scores(folder, fitted) > fitted.threshold
                    source = grid.origin(folder).source
                    for group, calls in pd.Series(taken).groupby(source):
                        about = {"error": cell.error, "length": cell.length, "remover": name, "reference": kind}
                        about |= {"what": what, "source": group, "hits": int(calls.sum()), "n": len(calls)}
                        rows["masked"].append(about)
    return rows


def _curve(cell: Cell, name: str, human: np.ndarray, other: np.ndarray) -> list[dict]:
    curve = operating_curve(np.concatenate([human, other]), np.arange(len(human) + len(other)) < len(human))
    few = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, CURVE_POINTS).astype(int))]
    about = {"error": cell.error, "length": cell.length, "remover": name}
    finite = few.threshold.replace(-np.inf, -1.0)  # -1: everything is removed
    return few.assign(**about, threshold=finite).to_dict("records")


def joined(parts: Iterator[dict[str, list[dict]]]) -> dict[str, pd.DataFrame]:
    """Lay the rows of all cells end to end, with intervals where there are counts."""
    rows: dict[str, list[dict]] = {name: [] for name in TABLES}
    for part in parts:
        for name in TABLES:
            rows[name] += part[name]
    tables = {name: pd.DataFrame(one, columns=list(TABLES[name])) for name, one in rows.items() if one}
    return {name: with_intervals(one) if "hits" in one else one for name, one in tables.items()}
