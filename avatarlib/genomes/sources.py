"""References by name: the phantom genome, or a source that `data_manifests/` declares."""

from pathlib import Path

from avatarlib import manifests
from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference, read_fasta
from avatarlib.genomes.phantom import phantom_genome

PHANTOM = "phantom"


def load_reference(name: str) -> Reference:
    """Return a reference.

    Parameters
    ----------
    name
        "phantom", which needs no file, or a declared source that holds exactly one FASTA file, such as "vg_1mb1kgp".

    Raises
    ------
    InputAbsent
        The source's files are not here and can't be fetched.
    InputError
        There is no such source, or it has no sequence.

    Examples
    --------
    >>> load_reference("phantom").names
    ('chr1', 'chr2', 'chrX', 'chrM')
    """
    if name == PHANTOM:
        return phantom_genome().reference
    return read_fasta(source_file(name, ".fa.gz"))


def source_file(name: str, ending: str) -> Path:
    """Return the one file of a declared sequence source whose name has this ending, brought here and checked.

    Raises
    ------
    InputAbsent
        It is not here and can't be fetched.
    InputError
        There is no such source, or not one such file in it.
    """
    found = _named(name, ending)
    if len(found) != 1:
        raise InputError(f"source {name!r} has {len(found)} files of sequence ending in {ending}, wanted one")
    return manifests.fetch(manifests.source(name), found)[0]


def source_files(name: str, ending: str) -> list[Path]:
    """Return all files of a declared sequence source whose names have this ending; errors as in `source_file`."""
    found = _named(name, ending)
    if not found:
        raise InputError(f"source {name!r} has no file of sequence ending in {ending}")
    return manifests.fetch(manifests.source(name), found)


def _named(name: str, ending: str) -> list[str]:
    source = manifests.source(name)
    return [file for file in source.checksums if source.modality == "sequence" and file.endswith(ending)]
