"""Codes that can't exist in well-known code systems: their form or their check digit tells, without their content."""

import re

# Verhoeff's scheme, which SNOMED CT's identifiers use: products in the dihedral group D5, permutations of places.
_D5 = [[(a + b) % 5 if a < 5 else (a - b) % 5 + 5 for b in range(5)] for a in range(10)]
_D5 = [row + [(a + b) % 5 + 5 if a < 5 else (a - b) % 5 for b in range(5)] for a, row in enumerate(_D5)]
_PLACES = [list(range(10))]
for _ in range(7):
    _PLACES.append([_PLACES[-1][n] for n in (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)])
_CONCEPTS = ("00", "10")  # SNOMED CT's partitions of concepts, in the third and second digit from the right

_FORMS = {
    "http://loinc.org": r"(L[AGLP])?[0-9]{1,7}-[0-9]|MTHU[0-9]{6}",
    "http://snomed.info/sct": r"[1-9][0-9]{5,17}",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z-]{1,4})?[+*!#†-]*",
    "http://hl7.org/fhir/sid/icd-10": r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z-]{1,4})?[+*!#†-]*",
    "http://fhir.de/CodeSystem/bfarm/ops": r"[1-9]-[0-9a-z]{2,3}(\.[0-9a-z-]{1,2})?#?",
    "http://fhir.de/CodeSystem/bfarm/atc": r"[A-Z][0-9A-Z]{0,8}",
    "http://fhir.de/CodeSystem/bfarm/alpha-id": r"I[0-9]{1,6}",
    "http://fhir.de/CodeSystem/ask": r"[0-9]{1,6}",
    "http://fhir.de/CodeSystem/ifa/pzn": r"[0-9]{1,8}",
}
_COMPILED = {system: re.compile(form) for system, form in _FORMS.items()}


def impossible(system: str | None, code: str) -> bool:
    """Return whether a code system can't hold a code.

    Parameters
    ----------
    system
        Address of the code system; of one that is not known here nothing is impossible.

    Examples
    --------
    >>> impossible("http://snomed.info/sct", "73211009"), impossible("http://snomed.info/sct", "73211008")
    (False, True)
    >>> impossible("http://loinc.org", "718-7"), impossible("http://loinc.org", "718-8")
    (False, True)
    """
    if system not in _COMPILED:
        return False
    if not _COMPILED[system].fullmatch(code):
        return True
    if system == "http://snomed.info/sct":
        return code[-3:-1] not in _CONCEPTS or verhoeff(code) != 0
    if system == "http://loinc.org" and code[-2] == "-":
        return luhn(re.sub(r"[^0-9]", "", code)) != 0
    return False


def verhoeff(digits: str) -> int:
    """Return Verhoeff's check of digits; 0 where the last one is right."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _D5[check][_PLACES[place % 8][int(digit)]]
    return check


def luhn(digits: str) -> int:
    """Return the check of digits by Luhn's rule (modulus 10); 0 where the last one is right."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10
