"""Metrics against `expected/NN_name.json`: {"metric": {"value": v, "tolerance": t}}."""

from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.run import store

Row = tuple[str, str, str, str]  # metric, value, expected, tolerance


def file(name: str) -> Path:
    """Return the file of what notebook `name` is expected to measure."""
    return store.project_root() / "expected" / f"{name}.json"


def differences(name: str, folder: Path) -> list[Row]:
    """Return a row for each metric in `folder`/metrics.json that is missing, unexpected or out of tolerance.

    A number is within tolerance where it differs by no more than that; texts and truth values must be equal.
    """
    metrics = store.read_json(folder / "metrics.json") or {}
    wanted = store.read_json(file(name)) or {}
    rows = []
    for metric in sorted({*metrics, *wanted}):
        if metric not in wanted:
            rows.append((metric, str(metrics[metric]), "(nothing)", ""))
        elif metric not in metrics:
            rows.append((metric, "(missing)", str(wanted[metric]["value"]), ""))
        elif not _agree(metrics[metric], wanted[metric]["value"], wanted[metric]["tolerance"]):
            rows.append((metric, str(metrics[metric]), str(wanted[metric]["value"]), str(wanted[metric]["tolerance"])))
    return rows


def as_text(rows: list[Row]) -> str:
    """Return the rows of `differences` as a table of plain text."""
    table = [("metric", "is", "expected", "tolerance"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table)


def rewrite(name: str, folder: Path) -> bool:
    """Accept the metrics in `folder` as the expected ones; tolerances stay as they were. True where the file changed.

    A new float gets one per cent of its value as tolerance, anything else zero; edit it where that is wrong.
    """
    metrics = store.read_json(folder / "metrics.json")
    if metrics is None:
        raise InputError(f"{folder} has no metrics.json: run `make {name}` first")
    before = store.read_json(file(name)) or {}
    after = {
        metric: {"value": value, "tolerance": before.get(metric, {}).get("tolerance", _default_tolerance(value))}
        for metric, value in metrics.items()
    }
    if after != before:
        store.write_json(file(name), after)
    return after != before


def _agree(value, other, tolerance: float) -> bool:
    if isinstance(value, str | bool) or isinstance(other, str | bool):
        return type(value) is type(other) and value == other
    return abs(value - other) <= tolerance


def _default_tolerance(value) -> float:
    return float(f"{0.01 * abs(value):.1g}") if isinstance(value, float) else 0
