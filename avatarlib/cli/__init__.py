"""The `avatar` command: parse, call a room, print, exit with 0 (yes), 1 (no), 2 (wrong input) or 3 (failed).

Each group of actions is a module beside this one; its `parsers(groups)` adds the group and returns its actions.
"""

import argparse
import errno
import os
import select
import sys

import avatarlib
from avatarlib.cli import catalogue, fhir, privacy, reads
from avatarlib.errors import AvatarError
from avatarlib.run import numerics

GROUPS = (privacy, reads, catalogue, fhir)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.environ.update(numerics.environment() | os.environ)
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(f"avatar: interrupted; {options.interrupted}", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 141
        if options.debug:
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error = AvatarError(f"{error.strerror}: make room, then give the same command again")
        known = isinstance(error, AvatarError)
        text = " ".join(str(error).split()) if known else f"{type(error).__name__}: {' '.join(str(error).split())}"
        hint = "" if known else " (internal failure; run again with --debug for details)"
        print(f"avatar: {text}{hint}", file=sys.stderr)
        return error.exit_code if known else 3


def _nobody_reads() -> bool:
    """Return True where the reader of standard output has left, as `| head` does; the rest then goes nowhere."""
    place, poll = sys.stdout.fileno(), select.poll()
    poll.register(place, 0)
    left = any(event & select.POLLERR for _, event in poll.poll(0))
    if left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), place)
    return left


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
