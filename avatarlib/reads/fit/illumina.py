"""From counts to an Illumina profile."""

import numpy as np

from avatarlib.reads.curves import cycle_curve
from avatarlib.reads.fit import counts, estimates, qualities
from avatarlib.reads.fit.alignments import Sample
from avatarlib.reads.profile import IlluminaProfile


def illumina_profile(sample: Sample, start: IlluminaProfile, weights: np.ndarray) -> tuple[dict, dict]:
    """Return the values of an `IlluminaProfile`, and of a `Fit` what belongs to it.

    Parameters
    ----------
    start
        Has the adapters, and shares of substitutions that count where few were seen.
    weights
        As `estimates.resample` gives them.
    """
    tables = sample.tables
    totals = tables.totals.sum(1)
    rates = estimates.rates(totals, weights, counts.ALIGNED)
    events, n = tables.totals[:, :, counts.SUBSTITUTED], tables.totals[:, :, counts.ALIGNED]
    for mate in np.flatnonzero(n.sum(0)).tolist():
        rates.append(estimates.ratio(f"substitution_mate_{mate + 1}", events[:, mate], n[:, mate], weights))
    lowest, highest = estimates.range_of(tables.quality[:, :, 0].sum(0))
    mates = [
        qualities.mate(tables.cycles[mate], tables.pairs[mate], lowest, highest)
        if tables.cycles[mate, :, counts.STATED].sum()
        else None
        for mate in range(2)
    ]
    quality = {"mate_1": mates[0] or mates[1], "mate_2": mates[1] or mates[0], "lowest": lowest, "highest": highest}
    offsets, slopes, (_, slope) = estimates.lines(tables.quality, weights)
    shape = start.model_copy(update={"quality": type(start.quality)(**quality)})
    share = n.sum(0) / n.sum()
    length = qualities.reach(tables.cycles.sum(0))

    def offset(slope: float, rate: float) -> float:
        """Return the offset at which the quality model gives a mean rate."""

        def short(offset: float) -> float:
            line = type(start.calibration)(offset=offset, slope=slope)
            return rate - share @ cycle_curve(shape.model_copy(update={"calibration": line}), max(length, 2))[1].mean(1)

        return estimates.solve(short, -60, 60)

    rate = max(rates[0]["value"], 0.5 / rates[0]["n"])
    chosen = offset(slope, rate)
    rates.append(estimates.row("calibration_offset", chosen, offsets, rates[0]["n"]))
    rates.append(estimates.row("calibration_slope", slope, slopes, rates[0]["n"]))
    values = {
        "rates": {"substitution": None} | {row["name"]: estimates.short(row["value"]) for row in rates[1:3]},
        "quality": quality,
        "calibration": {"offset": round(chosen, 4), "slope": round(slope, 4)},
        "substitution": estimates.shares(tables.matrix, start.substitution),
        "adapters": start.adapters.model_dump(),
    }
    return values, {"rates": rates, "by_cycle": curve_rows(tables.cycles), "kept": ("adapters",)}


def curve_rows(cycles: np.ndarray) -> list[dict]:
    """Return mean stated quality and error rate by mate and cycle (from 1); `cycles` as in `counts.Tables`."""
    rows = []
    for mate in range(2):
        for cycle in np.flatnonzero(cycles[mate, :, counts.CALLED]).tolist():
            stated, total, _, called, wrong = cycles[mate, cycle].tolist()
            mean = total / stated if stated else None
            rows.append({"mate": mate + 1, "cycle": cycle + 1, "quality": mean, "error": wrong / called, "n": called})
    return rows
