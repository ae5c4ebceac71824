"""What `make bench` measures of the simulated reads: speed beside peers, workers, memory, growth; and all promises.

Programs that take turns (ours, peer, ours, peer …) are compared in the processor's seconds, of all their processes
together, which other work on the machine disturbs least. Ours is called once before, so that its kernels are compiled.
"""

import math
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from avatarlib.run import store
from avatarlib.run.bench_reads import programs
from avatarlib.run.bench_reads import truth as truths
from avatarlib.run.bench_reads.programs import ALL_TRUTH, LENGTH, NO_TRUTH, Program, measure, ours
from avatarlib.run.spread import spread

SIZE, LARGE = 5_000_000, 50_000_000  # bases of the phantom genome, and of the one long contig
PLAIN = [*NO_TRUTH, "output.compress=false", "output.checksums=false"]  # as the peers write it
# So many pairs that a tenth of a second by which the start varies does not tilt the slope.
GROWTH = {"fastq": (500_000, 1_000_000, 2_000_000, 4_000_000), "truth": (25_000, 50_000, 100_000, 200_000)}
Say = Callable[[str], None]


def measure_reads(repeats: int, wanted: Sequence[str], say: Say = lambda step: None) -> dict:
    """Return the figures of benchmarks/reads.json of the `wanted` parts; `say` is told what is being measured."""
    with programs.folder() as (place, where):
        say("references")
        reference = programs.phantom(place, SIZE)
        out = {"where": where, "bases": SIZE, "repeats": repeats, "versions": programs.python_version()}
        out["load"] = [programs.machine_load()]
        others = programs.peers(SIZE, truth=False)
        out["programs"] = {p.name: programs.version(p) if p.path else None for p in [*others, programs.badread()]}
        mine = Program("avatar", "", ours(PLAIN), 1_000_000, "")
        settings = {"fastq": PLAIN, "truth": ALL_TRUTH}
        measured = {
            "fastq": lambda: beside(mine, others, reference, place, repeats, say),
            "truth": lambda: with_truth(reference, place, repeats, say),
            "workers": lambda: workers(reference, place, repeats, say),
            "growth": lambda: {
                name: growth(sizes, settings[name], reference, place, repeats, say) for name, sizes in GROWTH.items()
            },
            "memory": lambda: memory(programs.one_contig(place, LARGE), place, say),
            "checks": lambda: truths.checks(reference.with_name(f"{reference.name}.gz"), place, say),
        }
        for part in wanted:
            out[part] = measured[part]()
        out["load"].append(programs.machine_load())
    return out


def beside(mine: Program, others: list[Program], reference: Path, place: Path, repeats: int, say: Say) -> dict:
    """Return seconds and molecules a second of ours and each peer, and ratios, as `spread`.

    The start is the same command's with one molecule.
    """
    measure(mine.command(1000, reference, _empty(place)), place)
    runs: dict[str, list[tuple]] = {}
    for _ in range(repeats):
        for program in (mine, *(other for other in others if other.path)):
            say(program.name)
            pair = [measure(program.command(n, reference, _empty(place)), place) for n in (program.molecules, 1)]
            runs.setdefault(program.name, []).append(tuple(pair))
    out = {}
    for program in (mine, *others):
        row: dict = {"molecules": program.molecules, "what": program.what, "installed": program.path is not None}
        for name, speed in (("whole", _whole), ("without_start", _without_start)) if program.name in runs else ():
            rates = [program.molecules / speed(*pair) for pair in runs[program.name]]
            base = [mine.molecules / speed(*pair) for pair in runs[mine.name]]
            row[f"{name}_per_second"] = spread(rates)
            row[f"{name}_ratio"] = spread([a / b for a, b in zip(base, rates, strict=True)])
        if program.name in runs:
            row["seconds"] = spread([whole.seconds for whole, _ in runs[program.name]])
            row["processor"] = spread([whole.processor for whole, _ in runs[program.name]])
            row["start"] = spread([start.processor for _, start in runs[program.name]])
        out[program.name] = row
    return out


def _whole(run, start) -> float:
    return run.processor


def _without_start(run, start) -> float:
    return max(run.processor - start.processor, 1e-3)


def _empty(place: Path) -> Path:
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    return out


def with_truth(reference: Path, place: Path, repeats: int, say: Say) -> dict:
    """Return megabases a second with BAM and all truth by platform and peer, as `spread`, start included and not."""
    badread = programs.badread()
    rows = [
        Program("avatar, Illumina", "", ours(ALL_TRUTH), 300_000, "BAM, all truth, gzip"),
        Program("avatar, ONT", "", ours(["reads.platform=ont", *ALL_TRUTH]), 6_000, "BAM, all truth, gzip"),
        Program("avatar, HiFi", "", ours(["reads.platform=hifi", *ALL_TRUTH]), 4_000, "BAM, all truth, gzip"),
        *programs.peers(SIZE, truth=True),
        badread,
    ]
    for program in rows[:3]:
        measure(program.command(20, reference, _empty(place)), place)
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(repeats):
        for program in rows:
            if program.path is None:
                continue
            say(f"{program.name}, truth")
            start = measure(program.command(1, reference, _empty(place)), place).processor
            run = measure(program.command(program.molecules, reference, out := _empty(place)), place).processor
            bases = _bases(program, out) / 1e6
            found.setdefault(program.name, []).append((bases / run, bases / max(run - start, 1e-3)))
    return {
        program.name: {"molecules": program.molecules, "what": program.what, "installed": program.path is not None}
        | (
            {key: spread([pair[k] for pair in found[program.name]]) for k, key in enumerate(("whole", "without_start"))}
            if program.name in found
            else {}
        )
        for program in rows
    }


def _bases(program: Program, out: Path) -> int:
    """Return how many bases a run wrote."""
    if (out / "made").is_dir():
        return store.read_json(out / "made" / "run.json")["counts"]["bases"]
    if program.name == "badread":
        lines = (out / "b.fq").read_text().splitlines()
        return sum(map(len, lines[1::4]))
    return program.molecules * 2 * LENGTH


def workers(reference: Path, place: Path, repeats: int, say: Say) -> dict:
    """Return seconds on the clock with one and with two workers, taking turns, and how many times faster two are."""
    seconds: dict[str, list[float]] = {"one": [], "two": [], "one_start": [], "two_start": []}
    for _ in range(repeats):
        for name, number in (("one", 1), ("two", 2)):
            say(f"workers: {name}")
            command = ours([*ALL_TRUTH, f"workers={number}"])
            seconds[name].append(measure(command(1_200_000, reference, _empty(place)), place).seconds)
            seconds[f"{name}_start"].append(measure(command(1, reference, _empty(place)), place).seconds)
    whole = [a / b for a, b in zip(seconds["one"], seconds["two"], strict=True)]
    inner = [
        (a - c) / max(b - d, 1e-3)
        for a, b, c, d in zip(*(seconds[k] for k in ("one", "two", "one_start", "two_start")), strict=True)
    ]
    return {name: spread(values) for name, values in seconds.items()} | {
        "pairs": 1_200_000,
        "times": spread(whole),
        "times_without_start": spread(inner),
    }


def growth(sizes: tuple[int, ...], settings: list[str], reference: Path, place: Path, repeats: int, say: Say) -> dict:
    """Return the processor's seconds, without the start, by number of pairs, and the slope of their logarithms."""
    command, seconds = ours(settings), {n: [] for n in sizes}
    for _ in range(repeats):
        start = measure(command(1, reference, _empty(place)), place).processor
        for n in sizes:
            say(f"{n:,} pairs")
            seconds[n].append(measure(command(n, reference, _empty(place)), place).processor - start)
    medians = [statistics.median(seconds[n]) for n in sizes]
    return {"pairs": list(sizes), "seconds": [spread(seconds[n]) for n in sizes], "slope": slope(sizes, medians)}


def slope(x, y) -> float:
    """Return the slope of the logarithm of y against that of x, by least squares.

    Examples
    --------
    >>> round(slope([1, 2, 4], [3, 6, 12]), 6), round(slope([1, 10], [1, 100]), 6)
    (1.0, 2.0)
    """
    a, b = [math.log(v) for v in x], [math.log(max(v, 1e-3)) for v in y]
    mean_a, mean_b = statistics.fmean(a), statistics.fmean(b)
    return sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b, strict=True)) / sum((p - mean_a) ** 2 for p in a)


def memory(large: Path, place: Path, say: Say) -> dict:
    """Return peak bytes on the long contig, two donors, all truth, by platform and number of molecules."""
    say("memory")
    out = {}
    for platform, sizes in {"illumina": (200_000, 20_000), "ont": (2_000, 200), "hifi": (1_000, 100)}.items():
        command = ours([*ALL_TRUTH, f"reads.platform={platform}"])
        for n in sizes:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                out[f"{platform}, {n:,}"] = measure(command(n, large, Path(folder)), place).peak
    return out
