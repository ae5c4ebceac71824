"""`python -m avatarlib.cli`: the command from the source, where it is not installed."""

import sys

from avatarlib.cli import main

sys.exit(main())
