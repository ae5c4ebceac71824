"""The `avatar` command: parse, call a room, print, exit with 0 (yes), 1 (no), 2 (wrong input) or 3 (failed)."""

import argparse
import os
import sys
from pathlib import Path

import avatarlib
from avatarlib.errors import AvatarError
from avatarlib.run import numerics

EXIT_CODES = (
    "exit codes: 0 all pass; 1 not all pass, or the calibration is vacuous; 2 wrong input or call; 3 internal failure"
)
READS_EXIT_CODES = "exit codes: 0 done; 1 the files disagree; 2 wrong input or call; 3 internal failure"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.environ.update(numerics.environment() | os.environ)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print(f"avatar: interrupted; {options.interrupted}", file=sys.stderr)
        return 130
    except Exception as error:
        if options.debug:
            raise
        known = isinstance(error, AvatarError)
        text = " ".join(str(error).split()) if known else f"{type(error).__name__}: {' '.join(str(error).split())}"
        hint = "" if known else " (internal failure; run again with --debug for details)"
        print(f"avatar: {text}{hint}", file=sys.stderr)
        return error.exit_code if known else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="avatar", description="Synthetic eyes and human sequences, and proof how far they identify a person."
    )
    parser.set_defaults(interrupted="nothing was written")
    parser.add_argument("--version", action="version", version=f"avatar {avatarlib.__version__}")
    groups = parser.add_subparsers(metavar="GROUP", required=True)
    privacy = groups.add_parser("privacy", help="decide which images may be shared")
    actions = privacy.add_subparsers(metavar="ACTION", required=True)

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
    check.set_defaults(run=_privacy_check)
    for leaf in (check, *_reads_parsers(groups)):
        leaf.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return parser


def _reads_parsers(groups) -> list[argparse.ArgumentParser]:
    reads = groups.add_parser("reads", help="simulate human reads whose every difference is known")
    actions = reads.add_subparsers(metavar="ACTION", required=True)

    config = actions.add_parser("config", help="print a commented configuration with all defaults")
    config.set_defaults(run=_reads_config)

    simulate = actions.add_parser(
        "simulate",
        help="simulate donors, their variants, and reads with errors",
        description="Simulate human variation and sequencing errors, kept apart, with the truth about every base. "
        "Stopped runs go on where they were when the same command is given again.",
        epilog=READS_EXIT_CODES,
    )
    simulate.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML, see `avatar reads config`")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder to write")
    simulate.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one key, such as errors.seed=4; may come again"
    )
    simulate.set_defaults(run=_reads_simulate, interrupted="what is done is kept, the same command goes on")

    verify = actions.add_parser(
        "verify",
        help="rebuild every read from reference, variants and events",
        description="Rebuild every read of a simulation from its reference, variants and events, and compare.",
        epilog=READS_EXIT_CODES,
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="folder that `avatar reads simulate` wrote")
    verify.add_argument("--reference", type=Path, metavar="FILE", help="where the reference lies now, if it moved")
    verify.set_defaults(run=_reads_verify)
    return [config, simulate, verify]


def _reads_config(options: argparse.Namespace) -> int:
    from avatarlib.reads import config

    print(config.commented(), end="")
    return 0


def _reads_simulate(options: argparse.Namespace) -> int:
    from avatarlib.reads import config
    from avatarlib.reads.simulate import simulate

    record = simulate(config.load(options.config, options.set), options.out, progress=_progress("checksums"))
    counts = record["counts"]
    print(f"{counts['reads']:,} reads, {counts['bases']:,} bases, {record['variants']:,} variants: {options.out}")
    return 0


def _reads_verify(options: argparse.Namespace) -> int:
    from avatarlib.reads.verify import verify

    report = verify(options.folder, reference=options.reference, progress=_progress("alignments"))
    print("\n".join(report.lines()))
    return 0 if report.first is None else 1


def _privacy_check(options: argparse.Namespace) -> int:
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
        progress=_progress("candidates"),
    )
    release.write_check(result, options.out)
    print(result.report["headline"])
    print(f"Report: {options.out / 'report.html'}")
    return 0 if result.passed else 1


def _progress(final: str):
    """One line a step on a log, an overwritten one on a terminal until step `final` is done; on standard error."""
    terminal, last = sys.stderr.isatty(), [None]

    def say(step: str, done: float) -> None:
        if terminal:
            print(
                f"\r\x1b[K{step} {done:.0%}",
                end="\n" if (step, done) == (final, 1) else "",
                file=sys.stderr,
                flush=True,
            )
        elif step != last[0]:
            print(f"{step} …", file=sys.stderr, flush=True)
        last[0] = step

    return say


if __name__ == "__main__":
    sys.exit(main())
