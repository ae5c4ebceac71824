"""`avatar fhir`: check resources against profiles."""

import argparse


def add(actions) -> list[argparse.ArgumentParser]:
    """Add these actions of the group and return their parsers."""
    return []
