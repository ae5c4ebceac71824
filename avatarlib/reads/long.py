"""Long reads (ONT, HiFi): base by base, with identity by read, context, homopolymers and a local error level.

The stated quality of a base is the probability with which it was read wrong, so qualities and errors agree because one
is made from the other.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.bases import ACGT, CODE, COMPLEMENT, other_base, others, put_name
from avatarlib.reads.batch import DELETION, INSERTION, SUBSTITUTION, Batch
from avatarlib.reads.streams import SPREAD_IDENTITY, begin, below, key, mix, normal, uniform

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
def _runs(template, n, run):
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
    _runs(bases, len(bases), run)
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
    line += [profile.quality.lowest, max(profile.quality.highest, 60 if follows else 0), 1 if follows else max(asked, 1e-12)]
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
def _chances(substituted, inserted, deleted, lengths):
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
                    p_s, p_i, start = _chances(
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


@njit(cache=True)
def _fill(lib, molecules, i, number, junk, template):
    """Write the molecule, read by read direction, all its parts; return its length."""
    n = 0
    for part in range(molecules.parts[i]):
        copy, size = molecules.copy[i, part], molecules.size[i, part]
        if copy < 0:
            for t in range(size):
                state, k = below(begin(junk, (number << 24) + t), 4)
                template[n + t] = ACGT[k]
        else:
            at = lib.copy_at[copy] + molecules.left[i, part]
            if molecules.reverse[i, part]:
                for t in range(size):
                    template[n + t] = COMPLEMENT[lib.hap[at + size - 1 - t]]
            else:
                for t in range(size):
                    template[n + t] = lib.hap[at + t]
        n += size
    return n


@njit(cache=True)
def _phred(wrong, line, factor):
    """Return the ASCII quality that is stated where a base is wrong with probability `wrong`."""
    true = -10.0 * math.log10(max(wrong / factor, 1e-9))
    stated = (true - line[0]) / line[1] + line[2]
    return int(round(min(max(stated, line[3]), line[4]))) + 33


@njit(cache=True)
def _read(lib, model, molecules, first, stream, turn, junk, batch, template, run, quality):
    text, at, errors_at = batch.text_1, 0, 0
    line = model.quality
    longest = len(model.run_deletion) - 1
    for i in range(len(molecules.kind)):
        n = _fill(lib, molecules, i, first + i, junk, template)
        _runs(template, n, run)
        text[at] = 64
        at = put_name(text, at + 1, first + i)
        text[at] = 10
        sequence = at + 1
        state = begin(stream, first + i)
        u = (turn + (first + i) * SPREAD_IDENTITY) % 1.0
        factor = model.reads[int(u * len(model.reads))]
        state, place = below(state, len(model.track))
        # Nothing is deleted at either end of a part or inserted at its last base; the others make up for it.
        ends = n - 2 * molecules.parts[i]
        s = model.rates[0] * factor
        ins = model.rates[1] * factor * (n / (ends + 1) if ends > 0 else 0.0)
        dele = model.rates[2] * factor * (n / ends if ends > 0 else 0.0)
        batch.error_at[i] = errors_at
        batch.part_end[i] = 0
        border = molecules.size[i, 0]
        recorded = molecules.copy[i, 0] >= 0
        m, t = 0, 0
        while t < n:
            if t == border:
                batch.part_end[i] = m
            local = model.track[(place + t) % len(model.track)]
            word = 16 * CODE[template[t - 1]] + 4 * CODE[template[t]] + CODE[template[t + 1]] if 0 < t < n - 1 else 0
            context = model.context[word] if 0 < t < n - 1 else 1.0
            r = min(run[t], longest)
            p_s, p_i, start = _chances(
                s * local * context, ins * local * model.run_insertion[r], dele * local * model.run_deletion[r], model.lengths
            )
            wrong = (p_s + p_i * model.lengths[0]) / (1.0 + p_i * model.lengths[0] - start)
            stated = _phred(wrong, line, line[5])
            state, v = uniform(state)
            first_of_part = t == 0 or t == border
            last_of_part = t == n - 1 or t == border - 1
            if v < start and not first_of_part and not last_of_part:
                end = n - 1 if t > border else border - 1
                while True:
                    if recorded:
                        batch.error_position[errors_at], batch.error_t[errors_at] = m, t
                        batch.error_kind[errors_at], batch.error_base[errors_at] = DELETION, 0
                        errors_at += 1
                    t += 1
                    state, w = uniform(state)
                    if t >= end or w * model.lengths[1] < 1.0:
                        break
                continue
            base = template[t]
            if start <= v < start + p_s:
                state, w = uniform(state)
                base = other_base(base, w, model.others)
                if recorded:
                    batch.error_position[errors_at], batch.error_t[errors_at] = m, t
                    batch.error_kind[errors_at], batch.error_base[errors_at] = SUBSTITUTION, base
                    errors_at += 1
            text[sequence + m], quality[m] = base, stated
            m += 1
            if start + p_s <= v < start + p_s + p_i and not last_of_part:
                while True:
                    state, w = uniform(state)
                    # In a homopolymer the base that is read once too often is the homopolymer's.
                    base = template[t] if run[t] > 2 else ACGT[int(w * 4)]
                    text[sequence + m], quality[m] = base, stated
                    if recorded:
                        batch.error_position[errors_at], batch.error_t[errors_at] = m, t
                        batch.error_kind[errors_at], batch.error_base[errors_at] = INSERTION, base
                        errors_at += 1
                    m += 1
                    state, w = uniform(state)
                    if w * model.lengths[0] < 1.0:
                        break
            t += 1
        at = sequence + m
        text[at], text[at + 1], text[at + 2] = 10, 43, 10
        for k in range(m):
            text[at + 3 + k] = quality[k]
        batch.sequence_at[i], batch.quality_at[i], batch.length[i] = sequence, at + 3, m
        at += 3 + m
        text[at] = 10
        at += 1
        batch.tail[i] = m if recorded else 0
        if molecules.parts[i] == 1 or not recorded:
            batch.part_end[i] = m
        for part in range(molecules.parts[i]):
            batch.used[i, part] = molecules.size[i, part]
    batch.error_at[len(molecules.kind)] = errors_at
    return at, errors_at


@njit(cache=True)
def _twins(lib, molecules, first, junk, template, text):
    """Write the error-free twins, the molecules as they are; return the bytes written."""
    at = 0
    for i in range(len(molecules.kind)):
        n = _fill(lib, molecules, i, first + i, junk, template)
        text[at] = 64
        at = put_name(text, at + 1, first + i)
        text[at] = 10
        for k in range(n):
            text[at + 1 + k] = template[k]
            text[at + 4 + n + k] = 73
        text[at + 1 + n], text[at + 2 + n], text[at + 3 + n], text[at + 4 + 2 * n] = 10, 43, 10, 10
        at += 5 + 2 * n
    return at


def identity_turn(stream: np.uint64) -> float:
    """Return where in [0, 1) the even spread of identities begins for a stream."""
    return float(np.uint64(mix(np.uint64(stream))) >> np.uint64(11)) / 2.0**53


def read_long(library, model: Model, molecules, first: int, stream: np.uint64, junk: np.uint64, batch: Batch):
    """Sequence molecules number `first` … into `batch`; return bytes of FASTQ and the number of errors."""
    longest = int(molecules.size.sum(1, where=np.arange(2) < molecules.parts[:, None]).max(initial=0))
    template, run = np.empty(longest + 1, np.uint8), np.empty(longest + 1, np.int64)
    quality = np.empty(4 * longest + 1000, np.uint8)
    turn = identity_turn(stream)
    return _read(
        library, model, molecules, np.int64(first), stream, turn, junk, batch, template, run, quality
    )


def twins(library, molecules, first: int, junk: np.uint64) -> np.ndarray:
    """Return the FASTQ text of the molecules as they are, uint8; every quality is 40."""
    sizes = molecules.size.sum(1, where=np.arange(2) < molecules.parts[:, None])
    template, text = np.empty(int(sizes.max()) + 1, np.uint8), np.empty(int(2 * sizes.sum() + 17 * len(sizes)), np.uint8)
    return text[: _twins(library, molecules, np.int64(first), junk, template, text)]


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
