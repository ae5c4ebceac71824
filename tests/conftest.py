"""Fixtures that several test files use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real data; without one the test is skipped and says so, but in CI it fails."""
    place = os.environ.get("AVATAR_DATA_MIRROR", "")
    if place and Path(place).is_dir():
        return Path(place)
    reason = f"AVATAR_DATA_MIRROR ({place or 'not set'}) is no folder: no test on real data was run"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
