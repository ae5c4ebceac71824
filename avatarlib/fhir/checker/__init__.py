"""Check FHIR resources against profiles: conforms, violates (where, why), or not checkable (what is missing)."""

from avatarlib.fhir.checker.resources import Checker, check_files, check_resource
from avatarlib.fhir.checker.verdict import CONFORMS, NOT_CHECKABLE, VIOLATES, Finding, Verdict

__all__ = ["CONFORMS", "NOT_CHECKABLE", "VIOLATES", "Checker", "Finding", "Verdict", "check_files", "check_resource"]
