"""`avatar fhir`: consent, requests and exports."""

import argparse
from pathlib import Path

CONSENT_CODES = "exit codes: 0 permit; 1 deny or unknown; 2 wrong input or call; 3 internal failure"


def add(actions) -> list[argparse.ArgumentParser]:
    """Add these actions of the group and return their parsers."""
    return [_consent_parser(actions)]


def _consent_parser(actions) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        "consent",
        help="say whether a person's consent permits a policy on a day",
        description="Say whether a person's consent permits a policy on a day: permit, deny or unknown.",
        epilog=CONSENT_CODES,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="Consent resources: .json, .ndjson, .tgz or a folder")
    parser.add_argument(
        "--person", required=True, metavar="ID", help="17, Patient/17, or SYSTEM|VALUE of an identifier"
    )
    parser.add_argument("--policy", required=True, metavar="CODE", help="a policy, or a module: then all its policies")
    parser.add_argument("--day", required=True, metavar="YYYY-MM-DD", help="the day that is asked about")
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="FILE",
        help="CodeSystem of the policies; left out: the MII broad consent's or the eye study's, whichever has CODE",
    )
    parser.set_defaults(run=_consent)
    return parser


def _consent(options: argparse.Namespace) -> int:
    from avatarlib.consent import dates, document
    from avatarlib.consent.decide import Register
    from avatarlib.consent.known import policies_with

    day = dates.day(options.day, "--day")
    policies = policies_with(options.policy, options.policies)
    decision = Register(document.read_documents(options.file), policies).permits(options.person, options.policy, day)
    print(f"{decision.answer}: {decision.reason}")
    return 0 if decision.permitted else 1
