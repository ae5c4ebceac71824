"""The section on simulated reads of benchmarks/README.md."""

from typing import NamedTuple

INSTALL = "apt-get install samtools bcftools art-nextgen-simulation-tools dwgsim seqan-apps"
PLATFORMS = {"illumina": "Illumina", "ont": "ONT", "hifi": "HiFi"}


class Promise(NamedTuple):
    """What is promised, what was measured (as text), whether it holds (None: the peer isn't there)."""

    what: str
    wanted: str
    found: str
    holds: bool | None


def section(reads: dict) -> list[str]:
    """Return the lines of the section from the content of reads.json."""
    n, where = reads["repeats"], reads["where"]
    lines = [
        "",
        "## Simulated reads",
        "",
        f"`avatar reads simulate` and other simulators on the phantom genome of {reads['bases'] / 1e6:.0f} Mb, "
        f"2 × 150 bases, files on {where}, {reads['machine']['cores']} cores, load {_load(reads)}; median (min–max) of "
        f"{n} rounds in which the programs take turns. Speeds are per second of the processor, of all of a program's "
        "processes together. The start is what the same command takes for one molecule: ours imports, simulates "
        "genealogies and variants and samples its qualities. Ours is called once before, which compiles its kernels. "
        f"Nothing here is needed to build or test; `{INSTALL}` gets the peers (`pip install badread` the last one).",
        "",
        "| FASTQ only, uncompressed | pairs | pairs/s | without the start | ours is × faster | without the start |",
        "|---|---|---|---|---|---|",
        *(_fastq_row(name, row, reads["programs"]) for name, row in reads["fastq"].items()),
        "",
        "| with truth | what is written | molecules | Mb/s | without the start |",
        "|---|---|---|---|---|",
        *(_truth_row(name, row) for name, row in reads["truth"].items()),
        "",
        "| growth | pairs | seconds without the start | slope |",
        "|---|---|---|---|",
        *(_growth_row(name, row) for name, row in reads["growth"].items()),
        "",
        "| peak memory, contig of 50 Mb, two donors, all truth | MB |",
        "|---|---|",
        *(f"| {name} molecules | {peak / 1e6:,.0f} |" for name, peak in reads["memory"].items()),
        "",
        "| promise | wanted | found | holds |",
        "|---|---|---|---|",
    ]
    signs = {True: "yes", False: "**no**", None: "not measured"}
    return lines + [f"| {p.what} | {p.wanted} | {p.found} | {signs[p.holds]} |" for p in promises(reads)]


def promises(reads: dict) -> list[Promise]:
    """Return every promise about simulated reads with what was measured."""
    return [*_speed(reads), *(p for name in PLATFORMS for p in _truth(PLATFORMS[name], reads["checks"][name]))]


def _speed(reads: dict) -> list[Promise]:
    fastq, truth = reads["fastq"], reads["truth"]
    rows = []
    for peer, key, least in (
        ("wgsim", "whole_ratio", 2),
        ("wgsim", "without_start_ratio", 3),
        ("art_illumina", "whole_ratio", 12),
    ):
        cell = fastq[peer].get(key)
        what = f"FASTQ only beside {peer}, {'start included' if key == 'whole_ratio' else 'without the start'}"
        rows.append(_least(what, cell, least, "×"))
    for name, least in (("avatar, Illumina", 10), ("avatar, ONT", 5)):
        rows.append(_least(f"{name}, with BAM and all truth", truth[name]["without_start"], least, "Mb/s"))
    times = reads["workers"]
    what = f"two processes beside one, {times['pairs']:,} pairs with all truth"
    rows.append(_least(f"{what}, start included", times["times"], 1.8, "×"))
    rows.append(_least(f"{what}, without the start", times["times_without_start"], 1.8, "×"))
    peak = max(reads["memory"].values())
    rows.append(Promise("memory at a contig of 50 Mb", "≤ 1.5 GB", f"{peak / 1e9:.2f} GB", peak <= 1.5e9))
    for name, row in reads["growth"].items():
        found = row["slope"]
        rows.append(Promise(f"time grows with reads, {_kind(name)}: slope", "≤ 1.05", f"{found:.3f}", found <= 1.05))
    return rows


def _truth(platform: str, found: dict) -> list[Promise]:
    reads = found["reads"]
    rows = [
        Promise(f"{platform}: reads rebuilt", f"all {reads:,}", f"{found['rebuilt']:,}", found["rebuilt"] == reads),
        Promise(
            f"{platform}: unlabelled differences in {found['bases'] / 1e6:,.0f} Mb",
            "0",
            str(found["unlabelled"]),
            found["unlabelled"] == found["without_difference"] == 0,
        ),
        Promise(
            f"{platform}: NM or MD unlike `samtools calmd`",
            f"0 of {found['aligned']:,}",
            str(found["differing_from_calmd"]),
            found["differing_from_calmd"] == 0 and found["aligned"] == found["compared_with_calmd"],
        ),
        Promise(
            f"{platform}: haplotypes unlike `bcftools consensus`",
            f"0 of {found['haplotypes']}",
            str(found["differing_from_consensus"]),
            found["differing_from_consensus"] == 0,
        ),
        Promise(
            f"{platform}: `bcftools norm -c e`, `samtools quickcheck`",
            "pass",
            "pass" if found["quickcheck"] and not found["mismatching_ref"] else "fail",
            found["quickcheck"] and not found["mismatching_ref"],
        ),
        Promise(
            f"{platform}: without errors, without variation, without both",
            "equal",
            "equal" if all(found["limits"].values()) else str(found["limits"]),
            all(found["limits"].values()),
        ),
    ]
    for name, rate in found["rates"].items():
        what = f"{platform}: {name} rate, asked {rate['asked']:.3g}"
        text = f"{100 * rate['deviation']:+.2f} % (chance {100 * rate['standard_error']:.2f} %)"
        rows.append(Promise(what, "within 1 %", text, abs(rate["deviation"]) <= 0.01))
    line = found["calibration"]
    text = f"{line['largest']:.2f} dB at Q{line['worst']}, of {line['compared']} qualities with enough errors"
    rows.append(Promise(f"{platform}: stated and empirical quality, Q5–Q40", "within 1 dB", text, line["largest"] <= 1))
    for name, r in found["curves"].items():
        if name in ("quality", "error"):
            rows.append(Promise(f"{platform}: {name} by cycle", "r ≥ 0.99", f"{r:.4f}", r >= 0.99))
        elif name in ("insertion", "deletion"):
            lengths = found["curves"][f"{name}_lengths"]
            text = "too few" if r is None else f"{r:.4f}, {lengths} lengths"
            holds = None if r is None else r >= 0.99
            rows.append(Promise(f"{platform}: {name}s by homopolymer length", "r ≥ 0.99", text, holds))
    return rows


def _least(what: str, cell: dict | None, least: float, unit: str) -> Promise:
    if cell is None:
        return Promise(what, f"≥ {least} {unit}", "not installed", None)
    return Promise(what, f"≥ {least} {unit}", f"{_cell(cell)} {unit}", cell["median"] >= least)


def _fastq_row(name: str, row: dict, versions: dict) -> str:
    title = " ".join(filter(None, [name, versions.get(name), f"({row['what']})" if row["what"] else ""]))
    if not row["installed"]:
        return f"| {title} | | not installed | | | |"
    ratios = ["", ""] if name == "avatar" else [_cell(row["whole_ratio"]), _cell(row["without_start_ratio"])]
    cells = [f"{row['molecules']:,}", _cell(row["whole_per_second"]), _cell(row["without_start_per_second"]), *ratios]
    return f"| {title} | {' | '.join(cells)} |"


def _truth_row(name: str, row: dict) -> str:
    speeds = [_cell(row[key]) for key in ("whole", "without_start")] if row["installed"] else ["not installed", ""]
    return f"| {name} | {row['what']} | {row['molecules']:,} | {' | '.join(speeds)} |"


def _growth_row(name: str, row: dict) -> str:
    pairs = ", ".join(f"{n:,}" for n in row["pairs"])
    seconds = ", ".join(f"{cell['median']:.2f}" for cell in row["seconds"])
    return f"| {_kind(name)} | {pairs} | {seconds} | {row['slope']:.3f} |"


def _kind(name: str) -> str:
    return {"fastq": "FASTQ only", "truth": "BAM and all truth"}[name]


def _load(reads: dict) -> str:
    return f"{min(reads['load']):.1f}–{max(reads['load']):.1f}"


def _cell(cell: dict[str, float]) -> str:
    median, low, high = (_short(cell[key]) for key in ("median", "min", "max"))
    return f"{median} ({low}–{high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
