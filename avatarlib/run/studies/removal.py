"""`make study-removal`: the full factorial of removers, resumable; writes the tables of `studies/removal/`."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

import avatarlib
from avatarlib import removal
from avatarlib.cli.progress import progress
from avatarlib.removal import grid, study
from avatarlib.removal.apply import describe
from avatarlib.removal.material import phantom_material
from avatarlib.run import store

SEED = 16
BASES = 3_000_000
VARIATIONS = (0.0, 0.001, 0.01, 0.03, 0.05)
ERRORS = (0.0, 0.01, 0.05, 0.10, 0.15)
LENGTHS = (150, 200, 500, 2000)
READS = 10_000  # of a cell, human; as many of what is not human, once an error and length
CURVE_VARIATION = 0.01
MASKED = ((0.01, 0.05), (150, 500))  # errors and lengths at which the masked reference is tried


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing of the study and write its tables."""
    parser = argparse.ArgumentParser(prog="python -m avatarlib.run.studies removal", description=__doc__)
    parser.add_argument("--reads", type=int, default=READS, help=f"human reads of a cell (default {READS})")
    parser.add_argument("--bases", type=int, default=BASES, help=f"of the phantom genome (default {BASES})")
    parser.add_argument("--variations", type=float, nargs="+", default=VARIATIONS)
    parser.add_argument("--errors", type=float, nargs="+", default=ERRORS)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=store.project_root() / study.FOLDER, help="folder of the tables")
    options = parser.parse_args(arguments)
    missing = {name: why for name in removal.REMOVERS if (why := removal.absent(name))}
    names = [name for name in removal.REMOVERS if name not in missing]
    for name, why in missing.items():
        print(f"not run: {name}: {why}", file=sys.stderr)
    tables, about = run(options, names)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
        store.write_text(options.out / f"{name}.csv", text)
    store.write_json(options.out / "run.json", about | {"not run": missing})
    print(f"{len(names)} removers: {options.out}")
    return 0


def run(options: argparse.Namespace, names: list[str]) -> tuple[dict, dict]:
    """Return the tables by name, and the record of the run."""
    kept = store.results_root() / ".studies" / "removal"
    variation = CURVE_VARIATION if CURVE_VARIATION in options.variations else options.variations[0]
    wanted = grid.cells(options.variations, options.errors, options.lengths)
    masked_cells = [c for c in wanted if c.variation == variation and c.error in MASKED[0] and c.length in MASKED[1]]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="avatar-study-")))
        material = phantom_material(folder, bases=options.bases, seed=SEED)
        whole = stack.enter_context(grid.fitted(names, material.human, threads=options.threads))
        masked = stack.enter_context(grid.fitted(names, material.masked, threads=options.threads))
        sizes = {"reads": options.reads, "seed": SEED, "curve_variation": variation, "masked_cells": masked_cells}
        parts = study.run_cells(wanted, material, whole, masked, kept, progress=progress("cells"), **sizes)
        tables = study.joined(parts)
        about = {
            "schema": "avatar-study-removal/1",
            "version": avatarlib.__version__,
            "seed": SEED,
            "reads": options.reads,
            "bases": options.bases,
            "cells": len(wanted),
            "masked bases": material.masked_bases,
            "removers": [describe(one) for one in whole.values()],
            "numpy": np.__version__,
        }
    return tables, about
