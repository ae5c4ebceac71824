"""`avatar fhir`: metadata, conformity, consent and export of clinical data in FHIR."""

import argparse

from avatarlib.cli import fhir_check, fhir_datause, fhir_index

ACTIONS = (fhir_index, fhir_check, fhir_datause)


def parsers(groups) -> list[argparse.ArgumentParser]:
    """Add the group to `groups` and return the parsers of its actions."""
    actions = groups.add_parser("fhir", help="find, check and hand out clinical data in FHIR").add_subparsers(
        metavar="ACTION", required=True
    )
    return [action for module in ACTIONS for action in module.add(actions)]
