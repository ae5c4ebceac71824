"""`avatar fhir`: find what FHIR packages describe."""

import argparse
import json
from pathlib import Path

INDEX = Path("fhir-index.sqlite")
EXIT_CODES = "exit codes: 0 done; 1 nothing found; 2 wrong input or call; 3 internal failure"


def add(actions) -> list[argparse.ArgumentParser]:
    """Add these actions of the group and return their parsers."""
    index = actions.add_parser(
        "index",
        help="index what FHIR packages describe, one row an element",
        description="Index every profile, extension, data type and logical model of FHIR R4 packages: cardinality, "
        "types, binding, codes, texts in German and English, how far an element can point at a person, and the fields "
        "of NFDI4Health, Croissant and HealthDCAT that it shows in.",
        epilog=EXIT_CODES,
    )
    index.add_argument(
        "package",
        nargs="*",
        default=["embedded"],
        metavar="PACKAGE",
        help=".tgz, folder, or a declared source such as fhir_packages (default embedded: this project's own)",
    )
    index.add_argument("--out", type=Path, default=INDEX, metavar="FILE", help=f"index to write (default {INDEX})")
    index.set_defaults(run=_index)

    search = actions.add_parser(
        "search",
        help="find elements by a question in German or English",
        description="Find the elements of an index that answer a question in German or English, best first.",
        epilog=EXIT_CODES,
    )
    search.add_argument("question", nargs="+", metavar="WORD", help="such as: Geburtsdatum der Patientin")
    search.add_argument("--index", type=Path, default=INDEX, metavar="FILE", help=f"what to search (default {INDEX})")
    search.add_argument("--limit", type=int, default=10, metavar="N", help="rows to show (default 10)")
    search.add_argument("--json", action="store_true", help="all columns, one JSON object a line")
    search.set_defaults(run=_search)
    return [index, search]


def _index(options: argparse.Namespace) -> int:
    import contextlib

    from avatarlib.fhir import index, packages

    with contextlib.closing(index.build(packages.named(options.package), options.out)) as made:
        for row in index.counts(made):
            left = f", {row.without_snapshot} without snapshot left out" if row.without_snapshot else ""
            print(_shown(f"{row.package}#{row.version}: {row.elements:,} elements of {row.profiles} definitions{left}"))
    print(f"index: {options.out}")
    return 0


def _search(options: argparse.Namespace) -> int:
    import contextlib

    from avatarlib.fhir import index
    from avatarlib.fhir.search import search

    with contextlib.closing(index.open_index(options.index)) as opened:
        hits = search(opened, " ".join(options.question), options.limit)
    for hit in hits:
        row = hit.row
        if options.json:
            print(json.dumps(row, ensure_ascii=True))
            continue
        text = row["text_de"] or row["text_en"] or row["short"]
        print(
            _shown(
                f"{row['element']}  {row['minimum']}..{row['maximum']} {row['types']}  [{row['identifying']}]  {text}"
            )
        )
        print(_shown(f"    {row['profile']}, {row['package']}#{row['version']}"))
    if not hits:
        print("nothing found")
    return 0 if hits else 1


def _shown(text: str) -> str:
    """Return text from a package as a terminal may have it: one line, nothing that steers it."""
    return "".join(char if char.isprintable() else " " for char in text)
