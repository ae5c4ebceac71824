"""`avatar fhir`: check resources against profiles."""

import argparse
import re
from collections import Counter
from pathlib import Path

MOST_LINES = 50
MOST_REASONS = 10_000  # kept apart; a hostile Bundle may name a new profile with each entry
EXIT_CODES = (
    "exit codes: 0 all conform; 1 something violates or is not checkable; 2 wrong input or call; 3 internal failure"
)


def add(actions) -> list[argparse.ArgumentParser]:
    """Add these actions of the group and return their parsers."""
    check = actions.add_parser(
        "check",
        help="check resources against profiles",
        description="Check FHIR R4 resources against the profiles that they name in meta.profile, or against one. "
        "Three answers for resource and profile: conforms, violates (where, why), not checkable (what is missing). "
        "A resource that names no profile is checked against R4's own structure. Bundles of any size are read entry by "
        "entry.",
        epilog=EXIT_CODES,
    )
    check.add_argument("path", type=Path, nargs="+", metavar="PATH", help=".json, .ndjson, .tgz, or a folder of these")
    check.add_argument(
        "--package",
        action="append",
        metavar="PACKAGE",
        help="FHIR package with the definitions: .tgz, folder, or a declared source; may come again (default embedded)",
    )
    check.add_argument("--profile", metavar="URL", help="check all resources against this profile instead")
    check.add_argument(
        "--strict",
        action="store_true",
        help="codes whose code system is not at hand (SNOMED CT, ICD-10-GM ...) make a resource not checkable; else "
        "they are listed",
    )
    check.set_defaults(run=_check)
    return [check]


def _check(options: argparse.Namespace) -> int:
    from avatarlib.errors import InputError
    from avatarlib.fhir import packages, profiles
    from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, Checker, check_files

    checker = Checker(profiles.gather(packages.named(options.package or [packages.EMBEDDED])))
    if options.profile and checker.compiled(options.profile) is None:
        raise InputError(f"--profile {options.profile} is in none of the packages. Give its package with --package")
    answers: Counter[str] = Counter()
    lacking: Counter[tuple[str, str]] = Counter()
    taken: Counter[str] = Counter()
    lines = 0
    for verdict in check_files(checker, options.path, options.profile, strict=options.strict):
        answers[verdict.answer] += 1
        for finding in verdict.violations:
            lines += 1
            if lines <= MOST_LINES:
                where = f"{verdict.file}: {verdict.place}: " if verdict.place else f"{verdict.file}: "
                _say(f"violates {verdict.profile}: {where}{finding}")
        if verdict.answer == NOT_CHECKABLE and len(lacking) < MOST_REASONS:
            lacking.update({(verdict.profile, _general(str(finding))) for finding in verdict.missing})
        taken.update({finding.message for finding in verdict.unverified})
    if lines > MOST_LINES:
        print(f"and {lines - MOST_LINES:,} more violations")
    for (profile, reason), count in lacking.most_common(MOST_LINES):
        what = (
            f"{profile} is in none of the packages"
            if reason.endswith(f": definition {profile}")
            else f"{profile}: {reason}"
        )
        _say(f"not checkable: {what} ({count:,} times)")
    if len(lacking) > MOST_LINES:
        print(f"and {len(lacking) - MOST_LINES:,} more reasons")
    for reason, count in taken.most_common():
        print(f"codes taken as they are in {count:,} of the checks: {reason} is not at hand")
    counts = ", ".join(f"{answers[answer]:,} {word}" for answer, word in _WORDS.items())
    print(f"{answers.total():,} checks (resource and profile): {counts}")
    return 0 if answers[VIOLATES] + answers[NOT_CHECKABLE] == 0 and answers[CONFORMS] else 1


_WORDS = {"conforms": "conform", "violates": "violate", "not checkable": "not checkable"}


def _say(line: str) -> None:
    """Print a line that holds texts of strangers: without control characters, and not endless."""
    safe = "".join(sign if sign.isprintable() else "?" for sign in line)
    print(safe if len(safe) <= 1_000 else f"{safe[:1_000]}...")


def _general(text: str) -> str:
    """Return a finding without the numbers of list elements, so that equal ones are counted together."""
    return re.sub(r"\[\d+\]", "[]", text)
