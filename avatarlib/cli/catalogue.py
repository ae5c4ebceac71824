"""`avatar catalogue`: the annotated catalogue of open medical data."""

import argparse
from pathlib import Path

EXIT_CODES = "exit codes: 0 done; 1 the answer is no; 2 wrong input or call; 3 internal failure"


def parsers(groups) -> list[argparse.ArgumentParser]:
    """Add the group to `groups` and return the parsers of its actions."""
    group = groups.add_parser("catalogue", help="find open medical data, graded with evidence")
    actions = group.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="list all sources", epilog=EXIT_CODES)
    listing.set_defaults(run=_list)

    check = actions.add_parser(
        "check",
        help="check entries, and that the quoted words are still where they were",
        description="Check entries. Without a name all of the catalogue are checked.",
        epilog=EXIT_CODES,
    )
    check.add_argument("names", nargs="*", metavar="NAME", help="identifiers, or files of entries")
    check.add_argument("--offline", action="store_true", help="what the entries say alone, no network")
    check.set_defaults(run=_check)

    found = [listing, check]
    for action in found:
        action.add_argument("--catalogue", type=Path, metavar="DIR", help="folder of entries (default: the project's)")
    return found


def _list(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import load

    for source in load.load(options.catalogue):
        print(source.identifier, source.level, source.title, sep="\t")
    return 0


def _check(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import load

    if options.names:
        sources = [load.read(Path(name)) for name in options.names]
    else:
        sources = load.load(options.catalogue)
    for source in sources:
        print(source.identifier, source.level, "ok", sep="\t")
    return 0
