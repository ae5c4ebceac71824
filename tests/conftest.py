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


@pytest.fixture
def write_entry():
    """Writes an entry of the catalogue, by default a right one about a source that doesn't exist; returns its path."""

    def write(folder: Path, text: str | None = None, name: str = "made-up-eyes.yml") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        right = Path(__file__).with_name("made-up-eyes.yml")
        (folder / name).write_text(right.read_text(encoding="utf-8") if text is None else text, encoding="utf-8")
        return folder / name

    return write
