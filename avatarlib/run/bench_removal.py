"""What `make bench` measures of removers: speed on one processor and memory, as `avatar reads removal` runs them."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from avatarlib import removal
from avatarlib.removal import grid
from avatarlib.removal.grid import Cell
from avatarlib.removal.material import phantom_material
from avatarlib.run.bench_reads import programs
from avatarlib.run.spread import spread

SEED = 16
BASES = 3_000_000
# The smaller sample is more than a batch, so that memory which grows with the reads would show.
CELLS = {"short": (Cell(0.001, 0.01, 150), (60_000, 240_000)), "long": (Cell(0.001, 0.05, 2000), (10_000, 40_000))}
Say = Callable[[str], None]


def measure_removal(repeats: int, say: Say = lambda step: None) -> dict:
    """Return the figures of benchmarks/removal.json; what is not installed is left out, and named."""
    missing = {name: why for name in removal.REMOVERS if (why := removal.absent(name))}
    rows = []
    with programs.folder() as (place, where):
        material = phantom_material(place, bases=BASES, seed=SEED)
        for kind, (cell, sizes) in CELLS.items():
            samples = {}
            for reads in sizes:
                samples[reads] = place / f"{kind}_{reads}"
                half = {"reads": reads // 2, "seed": SEED}
                people = grid.human_sample(cell, material.human, place / "people", **half)
                others = grid.other_sample(cell, material.human, material.others, place / "others", **half)
                _join(people, others, samples[reads])
            for name in removal.REMOVERS:
                if name in missing or grid.unfit(name, cell.length):
                    continue
                say(f"{name}, {kind} reads")
                runs = [[_once(name, material.human, samples[reads], place) for reads in sizes] for _ in range(repeats)]
                row = {"remover": name, "reads": kind, "length": cell.length}
                # The difference of two sizes leaves out the start and the index.
                speed = [(sizes[1] - sizes[0]) / max(b.processor - a.processor, 1e-3) for a, b in runs]
                rows.append(row | {"reads a processor second": spread(speed)})
                for k, label in enumerate(("peak memory, few", "peak memory, four times as many")):
                    rows[-1][label] = spread([run[k].peak for run in runs])
        load = programs.machine_load()
    return {"where": where, "bases": BASES, "load": load, "rows": rows, "not run": missing}


def _join(one: Path, other: Path, out: Path) -> None:
    """Lay the reads of two samples end to end, as one file of a user has them: no pairs, no truth."""
    out.mkdir()
    with (out / "reads.fastq").open("wb") as file:
        for path in sorted([*one.glob("reads*.fastq"), *other.glob("reads*.fastq")]):
            file.write(path.read_bytes())
    for folder in (one, other):
        shutil.rmtree(folder)


def _once(name: str, reference: Path, sample: Path, place: Path) -> programs.Cost:
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "avatarlib.cli", "reads", "removal", "--sample", str(sample), "--remover", name]
    return programs.measure([*command, "--reference", str(reference), "--out", str(out)], place)


def section(found: dict) -> list[str]:
    """Return the lines of benchmarks/README.md."""
    lines = [
        "",
        "## Removal of human reads",
        "",
        f"`avatar reads removal` on one thread, reference of {found['bases'] / 1e6:g} Mb, half of the reads human "
        f"({found['where']}; load {found['load']}). Start and index are left out of the speed and are in the memory.",
        "",
        "| remover | reads | reads a second of one processor | peak memory, MB | with four times as many reads |",
        "|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        speed, few, many = (
            row[key] for key in ("reads a processor second", "peak memory, few", "peak memory, four times as many")
        )
        rate = f"{speed['median']:,.0f} ({speed['min']:,.0f}–{speed['max']:,.0f})"
        memory = f"{few['median'] / 1e6:,.0f} | {many['median'] / 1e6:,.0f}"
        lines.append(f"| {row['remover']} | {row['length']} bases | {rate} | {memory} |")
    lines += [f"Not run: {name} ({why})" for name, why in found["not run"].items()]
    return lines
