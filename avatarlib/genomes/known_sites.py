"""Known sites with their allele frequencies instead of genealogies: real variants, each drawn for itself."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.people import copies_of
from avatarlib.genomes.placement import CODES, LETTERS, left_align
from avatarlib.genomes.variants import DELETION, INSERTION, SNP, Variants, join_variants
from avatarlib.genomes.vcf_text import ALLELE, Edit, edits_of, info_of, lines, position_of
from avatarlib.seeds import generator

Site = tuple[list[Edit], bool, tuple[float, ...]]  # what changes, is ALT the ancestor, frequency by population


def read_sites(path: Path, reference: Reference, populations: Sequence[str]) -> tuple[list[list[Site]], Counter]:
    """Read the sites of each contig of the reference, and count what can't be used, by reason.

    Of several alternative alleles the most frequent one is kept. Insertions and deletions are left-aligned.

    Parameters
    ----------
    path
        VCF file, plain, gzip or bgzip; the frequencies are in INFO, one for each alternative.
    populations
        Names whose frequency is `NAME_AF`; "" for `AF`.

    Raises
    ------
    InputError
        No VCF, no frequencies or contigs that are known, a frequency outside 0 to 1, or a REF that is not what the
        reference has: names file and line.
    """
    keys = [f"{name}_AF" if name else "AF" for name in populations]
    index = {name: contig for contig, name in enumerate(reference.names)}
    codes = [CODES[reference.sequence(contig)] for contig in range(len(reference))]
    sites: list[list[Site]] = [[] for _ in reference.names]
    left_out, seen, records = Counter(), set(), 0
    for number, line in lines(path):
        if line.startswith("#") or not line:
            continue
        where, fields = f"{path}, line {number}", line.split("\t", 8)
        if len(fields) < 8:
            raise InputError(f"{where}: {len(fields)} columns instead of 8 or more: correct the record")
        records += 1
        info = info_of(fields[7])
        seen |= info.keys()
        if fields[0] not in index:
            left_out["sites of contigs that the reference hasn't"] += 1
            continue
        contig = index[fields[0]]
        reason = _take(where, fields, info, keys, reference, contig, codes[contig], sites[contig])
        if reason:
            left_out[reason] += 1
    if not records:
        raise InputError(f"{path}: no sites: give a VCF with records")
    if not any(sites) and not set(keys) <= seen:
        known = sorted(key[:-3] for key in seen if key.endswith("_AF")) + ["none, for AF"] * ("AF" in seen)
        raise InputError(f"{path}: no frequencies {', '.join(keys)}: populations are {', '.join(known) or 'missing'}")
    if not any(sites):
        why = ", ".join(f"{n} {what}" for what, n in left_out.items())
        raise InputError(f"{path}: no site can be used ({why}): use the reference and populations of the VCF")
    return sites, left_out


def _take(
    where: str,
    fields: list[str],
    info: dict[str, str],
    keys: list[str],
    reference: Reference,
    contig: int,
    codes: np.ndarray,
    sites: list[Site],
) -> str:
    """Add the site of a record to `sites`, or return why it can't be."""
    position = position_of(where, fields, reference, contig)
    ref, alternatives = fields[3].upper(), fields[4].upper().split(",")
    if not ALLELE.fullmatch(ref):
        return "sites on unknown bases"
    frequencies = [_frequencies(where, info.get(key, "."), key, len(alternatives)) for key in keys]
    if any(f is None for f in frequencies):
        return "sites without frequency"
    best = max(range(len(alternatives)), key=lambda k: sum(f[k] for f in frequencies))
    alt = alternatives[best]
    if not ALLELE.fullmatch(alt):
        return "sites with symbolic alleles"
    edits = edits_of(position, ref, alt)
    if not edits:
        return "sites with complex alleles"
    if edits[0][3] != SNP:
        edits = [_aligned(edits[0], codes)]
        if edits[0][0] < 1 or codes[edits[0][0] - 1] > 3:
            return "sites at the edge of known sequence"
    # The 1000 Genomes write AA=A||| with a small letter where they are less sure.
    ancestral = info.get("AA", "").split("|")[0].upper()
    sites.append((edits, ancestral == alt, tuple(f[best] for f in frequencies)))
    return ""


def _frequencies(where: str, text: str, key: str, several: int) -> list[float] | None:
    """Frequency of each alternative; None where there is none."""
    if "." in text.split(","):
        return None
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        values = [math.nan]
    if not all(0 <= value <= 1 for value in values) or len(values) != several:
        raise InputError(f"{where}: {key}={text[:50]}: expected a number from 0 to 1 for each alternative: correct it")
    return values


def _aligned(edit: Edit, codes: np.ndarray) -> Edit:
    position, removed, allele, kind = edit
    bases = CODES[np.frombuffer(allele, np.uint8)]
    position = int(left_align(codes, position, removed or len(allele), bases, 0))
    return position, removed, LETTERS[bases].tobytes(), kind


def draw_sites(
    sites: Sequence[Site], name: str, donors: Sequence[int], sexes: Sequence[str], length: int, seed: int
) -> tuple[Variants, tuple[tuple[int, int], ...], int]:
    """Draw genotypes of one contig: each copy carries each site's alternative with its population's frequency.

    Parameters
    ----------
    donors
        For each donor the number of the population, as in the frequencies of `sites`.
    length
        Of the contig in bases.
    seed
        `mutation_seed`.

    Returns
    -------
    Variants that somebody carries; the copies; how many were left out because they overlap an earlier one.
    """
    copies = copies_of(name, sexes)
    frequencies = np.array([site[2] for site in sites]).reshape(len(sites), max(donors) + 1)
    chances = frequencies[:, [donors[donor] for donor, _ in copies]]
    # Row after row a copy: more donors change nothing for the others.
    drawn = generator(seed, "known_sites", name).random((len(copies), len(sites))).T < chances
    taken, kept, overlapping = np.zeros(length + 1, bool), [], 0
    for site in np.flatnonzero(drawn.any(axis=1)).tolist():
        edits = sites[site][0]
        gap = edits[0][3] in (INSERTION, DELETION)
        span = slice(edits[0][0] - gap, edits[-1][0] + edits[-1][1] + gap)
        if taken[span].any():
            overlapping += 1
            continue
        taken[span] = True
        kept += [(edit, sites[site][1], site) for edit in edits]
    kept.sort(key=lambda row: row[0][0])
    genotypes = drawn[[site for *_, site in kept]].astype(np.int8).reshape(len(kept), len(copies))
    return join_variants([e for e, *_ in kept], [d for _, d, _ in kept], genotypes), copies, overlapping
