"""`python -m avatarlib.run.studies NAME`: run a study, or with `--plan` say how long it would take."""

import os
import sys
from importlib import import_module

from avatarlib.errors import AvatarError
from avatarlib.run import numerics

NAMES = ("removal",)


def main(arguments: list[str]) -> int:
    """Run the study that the first argument names with the others."""
    if not arguments or arguments[0] not in NAMES:
        print(f"name a study: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    os.environ.update(numerics.environment() | os.environ)  # before any numeric library is loaded
    try:
        return import_module(f"avatarlib.run.studies.{arguments[0]}").main(arguments[1:])
    except AvatarError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
