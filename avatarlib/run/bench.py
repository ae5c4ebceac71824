"""`make bench`: speed of rooms and reads, seconds and memory of notebooks, with their spread; writes `benchmarks/`."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from avatarlib.run import source, store
from avatarlib.run.bench_reads import page as reads_page
from avatarlib.run.spread import spread

SIZE = (64, 64)
WHOLE = ("rooms", "reads", "removal", "notebooks")
READS = ("fastq", "truth", "workers", "growth", "memory", "checks")  # what is measured of reads
EYE_SIZE = (240, 320)  # the fingerprints' own input


def main() -> int:
    """Measure, and write benchmarks/speed.json, reads.json, removal.json, notebooks.json and README.md."""
    parser = argparse.ArgumentParser(prog="python -m avatarlib.run.bench", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each (default 3)")
    help_only = "rooms, reads, part of them as reads.fastq, removal, notebooks, or a notebook's name; may come again"
    parser.add_argument(
        "--only", action="append", metavar="WHAT", help=f"leave the other figures as they are: {help_only}"
    )
    options = parser.parse_args()
    folder, only = store.project_root() / "benchmarks", set(options.only or WHOLE)
    parts = {what.partition(".")[2] for what in only if what.startswith("reads")} - {""}
    names = source.in_order() if "notebooks" in only else [name for name in source.in_order() if name in only]
    known = {*WHOLE, *(f"reads.{part}" for part in READS), *names}
    if only - known:
        parser.error(f"--only {sorted(only - known)[0]}: there are {', '.join(sorted(known | set(source.in_order())))}")
    if "rooms" in only:
        store.write_json(folder / "speed.json", {"machine": machine(), "per_second": rooms(options.repeats)})
    if "reads" in only or parts:
        from avatarlib.run.bench_reads.speed import measure_reads

        earlier = {} if "reads" in only else store.read_json(folder / "reads.json") or {}
        wanted = READS if "reads" in only else [part for part in READS if part in parts]
        reads = measure_reads(options.repeats, wanted, lambda step: print(step, file=sys.stderr))
        reads["load"] = earlier.get("load", []) + reads["load"]
        store.write_json(folder / "reads.json", earlier | reads | {"machine": machine()})
    if "removal" in only:
        from avatarlib.run.bench_removal import measure_removal

        found = measure_removal(options.repeats, lambda step: print(step, file=sys.stderr))
        store.write_json(folder / "removal.json", found | {"machine": machine()})
    if names:
        earlier = {} if "notebooks" in only else store.read_json(folder / "notebooks.json") or {}
        store.write_json(folder / "notebooks.json", dict(sorted((earlier | notebooks(options.repeats, names)).items())))
    store.write_text(folder / "README.md", page(folder))
    print(page(folder))
    return 0


def rooms(repeats: int) -> dict[str, dict[str, float]]:
    """Return what each room does a second on one core, as `spread`."""
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[pool] = "1"  # read when the libraries are loaded, which is now
    import numpy as np

    from avatarlib import fingerprints
    from avatarlib.cone import score
    from avatarlib.eyes import phantoms

    eyes = phantoms.cohort(8, seed=1, size=EYE_SIZE).images
    rng = np.random.default_rng(1)
    distances = rng.random((500, 1000), np.float32)
    persons = np.arange(1000) // 2
    between = rng.random((1000, 1000), np.float32)
    out = {}
    for modality in ("iris", "fundus", "papilla"):

        def draw(modality=modality):
            phantoms.cohort(25, seed=1, modality=modality, size=SIZE)

        out[f"phantom {modality} images, 64 × 64"] = rate(draw, 100, repeats)
    for kind in fingerprints.KINDS:

        def extract(kind=kind):
            fingerprints.extract(eyes, kinds=(kind,))

        out[f"fingerprint images, {kind}, 240 × 320"] = rate(extract, len(eyes), repeats)
    scale = score.local_scale(between, persons)
    out["local scales of originals, 1,000 originals"] = rate(lambda: score.local_scale(between, persons), 1000, repeats)
    out["cone scores, 1,000 originals, 2 views"] = rate(
        lambda: score.score(distances, distances, scale=scale), len(distances), repeats
    )
    return out


def notebooks(repeats: int, names: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Return seconds and peak memory of notebooks, run cold in the laptop profile, as `spread`."""
    above = {upstream for name in names for upstream in _upstream(name)}
    order = [name for name in source.in_order() if name in above or name in names]
    records: dict[str, list[dict]] = {name: [] for name in order}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="avatar-bench-") as results:
            for name in order:
                command = [sys.executable, "-m", "avatarlib.run", name, "--no-compare"]
                subprocess.run(command, env=os.environ | {"AVATAR_RESULTS": results}, check=True)
                records[name].append(store.read_json(Path(results) / "laptop" / name / "run.json"))
    return {
        name: {key: spread([record[key] for record in records[name]]) for key in ("seconds", "peak_memory_bytes")}
        for name in names
    }


def _upstream(name: str) -> set[str]:
    return {one for above in source.read(name).loads for one in (above, *_upstream(above))}


def rate(action: Callable[[], object], items: int, repeats: int) -> dict[str, float]:
    """Return the `spread` of items a second over `repeats` calls of `action`, after one that is not counted."""
    action()
    rates = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        rates.append(items / (time.perf_counter() - began))
    return spread(rates)


def machine() -> dict[str, str | int | None]:
    """Return what the figures were measured on."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}


def page(folder: Path) -> str:
    """Return the Markdown page of the figures in `folder`."""
    speed, runs = store.read_json(folder / "speed.json"), store.read_json(folder / "notebooks.json") or {}
    where, repeats = speed["machine"], max(cell["n"] for cell in speed["per_second"].values())
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {where['system']} {where['processor']}, {where['cores']} cores: median (min–max) "
        f"of {repeats} measurements. Rooms on one core, notebooks on two.",
        "",
        "| what | a second |",
        "|---|---|",
        *(f"| {name} | {_cell(cell)} |" for name, cell in speed["per_second"].items()),
    ]
    if runs:
        lines += ["", "| notebook, profile laptop, cold | seconds | peak memory, MB |", "|---|---|---|"]
    for name, cells in runs.items():
        lines.append(f"| {name} | {_cell(cells['seconds'])} | {_cell(cells['peak_memory_bytes'], 1e-6)} |")
    reads = store.read_json(folder / "reads.json")
    if reads:
        lines += reads_page.section(reads)
    removed = store.read_json(folder / "removal.json")
    if removed:
        from avatarlib.run.bench_removal import section

        lines += section(removed)
    return "\n".join(lines) + "\n"


def _cell(cell: dict[str, float], factor: float = 1) -> str:
    median, low, high = (_short(cell[key] * factor) for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
