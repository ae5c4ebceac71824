"""`avatar fhir`: consent, requests and exports."""

import argparse
from pathlib import Path


def add(actions) -> list[argparse.ArgumentParser]:
    """Add these actions of the group and return their parsers."""
    return [_consent_parser(actions), _request_parser(actions), _export_parser(actions)]


def _consent_parser(actions) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        "consent",
        help="say whether a person's consent permits a policy on a day",
        description="Say whether a person's consent permits a policy on a day: permit, deny or unknown.",
        epilog="exit codes: 0 permit; 1 deny or unknown; 2 wrong input or call; 3 internal failure",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="Consent resources: .json, .ndjson, .tgz or a folder")
    parser.add_argument(
        "--person", required=True, metavar="ID", help="17, Patient/17, or SYSTEM|VALUE of an identifier"
    )
    parser.add_argument("--policy", required=True, metavar="CODE", help="a policy, or a module: then all its policies")
    parser.add_argument("--day", required=True, metavar="YYYY-MM-DD", help="the day that is asked about")
    parser.add_argument("--policies", type=Path, metavar="FILE", help=f"CodeSystem of the policies; {_KNOWN}")
    parser.set_defaults(run=_consent)
    return parser


_KNOWN = "left out: that of the MII broad consent or of the eye study"


def _request_parser(actions) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        "request",
        help="check a data-use request, and write it as a page",
        description="Check a data-use request in the FDPG's structure, say what consent it needs, write it as a page.",
        epilog="exit codes: 0 it holds; 2 wrong input or call; 3 internal failure",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="request as JSON, see data_manifests/fhir/requests/")
    parser.add_argument("--page", type=Path, metavar="FILE", help="HTML page to write")
    parser.set_defaults(run=_request)
    return parser


def _export_parser(actions) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        "export",
        help="export what a request names and consent permits, as Bulk Data NDJSON",
        description="Export what a request names and consent permits, as Bulk Data NDJSON under pseudonyms of its own.",
        epilog="exit codes: 0 done; 1 nobody's consent permits it, nothing was written; 2 wrong input or call; "
        "3 the server or this program failed. A server's token is read from AVATAR_FHIR_TOKEN.",
    )
    parser.add_argument("request", type=Path, metavar="REQUEST", help="request as JSON")
    parser.add_argument(
        "--source", required=True, metavar="URL|DIR", help="base URL of a FHIR server, or a folder with <Type>.ndjson"
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="secret of the pseudonyms, kept apart")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder to write")
    parser.add_argument("--day", required=True, metavar="YYYY-MM-DD", help="day of the export: consents hold on it")
    parser.add_argument("--policies", type=Path, metavar="FILE", help="CodeSystem of the policies; left out: the MII's")
    parser.set_defaults(run=_export)
    return parser


def _consent(options: argparse.Namespace) -> int:
    from avatarlib.consent import dates, document
    from avatarlib.consent.decide import Register
    from avatarlib.consent.known import policies_with

    day = dates.day(options.day, "--day")
    policies = policies_with(options.policy, options.policies)
    documents = document.read_documents(options.file, options.person)
    decision = Register(documents, policies).permits(options.person, options.policy, day)
    print(f"{decision.answer}: {decision.reason}")
    return 0 if decision.permitted else 1


def _request(options: argparse.Namespace) -> int:
    from avatarlib.datause.page import is_page, page
    from avatarlib.datause.request import read_request
    from avatarlib.errors import InputError
    from avatarlib.run.store import write_text

    request = read_request(options.file)
    if options.page and (options.page.is_symlink() or (options.page.exists() and not is_page(options.page))):
        raise InputError(f"{options.page} is there and is no page of a request: name a new file")
    if options.page:
        write_text(options.page, page(request))
    needed = f"consent {request.options().code}"
    print(f"{request.project_id}: the request holds; it needs {needed}{f': {options.page}' if options.page else ''}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from avatarlib.consent import dates
    from avatarlib.consent.known import read_policies_file
    from avatarlib.datause.client import Client
    from avatarlib.datause.export import export
    from avatarlib.datause.pseudonyms import read_key
    from avatarlib.datause.request import read_request

    day = dates.day(options.day, "--day")
    request = read_request(options.request)
    policies = read_policies_file(options.policies) if options.policies else None
    key = read_key(options.key, options.out)
    with Client(options.source) as source:
        summary = export(request, source, options.out, key=key, day=day, policies=policies)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in summary.given.items())
    print(
        f"{summary.consented:,} of {summary.cohort:,} people of the cohort consented; "
        + (f"{counts}: {options.out}" if counts else "nothing was written")
        + (f"; {summary.not_covered:,} resources are not covered by consent" if summary.not_covered else "")
    )
    return 0 if summary.given else 1
