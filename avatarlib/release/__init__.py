"""What a data steward gets: verdicts for a folder of candidates, and the report that defends them."""

from avatarlib.release.check import Check, check, write_check

__all__ = ["Check", "check", "write_check"]
