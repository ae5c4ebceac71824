"""`avatar privacy`: decide which images may be shared."""

import argparse
from pathlib import Path

from avatarlib.cli.progress import progress

EXIT_CODES = (
    "exit codes: 0 all pass; 1 not all pass, or the calibration is vacuous; 2 wrong input or call; 3 internal failure"
)


def parsers(groups) -> list[argparse.ArgumentParser]:
    """Add the group to `groups` and return the parsers of its actions."""
    group = groups.add_parser("privacy", help="decide which images may be shared")
    actions = group.add_subparsers(metavar="ACTION", required=True)

    check = actions.add_parser(
        "check",
        help="judge candidates against originals",
        description="Judge every candidate image against the originals by the Cone of Privacy. Writes verdicts.csv, "
        "report.json and report.html to --out.",
        epilog=EXIT_CODES,
    )
    check.add_argument(
        "--originals", type=Path, required=True, metavar="DIR", help="images and metadata.csv, or DICOM files"
    )
    check.add_argument("--candidates", type=Path, required=True, metavar="DIR", help="images; metadata.csv is optional")
    check.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write; an earlier check is replaced"
    )
    check.add_argument(
        "--recall", type=float, default=0.95, help="share of transformed originals to be flagged (default %(default)s)"
    )
    check.add_argument(
        "--persons-from-name", metavar="REGEX", help="first group in an original's file name is the person"
    )
    check.add_argument("--seed", type=int, default=0, help="of splits and transformations (default %(default)s)")
    check.set_defaults(run=_check)
    return [check]


def _check(options: argparse.Namespace) -> int:
    from avatarlib import release
    from avatarlib.release.check import refuse_foreign

    refuse_foreign(options.out, (options.originals, options.candidates))
    if options.seed < 0:
        from avatarlib.errors import InputError

        raise InputError(f"--seed must not be negative, got {options.seed}")
    result = release.check(
        options.originals,
        options.candidates,
        recall=options.recall,
        persons_from_name=options.persons_from_name,
        seed=options.seed,
        progress=progress("candidates"),
    )
    release.write_check(result, options.out)
    print(result.report["headline"])
    print(f"Report: {options.out / 'report.html'}")
    return 0 if result.passed else 1
