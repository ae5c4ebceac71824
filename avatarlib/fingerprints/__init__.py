"""Semantic fingerprints of eye images: what is compared to tell whether two pictures show the same eye."""

from avatarlib.fingerprints.estimators import NAMES, Fingerprint, make
from avatarlib.fingerprints.features import KINDS, Features, Raw, extract

__all__ = ["KINDS", "NAMES", "Features", "Fingerprint", "Raw", "extract", "make"]
