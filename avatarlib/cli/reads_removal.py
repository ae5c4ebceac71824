"""`avatar reads removal` and `avatar reads compare`: take human reads out of a sample; which tool does it best."""

import argparse
from pathlib import Path

from avatarlib.cli.progress import progress

EXIT_CODES = "exit codes: 0 done; 2 wrong input or call, or a program is missing; 3 internal failure"


def parsers(actions) -> list[argparse.ArgumentParser]:
    """Add both actions to those of `avatar reads` and return their parsers."""
    removal = actions.add_parser(
        "removal",
        help="remove human reads from a sample",
        description="Remove human reads from a sample: kept and removed reads, every call with its score, and a report "
        "of what is left and whom it could identify. Kept reads get new names.",
        epilog=EXIT_CODES,
    )
    removal.add_argument("--remover", required=True, metavar="NAME", help="see `avatar reads compare --help`")
    removal.add_argument("--keep-names", action="store_true", help="kept reads keep the names that they have")
    removal.add_argument(
        "--panel",
        type=Path,
        metavar="VCF",
        help="phased genotypes of people who could be in the sample, on the same reference; of a simulation, its own",
    )
    _common(removal)
    removal.set_defaults(run=_removal)

    compare = actions.add_parser(
        "compare",
        help="compare removers of human reads on a sample",
        description="Let several removers judge the same sample; with the truth of a simulation, say which is right.",
        epilog=_removers() + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("--removers", default="", metavar="A,B,…", help="default: all that can run here")
    _common(compare)
    compare.set_defaults(run=_compare)
    return [removal, compare]


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample",
        type=Path,
        required=True,
        nargs="+",
        metavar="FILE|DIR",
        help="FASTQ or FASTA, plain or gzip; two files of pairs; a folder of them, or what `simulate` wrote",
    )
    parser.add_argument("--reference", type=Path, required=True, metavar="FASTA", help="the human reference")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder to write")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep programs' indices here for next time")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="they change no answer (default: 1)")
    parser.add_argument(
        "--time-limit", type=float, default=3600.0, metavar="SECONDS", help="of one call of a program (default: 3600)"
    )


def _removers() -> str:
    from avatarlib.removal import REMOVERS

    width = max(map(len, REMOVERS)) + 2
    return "removers:\n" + "".join(f"  {name:{width}}{what}\n" for name, what in REMOVERS.items()) + "\n"


def _checked(options: argparse.Namespace) -> dict:
    """The options that both actions share, as their rooms take them."""
    from avatarlib.errors import InputError

    if not 1 <= options.threads <= 1024:
        raise InputError(f"--threads {options.threads}: give a number from 1 to 1024")
    if not options.time_limit > 0:
        raise InputError(f"--time-limit {options.time_limit:g}: give seconds, more than 0")
    names = ("index", "threads", "time_limit")
    return {name: getattr(options, name) for name in names} | {"progress": progress("writing")}


def _removal(options: argparse.Namespace) -> int:
    from avatarlib.removal.apply import remove
    from avatarlib.removal.page import page, score_picture
    from avatarlib.removal.sample import open_sample
    from avatarlib.residual.exam import Exam, load_panel
    from avatarlib.run.store import write_text

    shared = _checked(options)
    sample = open_sample(options.sample)
    own = sample.simulation / "variants.vcf.gz" if sample.simulation else None
    vcf = options.panel or (own if own is not None and own.is_file() else None)
    exam = Exam(load_panel(vcf, options.reference), options.reference) if vcf else None

    def finish(report: dict, folder: Path) -> None:
        report["residual"] = exam.report() if exam else None
        pictures = score_picture(report["scores"], report["remover"]["threshold"])
        write_text(folder / "report.html", page("report.html.j2", pictures, r=report))

    watch = {"watch": exam.watch} if exam else {}
    report = remove(
        sample, options.remover, options.reference, options.out,
        keep_names=options.keep_names, finish=finish, **watch, **shared,
    )  # fmt: skip
    counts = report["counts"]
    print(f"{counts['removed molecules']:,} molecules removed, {counts['kept molecules']:,} kept: {options.out}")
    if report["truth"]:
        print(f"human molecules left: {report['truth']['human molecules left']:,}")
    if report["residual"]:
        above, people = report["residual"]["people above"], report["residual"]["people"]
        print(f"of the panel's {people:,} people, {above:,} stand out in what is kept")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from avatarlib.removal.compare import compare
    from avatarlib.removal.sample import open_sample

    names = [name.strip() for name in options.removers.split(",") if name.strip()]
    report = compare(open_sample(options.sample), names, options.reference, options.out, **_checked(options))
    for row in report["removers"]:
        line = f"{row['remover']:16} removed {row['removed']:,} of {report['molecules']:,}"
        if report["truth"] and row["sensitivity"]["n"]:
            line += f"; sensitivity {row['sensitivity']['share']:.4f}"
        if report["truth"] and row["false removals"]["n"]:
            line += f"; false removals {row['false removals']['share']:.5f}"
        print(line)
    for name, why in report["not run"].items():
        print(f"{name:16} not run: {why}")
    return 0
