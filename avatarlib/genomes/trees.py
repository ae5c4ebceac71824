"""Genealogies as files: the same bytes for the same genealogy."""

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tskit


def write_trees(path: Path, trees: "tskit.TreeSequence") -> None:
    """Write a tree sequence that `tskit.load` reads.

    tskit gives every file a random identifier and notes the time at which a genealogy was made. Here the identifier is
    made from the content, and the note is left out: what made the file is in the run's own record.
    """
    import tskit

    tables = trees.dump_tables()
    tables.provenances.clear()
    part = Path(f"{path}.part")
    tables.dump(part)
    random = tskit.load(part).file_uuid.encode()
    data = part.read_bytes()
    content = hashlib.sha256(data.replace(random, b"0" * len(random))).digest()
    part.write_bytes(data.replace(random, str(uuid.UUID(bytes=content[:16], version=4)).encode()))
    os.replace(part, path)
