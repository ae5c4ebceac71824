"""The yardstick: a read is human where enough of its minimizers are among those of the reference.

A minimizer is the k-mer with the smallest hash among w neighbours (Roberts et al. 2004); w = 1 takes every k-mer.
A k-mer and its reverse complement are one. K-mers with anything but A, C, G, T are left out.
"""

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.reads.bases import CODE
from avatarlib.reads.kernel import kernel
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Remover

VALID = np.zeros(256, np.bool_)
VALID[np.frombuffer(b"ACGT", np.uint8)] = True
PIECE = 1 << 22  # bases of a contig that are hashed at once
LONGEST_K = 31


@kernel
def _mix(x):
    """Spread the bits of a k-mer over 64: a bijection, so no two k-mers of up to 32 bases share a hash."""
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _hashes(bases, k, out):
    """Write the hash of the k-mer that begins at each base, 0 where there is none; return how many places there are."""
    mask = (np.uint64(1) << np.uint64(2 * k)) - np.uint64(1)
    high = np.uint64(2 * (k - 1))
    forward = backward = np.uint64(0)
    good = 0
    for i in range(len(bases)):
        base = bases[i]
        code = np.uint64(CODE[base])
        forward = ((forward << np.uint64(2)) | code) & mask
        backward = (backward >> np.uint64(2)) | ((np.uint64(3) - code) << high)
        good = good + 1 if VALID[base] else 0
        if i >= k - 1:
            least = forward if forward < backward else backward
            # The all-A k-mer hashes to 0, which means none here: it is no evidence for anything anyway.
            out[i - k + 1] = _mix(least) if good >= k else np.uint64(0)
    return max(0, len(bases) - k + 1)


@kernel
def _minimizers(hashes, n, w, out):
    """Write the minimizers of n places, each once where windows share it; return how many there are."""
    found, last, best = 0, -1, -1
    for i in range(n):
        if hashes[i] != 0 and (best < 0 or hashes[i] <= hashes[best]):
            best = i
        if best >= 0 and best <= i - w:
            best = -1
            for j in range(i - w + 1, i + 1):
                if hashes[j] != 0 and (best < 0 or hashes[j] <= hashes[best]):
                    best = j
        if i >= w - 1 and best >= 0 and best != last:
            out[found] = hashes[best]
            found += 1
            last = best
    # A read with fewer places than a window has the best of what there is.
    if n < w and best >= 0:
        out[0] = hashes[best]
        found = 1
    return found


@kernel
def _insert(table, hashes):
    mask = np.uint64(len(table) - 1)
    for h in hashes:
        at = h & mask
        while table[at] != 0 and table[at] != h:
            at = (at + np.uint64(1)) & mask
        table[at] = h


@kernel
def _held(table, h):
    mask = np.uint64(len(table) - 1)
    at = h & mask
    while table[at] != 0:
        if table[at] == h:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@kernel
def _count(bases, offsets, k, w, table, hashes, mins, out):
    """Write for each read how many minimizers it has and how many of them the table holds."""
    for r in range(len(offsets) - 1):
        n = _hashes(bases[offsets[r] : offsets[r + 1]], k, hashes)
        several = _minimizers(hashes, n, w, mins)
        out[r, 0] = several
        out[r, 1] = 0
        for i in range(several):
            if _held(table, mins[i]):
                out[r, 1] += 1


@kernel
def _mark(hashes, n, k, table, out):
    """Mark the bases that lie in a k-mer which the table holds."""
    until = 0
    for i in range(n):
        if hashes[i] != 0 and _held(table, hashes[i]):
            for j in range(max(i, until), i + k):
                out[j] = True
            until = i + k


def minimizer_table(reference: Reference, *, k: int, w: int) -> np.ndarray:
    """Return the minimizers of a reference as a hash table, uint64 [a power of two], at most half full; 0: free.

    Raises
    ------
    InputError
        k or w is out of range, or no contig has k bases without N.
    """
    if not 5 <= k <= LONGEST_K or not 1 <= w <= 255:
        raise InputError(f"k is {k} and w is {w}: k may be 5 to {LONGEST_K}, w 1 to 255")
    hashes, mins = np.empty(PIECE, np.uint64), np.empty(PIECE, np.uint64)
    parts = []
    for contig in range(len(reference)):
        sequence = reference.sequence(contig)
        for start in range(0, len(sequence), PIECE - k - w):  # pieces overlap, so that no window is lost
            n = _hashes(sequence[start : start + PIECE], k, hashes)
            parts.append(np.unique(mins[: _minimizers(hashes, n, w, mins)]))
    every = np.unique(np.concatenate(parts))
    if not len(every):
        raise InputError(f"the reference has no {k} bases in a row without N: give one that has")
    table = np.zeros(1 << int(2 * len(every) - 1).bit_length(), np.uint64)
    _insert(table, every)
    return table


def fit(
    reference: Reference, *, name: str = "kmer", k: int = 31, w: int = 15, least: int = 2, share: float = 0.01
) -> Remover:
    """Fit the yardstick.

    Parameters
    ----------
    k, w
        Bases of a k-mer; neighbours of which the smallest is taken.
    least
        Minimizers that a read must share with the reference to have a score above 0.
    share
        Threshold: share of a read's minimizers above which it is human.

    Examples
    --------
    >>> from avatarlib.genomes.fasta import join
    >>> from avatarlib.removal.reads import batch_of
    >>> one = join(["chr1"], [b"ACGTTGCATTGACCGATAGGCTA"])
    >>> fit(one, k=11, w=1).classify(batch_of([b"r"], [b"TAGCCTATCGGTCAATGC"], [])).score.tolist()
    [1.0]
    """
    table = minimizer_table(reference, k=k, w=w)

    def scores(batch: Batch) -> np.ndarray:
        longest = int(np.diff(batch.offsets).max(initial=0)) + 1
        hashes, mins = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
        counts = np.empty((len(batch.offsets) - 1, 2), np.int64)
        _count(batch.bases, batch.offsets, k, w, table, hashes, mins, counts)
        found = np.where(counts[:, 1] >= least, counts[:, 1], 0)
        return found / np.maximum(counts[:, 0], 1)

    from avatarlib import __version__

    command = f"minimizers k={k} w={w}, at least {least} and more than {share:g} of a read's"
    meaning = "share of the read's minimizers that the reference has"
    return Remover(name, "avatarlib", __version__, command, meaning, share, 1 << 62, scores)


def mask_shared(reference: Reference, others: list[Reference], *, k: int = 21) -> tuple[Reference, int]:
    """Replace by N what a reference shares with other genomes, so that these are not taken for it.

    Returns
    -------
    The masked reference, and the number of bases masked: all that lie in a k-mer which one of `others` has.
    """
    from avatarlib.genomes.fasta import join

    both = join(
        [f"{n}:{name}" for n, other in enumerate(others) for name in other.names],
        [other.sequence(contig) for other in others for contig in range(len(other))],
    )
    table = minimizer_table(both, k=k, w=1)
    masked = []
    for contig in range(len(reference)):
        sequence = reference.sequence(contig).copy()
        hashes, shared = np.empty(len(sequence), np.uint64), np.zeros(len(sequence), np.bool_)
        _mark(hashes, _hashes(sequence, k, hashes), k, table, shared)
        sequence[shared] = ord("N")
        masked.append(sequence)
    result = join(reference.names, masked)
    return result, int((result.bases != reference.bases).sum())
