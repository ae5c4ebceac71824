"""FHIR dates as whole days: which days a partial date can mean, and on which day an instant falls at the clinic."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

from avatarlib.errors import InputError

ZONE = "Europe/Berlin"
DAY = timedelta(days=1)
_FHIR = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2}))?)?)?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Days:
    """What a FHIR date or dateTime says about days.

    Attributes
    ----------
    first, last
        The first and last day that it can mean: "2024-02" is 1 to 29 February. Equal for a day and for an instant.
    complete
        The last day that is over when the date is: the day before an instant (the day itself from 23:59 on).
    clock
        Time of an instant at the clinic, None for a date.
    """

    first: date
    last: date
    complete: date
    clock: time | None = None


def day(text: str, where: str) -> date:
    """Return the day that `text` writes as YYYY-MM-DD.

    Raises
    ------
    InputError
        It is no such day.

    Examples
    --------
    >>> day("2024-02-29", "--day")
    datetime.date(2024, 2, 29)
    """
    try:
        if not isinstance(text, str) or not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{where}: {quoted(text)} is no day. Write YYYY-MM-DD, such as 2024-02-29") from None


def days(text: str, where: str) -> Days:
    """Return the days of a FHIR date or dateTime; an instant falls on its day in `ZONE`.

    Raises
    ------
    InputError
        It is no FHIR date: a time needs seconds and a time zone, the day has to exist.

    Examples
    --------
    >>> days("2024-12-31T23:30:00Z", "consent.json").first
    datetime.date(2025, 1, 1)
    """
    match = _FHIR.fullmatch(text) if isinstance(text, str) else None
    try:
        if not match:
            raise ValueError
        year, month, number = (int(part) if part else None for part in match.groups()[:3])
        if match[4]:
            return _instant(year, month, number, match)
        first = date(year, month or 1, number or 1)
        last = first if number else date(year + (not month or month == 12), (month or 12) % 12 + 1, 1) - DAY
        return Days(first, last, last)
    except (ValueError, OverflowError):
        raise InputError(
            f"{where}: {quoted(text)} is no FHIR date. Write 2024, 2024-02, 2024-02-29 or 2024-02-29T10:00:00+01:00"
        ) from None


def _instant(year: int, month: int, number: int, match: re.Match) -> Days:
    hour, minute, second = int(match[4]), int(match[5]), min(int(match[6]), 59 if match[6] == "60" else 99)
    zone = UTC
    if match[7] != "Z":
        sign = -1 if match[7][0] == "-" else 1
        hours, minutes = int(match[7][1:3]), int(match[7][4:])
        if hours > 14 or minutes > 59:
            raise ValueError
        zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    local = datetime(year, month, number, hour, minute, second, tzinfo=zone).astimezone(_zone())
    here = local.date()
    return Days(here, here, here if (local.hour, local.minute) == (23, 59) else here - DAY, local.time())


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)


def years_later(start: date, years: int) -> date:
    """Return the last day of `years` years that begin on `start`; those from 29 February end on 28 February.

    Examples
    --------
    >>> years_later(date(2020, 9, 1), 5)
    datetime.date(2025, 8, 31)
    """
    try:
        return start.replace(year=start.year + years) - DAY
    except ValueError:  # 29 February, or beyond the last year
        return date(start.year + years, 2, 28) if start.year + years <= date.max.year else date.max


def quoted(value, most: int = 60) -> str:
    """Return a value from a stranger as one short line of ASCII.

    Examples
    --------
    >>> quoted("a\\nb")
    "'a\\\\nb'"
    """
    text = ascii(value)
    return text if len(text) <= most else text[: most - 1] + "…"
