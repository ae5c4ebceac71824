"""The `avatar` command: parse, call a room, print, exit with 0 (yes), 1 (no), 2 (wrong input) or 3 (failed).

Each group of actions is a module beside this one; its `parsers(groups)` adds the group and returns its actions.
"""

import argparse
import os
import sys

import avatarlib
from avatarlib.cli import fhir, privacy, reads
from avatarlib.errors import AvatarError
from avatarlib.run import numerics

GROUPS = (privacy, reads, fhir)


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
    for action in (action for group in GROUPS for action in group.parsers(groups)):
        action.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    return parser
