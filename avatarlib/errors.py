"""The errors that a user can cause, with the exit code that the command gives them."""


class AvatarError(Exception):
    """A failure with one clear line: what, where, what to do. The command exits with `exit_code`."""

    exit_code = 3


class InputError(AvatarError):
    """The input or the call is wrong."""

    exit_code = 2


class LicenceError(InputError):
    """An action that the licence of the data forbids."""


class InputAbsent(InputError):
    """Real data that a profile needs are neither in the mirror nor to be downloaded; a notebook is then not run."""
