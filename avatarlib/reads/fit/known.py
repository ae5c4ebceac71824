"""Known variants as a mask over the reference: where a difference between read and reference may be no error."""

import re
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.variants import DELETION, SNP
from avatarlib.genomes.vcf_text import ALLELE, edits_of, info_of, lines, position_of

NO_VARIANT = {".", "*", "<*>", "<NON_REF>", "<X>"}  # says that nothing else was seen, or that another record says what
_BREAKEND = re.compile(r"[\[\]]|^\.|\.$")


def read_known(path: Path, reference: Reference) -> tuple[np.ndarray, int]:
    """Read a VCF file and mark every reference base at which one of its alleles may show.

    Marked are the whole of REF; for insertions and deletions also all places to which an aligner may move them (a base
    less in a run of one base can be any of the run) and the base before and after those; for symbolic alleles
    everything up to END. Genotypes and filters are not looked at. Records on contigs that the reference lacks and
    records without an alternative are passed over.

    Parameters
    ----------
    path
        VCF file, plain, gzip or bgzip, in any order.

    Returns
    -------
    mask, sites
        bool [bases of the reference, contigs end to end], and how many records are marked in it.

    Raises
    ------
    InputError
        No VCF, a record that is cut short, REF or position that don't fit the reference: names the line. Or there are
        records, but none on a contig of the reference.

    Examples
    --------
    >>> import tempfile
    >>> from avatarlib.genomes.fasta import join
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "v.vcf"
    ...     _ = path.write_text("##fileformat=VCFv4.3\\nc\\t2\\t.\\tCA\\tC\\t.\\t.\\t.\\n")
    ...     mask, sites = read_known(path, join(["c"], [b"GCAAATG"]))
    >>> mask.astype(int).tolist(), sites
    ([0, 1, 1, 1, 1, 1, 0], 1)
    """
    mask, sites, elsewhere = np.zeros(len(reference.bases), bool), 0, ""
    index = {name: contig for contig, name in enumerate(reference.names)}
    for number, line in lines(path):
        if not line or line[0] == "#":
            continue
        where, fields = f"{path}, line {number}", line.split("\t", 8)
        if len(fields) < 5:
            raise InputError(f"{where}: {len(fields)} columns instead of 8 or more: correct the record")
        if fields[0] not in index:
            elsewhere = elsewhere or fields[0]
            continue
        contig = index[fields[0]]
        position = position_of(where, fields, reference, contig)
        sequence = reference.sequence(contig)
        spans = [
            _span(sequence, position, fields[3].upper(), allele.upper(), fields[7] if len(fields) > 7 else "")
            for allele in fields[4].split(",")
            if allele not in NO_VARIANT
        ]
        sites += bool(spans)
        at = reference.offsets[contig]
        for first, end in spans:
            mask[at + max(first, 0) : at + min(end, len(sequence))] = True
    if elsewhere and not sites:
        raise InputError(
            f"{path}: its variants are on contigs such as {elsewhere[:50]!a}, the reference has contigs such as "
            f"{reference.names[0]!a}: give the variants of this reference"
        )
    return mask, sites


def _span(sequence: np.ndarray, position: int, ref: str, alt: str, info: str) -> tuple[int, int]:
    """Return the first base and the one behind the last at which an allele may show."""
    end = position + len(ref)
    if not ALLELE.fullmatch(alt) or not ALLELE.fullmatch(ref):
        said = info_of(info)
        stated = said.get("END", "")
        length = said.get("SVLEN", "").lstrip("-")
        if stated.isdecimal():
            end = max(end, int(stated))
        elif length.isdecimal() and not alt.startswith("<INS") and not _BREAKEND.search(alt):
            end = max(end, position + 1 + int(length))
        return position, end + 1
    if len(ref) == len(alt):
        return position, end
    edits = edits_of(position, ref, alt)
    if not edits or edits[0][3] == SNP:  # a replacement
        return position - 1, end + 1
    at, removed, allele, kind = edits[0]
    unit = sequence[at : at + removed].tobytes() if kind == DELETION else allele
    right, left = at + removed, at
    while right < len(sequence) and sequence[right] == unit[(right - at - removed) % len(unit)]:
        right += 1
    while left > 0 and sequence[left - 1] == unit[-1 - (at - left) % len(unit)]:
        left -= 1
    return min(position, left - 1), max(end, right) + 1
