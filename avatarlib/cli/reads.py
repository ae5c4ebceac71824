"""`avatar reads`: simulate human reads whose every difference is known, verify them, and remove human reads."""

import argparse
from pathlib import Path

from avatarlib.cli import reads_removal
from avatarlib.cli.progress import progress

EXIT_CODES = "exit codes: 0 done; 1 the files disagree; 2 wrong input or call; 3 internal failure"


def parsers(groups) -> list[argparse.ArgumentParser]:
    """Add the group to `groups` and return the parsers of its actions."""
    reads = groups.add_parser("reads", help="simulate human reads whose every difference is known; remove human reads")
    actions = reads.add_subparsers(metavar="ACTION", required=True)

    config = actions.add_parser("config", help="print a commented configuration with all defaults")
    config.set_defaults(run=_config)

    simulate = actions.add_parser(
        "simulate",
        help="simulate donors, their variants, and reads with errors",
        description="Simulate human variation and sequencing errors, kept apart, with the truth about every base. "
        "Stopped runs go on where they were when the same command is given again.",
        epilog=EXIT_CODES,
    )
    simulate.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML, see `avatar reads config`")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder to write")
    simulate.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one key, such as errors.seed=4; may come again"
    )
    simulate.set_defaults(run=_simulate, interrupted="what is done is kept, the same command goes on")

    verify = actions.add_parser(
        "verify",
        help="rebuild every read from reference, variants and events",
        description="Rebuild every read of a simulation from its reference, variants and events, and compare.",
        epilog=EXIT_CODES,
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="folder that `avatar reads simulate` wrote")
    verify.add_argument("--reference", type=Path, metavar="FILE", help="where the reference lies now, if it moved")
    verify.set_defaults(run=_verify)

    fit = actions.add_parser(
        "fit",
        help="fit an error profile to a sample of your own",
        description="Fit an error profile to aligned reads, with the sample's known variants masked, and print what "
        "was found with intervals of 95 %. Name the file that is written as errors.profile of a configuration.",
        epilog=EXIT_CODES,
    )
    fit.add_argument("alignments", type=Path, metavar="BAM", help="BAM, SAM or CRAM, in any order")
    fit.add_argument("--reference", type=Path, required=True, metavar="FASTA", help="what the reads were aligned to")
    fit.add_argument("--platform", required=True, metavar="NAME", help="illumina, ont or hifi")
    fit.add_argument("--known", type=Path, metavar="VCF", help="the sample's variants; without, they count as errors")
    fit.add_argument("--out", type=Path, required=True, metavar="FILE", help="profile to write, YAML")
    fit.set_defaults(run=_fit)
    return [config, simulate, verify, fit, *reads_removal.parsers(actions)]


def _config(options: argparse.Namespace) -> int:
    from avatarlib.reads import config

    print(config.commented(), end="")
    return 0


def _simulate(options: argparse.Namespace) -> int:
    from avatarlib.reads import config
    from avatarlib.reads.simulate import simulate

    record = simulate(config.load(options.config, options.set), options.out, progress=progress("checksums"))
    counts = record["counts"]
    print(f"{counts['reads']:,} reads, {counts['bases']:,} bases, {record['variants']:,} variants: {options.out}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from avatarlib.reads.verify import verify

    report = verify(options.folder, reference=options.reference, progress=progress("alignments"))
    print("\n".join(report.lines()))
    return 0 if report.first is None else 1


def _fit(options: argparse.Namespace) -> int:
    from avatarlib.errors import InputError
    from avatarlib.reads.fit import fit, write

    if options.out.exists():
        raise InputError(f"{options.out} exists: name a new file, or remove it first")
    about = f"Fitted to {options.alignments.name}" + (f", {options.known.name} masked" if options.known else "")
    call = {"platform": options.platform, "known": options.known, "about": about}
    found = fit(options.alignments, options.reference, **call)
    write(found, options.out)
    masked = found.masked
    print(f"{found.reads['used']:,} reads used; {masked['read_bases']:,} bases at {masked['sites']:,} sites masked")
    for row in found.rates:
        print(f"{row['name']:28} {row['value']:.4g} ({row['low']:.4g} to {row['high']:.4g})")
    if found.kept:
        print(f"not fitted, as before: {', '.join(found.kept)}")
    return 0
