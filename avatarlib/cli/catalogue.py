"""`avatar catalogue`: the annotated catalogue of open medical data."""

import argparse
import sys
from pathlib import Path

from avatarlib.cli.progress import progress

EXIT_CODES = "exit codes: 0 done; 1 nothing found, or an address needs care; 2 wrong input or call; 3 internal failure"
FACETS = {
    "field": "such as ophthalmology; a wrong word lists the right ones",
    "modality": "such as fundus or ecg",
    "mode": "the way to the data: open, registration, agreement, application, gone or unclear",
    "licence": "SPDX identifier, or LicenseRef-NAME",
    "scenario": "such as diabetic-retinopathy-screening",
    "use-case": "such as eye-synthesis",
    "level": "V0 claimed, V1 record read, V2 sample opened, V3 all counted",
    "suitability": "suitable, limited or unsuitable",
    "synthetic": "yes or no",
    "sex": "labels of the sex: yes, no or unclear",
    "side": "labels of the side: yes, no or unclear",
}
CRITERIA = ("relevance", "availability", "anonymity", "terms")


def parsers(groups) -> list[argparse.ArgumentParser]:
    """Add the group to `groups` and return the parsers of its actions."""
    group = groups.add_parser("catalogue", help="find open medical data, graded with evidence")
    actions = group.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="one line a source", epilog=EXIT_CODES)
    listing.add_argument("--internal", action="store_true", help="the sources that are not open instead")
    listing.set_defaults(run=_list)

    show = actions.add_parser("show", help="all that is known of a source, with evidence", epilog=EXIT_CODES)
    show.add_argument("name", metavar="NAME", help="identifier, see `avatar catalogue list`")
    show.set_defaults(run=_show)

    search = actions.add_parser(
        "search",
        help="find sources by words and facets",
        description="Find sources that hold all WORDS and fit all facets, such as `search cataract --mode open`.",
        epilog=EXIT_CODES,
    )
    search.add_argument("words", nargs="*", metavar="WORDS", help="looked for in everything an entry says")
    for facet, words in FACETS.items():
        search.add_argument(f"--{facet}", metavar="WORD", help=words)
    for name in CRITERIA:
        search.add_argument(f"--{name}", type=int, choices=range(4), metavar="0-3", help=f"lowest grade of {name}")
    search.set_defaults(run=_search)

    check = actions.add_parser(
        "check",
        help="check entries, their addresses, and that the quoted words are still there",
        description="Check entries; without NAMES all of the catalogue. Then open every address and look for the "
        "quoted words.",
        epilog=EXIT_CODES,
    )
    check.add_argument("names", nargs="*", metavar="NAME", help="identifiers, or files of entries")
    check.add_argument("--offline", action="store_true", help="only what the entries say, no network")
    check.add_argument("--timeout", type=float, default=20.0, metavar="S", help="for one address (default %(default)s)")
    check.set_defaults(run=_check)

    export = actions.add_parser("export", help="write the catalogue in a format of others", epilog=EXIT_CODES)
    export.add_argument(
        "--format",
        choices=("csv", "croissant", "healthdcat"),
        required=True,
        help="CSV with Table Schema; Croissant 1.1 with DUO and ODRL; HealthDCAT-AP as JSON-LD",
    )
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write; an earlier export is replaced"
    )
    export.set_defaults(run=_export)

    found = [listing, show, search, check, export]
    for action in found:
        action.add_argument("--catalogue", type=Path, metavar="DIR", help="folder of entries (default: the project's)")
    return found


def _list(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import load, pages

    if options.internal:
        print("\n\n".join(pages.internal(source) for source in load.load_internal(options.catalogue)))
    else:
        print(pages.listing(load.load(options.catalogue)))
    return 0


def _show(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import load, pages

    internal = {source.identifier: source for source in load.load_internal(options.catalogue)}
    if options.name in internal:
        print(pages.internal(internal[options.name]))
    else:
        print(pages.entry(load.find(options.name, options.catalogue)))
    return 0


def _search(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import load, pages, table

    facets = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in FACETS}
    found = table.search(
        load.load(options.catalogue),
        options.words,
        where={name: value for name, value in facets.items() if value is not None},
        at_least={name: getattr(options, name) for name in CRITERIA if getattr(options, name) is not None},
    )
    print(pages.listing(found) if found else "no source fits")
    return 0 if found else 1


def _check(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import links, load
    from avatarlib.errors import InputError

    if not 0 < options.timeout <= 600:
        raise InputError(f"--timeout must be above 0 and at most 600 seconds, got {options.timeout:g}")
    sources = [load.find(name, options.catalogue) for name in options.names]
    for source in sources:
        print(source.identifier, source.level, "ok", sep="\t")
    if not options.names:
        sources, internal = load.load(options.catalogue), load.load_internal(options.catalogue)
        print(f"{len(sources)} entries and {len(internal)} that are not open are well formed")
    if options.offline:
        return 0
    outcomes = links.check(links.targets(sources), seconds=options.timeout, progress=progress("addresses"))
    for outcome in outcomes:
        if outcome.state != "there":
            target = outcome.target
            print(target.identifier, target.key, outcome.state, outcome.detail, target.address, sep="\t")
    bad = sum(not outcome.good for outcome in outcomes)
    print(f"{len(outcomes)} addresses, {bad} need care", file=sys.stderr)
    return 1 if bad else 0


def _export(options: argparse.Namespace) -> int:
    from avatarlib.catalogue import export, load

    names = export.export(load.load(options.catalogue), options.format, options.out)
    print(f"{len(names)} files: {options.out}")
    return 0
