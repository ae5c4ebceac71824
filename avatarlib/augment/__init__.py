"""Deliberate alterations of eye images: the catalogue by family and severity, and the recipes made of them."""

from avatarlib.augment.catalogue import CATALOGUE, FAMILIES, apply
from avatarlib.augment.recipes import LCMEM_GRID, combined, everyday, half_turn, lcmem, mirror, mirror_cohort, unseen

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "LCMEM_GRID",
    "apply",
    "combined",
    "everyday",
    "half_turn",
    "lcmem",
    "mirror",
    "mirror_cohort",
    "unseen",
]
