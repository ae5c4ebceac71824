"""Texts, addresses, dates and codes of the catalogue: what strangers may write, and what is refused and why."""

import ipaddress
import re
import unicodedata
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from avatarlib.documents.yaml_text import cut, shown

MOST_WORDS = 25
NOT_CHECKED = "not checked"
FIRST_READ = date(2022, 1, 1)  # nothing in the catalogue can have been read before there was a project

_HTML = re.compile(r"<[A-Za-z/!?]|&(#\d+|#[xX][0-9a-fA-F]+|[A-Za-z]{2,8});")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LOCAL = ("localhost", "local", "internal", "intranet", "lan", "home", "test", "example", "invalid", "onion", "arpa")
_ICD = re.compile(r"[A-Z]\d\d(\.(\d{1,2}|-))?(-[A-Z]\d\d)?")


def plain(text: str) -> str:
    """Return a text on one line, after refusing what could harm a page, a spreadsheet or a terminal.

    Raises
    ------
    ValueError
        Empty; a control or invisible character; HTML; a spreadsheet's formula.

    Examples
    --------
    >>> plain("two\\n  lines")
    'two lines'
    """
    text = re.sub(r"[ \n]+", " ", text).strip(" ")
    if not text:
        raise ValueError("must not be empty")
    for sign in text:
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            raise ValueError(f"holds a control or invisible character (U+{ord(sign):04X}): delete it")
    if found := _HTML.search(text):
        raise ValueError(f"holds HTML ({found.group()}): write plain text")
    if text.startswith(_FORMULA):
        raise ValueError(f"begins with {text[0]}, as a spreadsheet's formula does: begin with a letter or digit")
    return text


def quoted(text: str) -> str:
    """Return words quoted from a page: plain, at most 25 of them, and enough to be found again."""
    text = plain(text)
    if len(text.split()) > MOST_WORDS:
        raise ValueError(f"has {len(text.split())} words: quote at most {MOST_WORDS}")
    if len(text) < 4:
        raise ValueError("is too short to be found again on a page: quote more")
    return text


def address(text: str) -> str:
    """Return a public web address.

    Raises
    ------
    ValueError
        Not http or https; a local, numeric or reserved host; user names; characters that an address can't have.
    """
    if not re.fullmatch(r"[!-~]{8,500}", text) or re.search(r"[<>\"'`\\^{}|]", text):
        raise ValueError("is no web address: https://host/path without spaces, quotes or angle brackets")
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        raise ValueError("is no web address: https://host/path") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("must begin with https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if "." not in host or host.rsplit(".", 1)[-1] in _LOCAL or _is_number(host):
        raise ValueError(f"names the host {cut(host, 60)}, which is not a public one: give the provider's own address")
    return text


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.replace(".", "").isdigit()
    return True


def _day(value: Any) -> Any:
    """Turn the text 2026-11-25 into a day that has come; anything else is refused."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("must be a date such as 2026-11-25")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value} is no day of the calendar") from None
    if day > date.today():
        raise ValueError(f"{value} lies in the future")
    if day < FIRST_READ:
        raise ValueError(f"{value} lies before {FIRST_READ}: is the year right?")
    return day


def _cited(value: Any) -> Any:
    """Turn a list of evidence into a tuple, and the words `not checked` into an empty one."""
    if value == NOT_CHECKED:
        return ()
    fits = isinstance(value, tuple) and value and all(isinstance(x, str) and re.fullmatch(r"e\d+", x) for x in value)
    if not fits:
        raise ValueError(f"must be a list of evidence such as [e1], or the words {NOT_CHECKED}")
    if len(set(value)) < len(value):
        raise ValueError("cites the same evidence twice")
    return value


def is_snomed(code: str) -> bool:
    """Return True where the digits are a concept's identifier in SNOMED CT: right form and check digit.

    The check digit is Verhoeff's, over the dihedral group of ten elements (SNOMED CT Release File Specification).

    Examples
    --------
    >>> is_snomed("73211009"), is_snomed("73211008")
    (True, False)
    """
    if not re.fullmatch(r"[1-9]\d{5,17}", code) or code[-3] not in "01" or code[-2] != "0":
        return False
    check, turned = 0, (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    for place, digit in enumerate(map(int, reversed(code))):
        for _ in range(place % 8):
            digit = turned[digit]
        check = _dihedral(check, digit)
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def code_problem(system: str, code: str) -> str | None:
    """Say what is wrong with a code, or None."""
    if system == "ICD-10-GM" and not _ICD.fullmatch(code):
        return f"{shown(code)} is no ICD-10-GM code such as H36.0 or H30-H36"
    if system == "SNOMED CT" and not is_snomed(code):
        return f"{shown(code)} is no SNOMED CT concept: digits or check digit are wrong"
    return None


Text = Annotated[str, Field(max_length=1000), AfterValidator(plain)]
Short = Annotated[str, Field(max_length=200), AfterValidator(plain)]
Words = Annotated[str, Field(max_length=500), AfterValidator(quoted)]
Address = Annotated[str, AfterValidator(address)]
Day = Annotated[date, BeforeValidator(_day)]
Cited = Annotated[tuple[str, ...], BeforeValidator(_cited)]
