"""The error model of long reads (ONT, HiFi): a profile turned into tables whose mean rates are those asked for."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.bases import ACGT, CODE, COMPLEMENT, others
from avatarlib.reads.streams import begin, key, normal

QUANTILES = 4097
TRACK = 1 << 16  # positions of the local error level, read from a random place on
_MOST_WRONG, _MOST_DELETED = 0.9, 0.6  # at one base
_ROUNDS = 6


class Model(NamedTuple):
    """What the error kernel needs: mean rates per molecule base (substitution, inserted bases, deleted bases), mean
    lengths of insertions and deletions, factors by 3-mer [64] and homopolymer run, of reads by quantile, and of places
    by `track`; the line from stated to true quality, the stated qualities' range."""

    rates: np.ndarray
    lengths: np.ndarray
    context: np.ndarray
    run_insertion: np.ndarray
    run_deletion: np.ndarray
    reads: np.ndarray
    track: np.ndarray
    others: np.ndarray
    quality: np.ndarray


@njit(cache=True)
def _local_level(stream, sd, correlation, n):
    """Return n factors of mean about one: decibels that follow an AR(1) process."""
    out = np.empty(n)
    state = begin(stream, 0)
    state, local = normal(state)
    fresh = math.sqrt(1 - correlation * correlation)
    for k in range(n):
        out[k] = 10.0 ** (sd * local / 10.0)
        state, z = normal(state)
        local = correlation * local + fresh * z
    return out


@njit(cache=True)
def homopolymer_runs(template, n, run):
    """Write the length of the homopolymer that each base lies in."""
    k = 0
    while k < n:
        end = k + 1
        while end < n and template[end] == template[k]:
            end += 1
        for j in range(k, end):
            run[j] = end - k
        k = end


@njit(cache=True)
def _composition(bases, longest, words, runs):
    """Count 3-mers by centre base, on both strands, and bases by the length of their run."""
    run = np.empty(len(bases), np.int64)
    homopolymer_runs(bases, len(bases), run)
    for k in range(len(bases)):
        if bases[k] != ACGT[CODE[bases[k]]]:
            continue
        runs[min(run[k], longest)] += 1
        if 0 < k < len(bases) - 1:
            words[16 * CODE[bases[k - 1]] + 4 * CODE[bases[k]] + CODE[bases[k + 1]]] += 1
            words[
                16 * CODE[COMPLEMENT[bases[k + 1]]] + 4 * CODE[COMPLEMENT[bases[k]]] + CODE[COMPLEMENT[bases[k - 1]]]
            ] += 1


def build_model(profile, errors, bases: np.ndarray) -> Model:
    """Turn a long-read profile into the kernel's tables; factors have mean one over `bases`, the references' sequence.

    Parameters
    ----------
    profile
        A `LongProfile`.
    errors
        The `errors` block of the configuration.
    bases
        uint8 ASCII, a sample of what is sequenced.
    """
    rates = np.array(
        [
            (getattr(profile.rates, name) if asked is None else asked) * errors.scale
            for name, asked in (
                ("substitution", errors.substitution),
                ("insertion", errors.insertion),
                ("deletion", errors.deletion),
            )
        ]
    )
    longest = profile.homopolymer.longest
    words, runs = np.zeros(64, np.int64), np.zeros(longest + 1, np.int64)
    _composition(bases, longest, words, runs)
    context = np.ones(64)
    for word, factor in profile.context.items():
        context[16 * "ACGT".index(word[0]) + 4 * "ACGT".index(word[1]) + "ACGT".index(word[2])] = factor
    context /= (context @ words) / words.sum()
    steps = np.maximum(np.arange(longest + 1) - profile.homopolymer.first + 1, 0)
    by_run = []
    for slope in (profile.homopolymer.insertion, profile.homopolymer.deletion):
        factor = 1 + slope * errors.homopolymer * steps
        by_run.append(factor / ((factor @ runs) / runs.sum()))
    track = _local_level(key(errors.seed, "local level"), profile.quality.sd, profile.quality.correlation, TRACK)
    follows = errors.quality == "calibrated" and errors.scale > 0
    asked = rates.sum() / max(sum(profile.rates.model_dump().values()), 1e-12)
    line = [profile.calibration.offset, profile.calibration.slope, errors.quality_offset]
    line += [
        profile.quality.lowest,
        max(profile.quality.highest, 60 if follows else 0),
        1 if follows else max(asked, 1e-12),
    ]
    lengths = np.array([profile.indel_length.insertion, profile.indel_length.deletion])
    track, reads = track / track.mean(), _read_factors(profile, errors, rates)
    return Model(
        rates=_met(rates, lengths, reads, track, context, words, np.array(by_run), runs),
        lengths=lengths,
        context=context,
        run_insertion=by_run[0],
        run_deletion=by_run[1],
        reads=reads,
        track=track,
        others=others(profile.substitution),
        quality=np.array(line, float),
    )


def _read_factors(profile, errors, rates: np.ndarray) -> np.ndarray:
    """Return quantiles of the factor by which a read's error rates exceed the mean: beta identities, or passes."""
    from scipy import special

    u = (np.arange(QUANTILES) + 0.5) / QUANTILES
    if profile.passes is not None:
        shape = (profile.passes.mean / profile.passes.sd) ** 2
        passes = special.gammaincinv(shape, u) * profile.passes.mean / shape
        passes = np.maximum(np.round(passes), profile.passes.fewest)
        factor = 10 ** (-(passes - profile.passes.mean) * profile.passes.decibel / 10)
        return factor[::-1] / factor.mean()
    total = rates.sum()
    sd = profile.identity.sd if errors.identity_sd is None else errors.identity_sd
    if total == 0 or sd == 0:
        return np.ones(QUANTILES)
    s, i, d = rates / total
    mean = (1 - (s + d) * total) / (1 + i * total)
    sd = min(sd * (min(errors.scale, 1) if errors.identity_sd is None else 1), 0.95 * math.sqrt(mean * (1 - mean)))
    shape = mean * (1 - mean) / sd**2 - 1
    identity = np.minimum(special.betaincinv(mean * shape, (1 - mean) * shape, u), profile.identity.highest)
    error = (1 - identity) / (s + d + i * identity)
    return error[::-1] / error.mean()


@njit(cache=True, inline="always")
def chances(substituted, inserted, deleted, lengths):
    """Return the chances that a substitution, an insertion, a deletion begins at a base, from the bases of each wanted
    per base. Bases within a deletion can't begin an event, so the others must begin more."""
    more = lengths[1] - 1.0
    deleted = min(deleted, _MOST_DELETED)
    start = deleted / (lengths[1] - deleted * more)
    p_s = substituted * (1.0 + start * more)
    p_i = inserted * (1.0 + start * more) / lengths[0]
    total = p_s + p_i + start
    if total > _MOST_WRONG:
        return p_s * _MOST_WRONG / total, p_i * _MOST_WRONG / total, start * _MOST_WRONG / total
    return p_s, p_i, start


@njit(cache=True)
def _expected(rates, lengths, reads, track, contexts, context_shares, by_run, run_shares):
    """Return the mean rates that come of `rates` where no place can be wrong more often than always."""
    out = np.zeros(3)
    more = lengths[1] - 1.0
    for factor in reads:
        for local in track:
            level = factor * local
            for r in range(len(run_shares)):
                for c in range(len(contexts)):
                    p_s, p_i, start = chances(
                        rates[0] * level * contexts[c],
                        rates[1] * level * by_run[0, r],
                        rates[2] * level * by_run[1, r],
                        lengths,
                    )
                    share = run_shares[r] * context_shares[c] / (1.0 + start * more)
                    out[0] += share * p_s
                    out[1] += share * p_i * lengths[0]
                    out[2] += share * start * lengths[1]
    return out / (len(reads) * len(track))


def _met(rates: np.ndarray, lengths: np.ndarray, reads: np.ndarray, track: np.ndarray, context, words, by_run, runs):
    """Return the rates to ask for so that the mean ones come out as `rates`, unless that is impossible."""
    sums = [np.bincount(np.unique(context, return_inverse=True)[1], words), np.unique(context)]
    shares, values = sums[0] / sums[0].sum(), sums[1]
    few = reads[len(reads) // 256 :: len(reads) // 128], np.sort(track)[len(track) // 512 :: len(track) // 256]
    few = [part * whole.mean() / part.mean() for part, whole in zip(few, (reads, track), strict=True)]
    asked = rates.copy()
    for _ in range(_ROUNDS):
        got = _expected(asked, lengths, *few, values, shares, by_run, runs / runs.sum())
        asked = np.where(got > 0, asked * rates / np.maximum(got, 1e-300), asked)
    return asked


def length_quantiles(profile, mean: float | None, sd: float | None) -> np.ndarray:
    """Return evenly spaced quantiles of molecules' lengths, float64 [QUANTILES]: gamma."""
    from scipy import special

    mean, sd = mean or profile.length.mean, profile.length.sd if sd is None else sd
    if sd == 0:
        return np.full(QUANTILES, float(mean))
    shape = (mean / sd) ** 2
    u = np.linspace(0, 1, QUANTILES)
    u[-1] = 1 - 0.25 / QUANTILES  # the last quantile is infinite
    return special.gammaincinv(shape, u) * mean / shape
