"""The cone's exam on people: tables A and B of the privacy method.

A. τ from real re-captures: what share of new people is flagged when a given share of re-captures is?
B. τ from deliberate transformations alone: are test people's transformed images, images transformed by a recipe that
   was never used, and real re-captures caught, and what share of new people is flagged?
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avatarlib import fingerprints
from avatarlib.cone.calibration import conformal_threshold, largest_by_person
from avatarlib.cone.material import Bench, split_people
from avatarlib.cone.score import NEIGHBOURS, caught, flagged, local_scale, score
from avatarlib.seeds import generator


@dataclass(frozen=True)
class Views:
    """Distances of a set of query images to the gallery, as they are and mirrored; person of each; judgeable or not."""

    plain: np.ndarray
    mirrored: np.ndarray | None
    persons: np.ndarray
    judgeable: np.ndarray | None

    def scores(self, scale: np.ndarray, b: float, rule: str) -> np.ndarray:
        """(c,) scores, NaN where not judgeable."""
        views = (self.plain,) if self.mirrored is None else (self.plain, self.mirrored)
        return score(*views, scale=scale, b=b, rule=rule, judgeable=self.judgeable).score


def _views(fp, gallery, raw, raw_mirrored, rows, persons, mirror, third_verdict) -> Views:
    features = fp.transform(raw[rows])
    return Views(
        plain=fp.distances(features, gallery),
        mirrored=fp.distances(fp.transform(raw_mirrored[rows]), gallery) if mirror else None,
        persons=persons[rows],
        judgeable=features.judgeable if third_verdict else None,
    )


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return the error rate at which as many genuine pairs are rejected as impostor pairs accepted.

    Examples
    --------
    >>> equal_error_rate(np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    0.0
    """
    cuts = np.sort(np.concatenate([genuine, impostor]))
    missed = 1 - np.searchsorted(np.sort(genuine), cuts, side="right") / len(genuine)
    false = np.searchsorted(np.sort(impostor), cuts, side="right") / len(impostor)
    at = int(np.argmin(abs(missed - false)))
    return float((missed[at] + false[at]) / 2)


def examine_split(
    bench: Bench,
    name: str,
    groups: Mapping[str, np.ndarray],
    *,
    mirror: bool,
    third_verdict: bool,
    levels_a: Sequence[float] = (0.95, 0.98, 0.99, 0.995, 1.0),
    levels_b: Sequence[float] = (0.95, 0.99),
    settings: Sequence[tuple[float, int, str]] = ((0.0, NEIGHBOURS, "nearest"), (1.0, NEIGHBOURS, "nearest")),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one split with one fingerprint.

    Table A's gallery holds the reference captures of the calibration and test people (the whitening never saw them);
    table B's gallery holds those of the learning people too, as a release does.

    Parameters
    ----------
    name
        A name that `fingerprints.make` knows.
    settings
        Triples (b, k, rule).

    Returns
    -------
    Two frames, one row for each setting and level. Shares are of images except those called *people*.
    """
    persons = bench.table.person.to_numpy()
    is_in = {role: np.isin(persons, group) for role, group in groups.items()}
    reference = bench.reference
    version_persons = persons[bench.version_of]
    learn_versions = np.isin(version_persons, groups["learn"])
    learn_rows = np.flatnonzero(is_in["learn"] & reference)
    material = bench.captures[learn_rows] + bench.versions[np.flatnonzero(learn_versions)]
    fp = fingerprints.make(name)
    fp.fit(material, groups=np.concatenate([learn_rows, bench.version_of[learn_versions]]))

    known = is_in["calibrate"] | is_in["test"]
    gallery_rows = np.concatenate([np.flatnonzero(known & reference), learn_rows])
    only_known = np.arange(int((known & reference).sum()))
    gallery = fp.transform(bench.captures[gallery_rows])
    between = fp.distances(gallery, gallery)

    def views(raw, raw_mirrored, mask, of) -> Views:
        return _views(fp, gallery, raw, raw_mirrored, np.flatnonzero(mask), of, mirror, third_verdict)

    captures = (bench.captures, bench.captures_mirrored)
    versions = (bench.versions, bench.versions_mirrored)
    again = views(*captures, known & ~reference, persons)
    new = views(*captures, is_in["new"], persons)
    calibrate = views(*versions, np.isin(version_persons, groups["calibrate"]), version_persons)
    test = views(*versions, np.isin(version_persons, groups["test"]), version_persons)
    unseen_persons = persons[bench.unseen_of]
    unseen = (bench.unseen, bench.unseen_mirrored)
    unseen = views(*unseen, np.isin(unseen_persons, groups["test"]), unseen_persons)
    again_test = np.isin(again.persons, groups["test"])

    sides = bench.table.side.to_numpy()
    same_eye = (persons[gallery_rows][None] == again.persons[:, None]) & (
        sides[gallery_rows][None] == sides[known & ~reference][:, None]
    )
    other = persons[gallery_rows][None] != again.persons[:, None]
    eer = equal_error_rate(again.plain[same_eye], again.plain[:, only_known][other[:, only_known]])

    rows_a, rows_b = [], []
    for b, k, rule in settings:
        shared = {"fingerprint": name, "b": b, "k": k, "rule": rule}
        scale = local_scale(between[np.ix_(only_known, only_known)], persons[gallery_rows[only_known]], k)
        s_again, s_new = (_restrict(v, only_known).scores(scale, b, rule) for v in (again, new))
        ranked = np.sort(s_again[~np.isnan(s_again)])
        for level in levels_a:
            threshold = ranked[max(0, int(np.ceil(round(level * len(ranked), 9))) - 1)]
            rows_a.append(
                shared
                | {"recall": level, "tau": threshold, "new_flagged": flagged(s_new, threshold).mean(), "eer": eer}
                | {"new_not_judgeable": np.isnan(s_new).mean(), "recaptures_not_judgeable": np.isnan(s_again).mean()}
            )
        scale = local_scale(between, persons[gallery_rows], k)
        sets = (calibrate, test, unseen, new, again)
        s_cal, s_test, s_unseen, s_new, s_again = (v.scores(scale, b, rule) for v in sets)
        for level in levels_b:
            per_person = largest_by_person(s_cal, calibrate.persons)
            for unit, material in (("image", s_cal), ("person", per_person)):
                threshold = conformal_threshold(material, 1 - level)
                missed = {p for p, c in zip(test.persons, caught(s_test, threshold), strict=True) if not c}
                rows_b.append(
                    shared
                    | {"unit": unit, "nominal": level, "tau": threshold, "n_calibration": int(len(material))}
                    | {"tau_out_of_reach": float(np.isinf(threshold))}
                    | {
                        "transformed_caught": caught(s_test, threshold).mean(),
                        "unseen_caught": caught(s_unseen, threshold).mean(),
                        "people_covered": 1 - len(missed) / len(np.unique(test.persons)),
                        "new_flagged": flagged(s_new, threshold).mean(),
                        "recaptures_caught": caught(s_again[again_test], threshold).mean(),
                        "new_not_judgeable": np.isnan(s_new).mean(),
                        "transformed_not_judgeable": np.isnan(s_test).mean(),
                        "recaptures_not_judgeable": np.isnan(s_again[again_test]).mean(),
                    }
                )
    return pd.DataFrame(rows_a), pd.DataFrame(rows_b)


def _restrict(views: Views, columns: np.ndarray) -> Views:
    mirrored = None if views.mirrored is None else views.mirrored[:, columns]
    return Views(views.plain[:, columns], mirrored, views.persons, views.judgeable)


def tables(
    bench: Bench,
    names: Sequence[str],
    *,
    splits: Sequence[int],
    sizes: Mapping[str, int],
    reserved: Sequence = (),
    progress: Callable[[float], None] | None = None,
    **options,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run `examine_split` for every fingerprint and split seed; a column `split` is added. `options` go through."""
    parts_a, parts_b = [], []
    for done, seed in enumerate(splits, start=1):
        groups = split_people(bench.table.person, seed, sizes, reserved)
        for name in names:
            a, b = examine_split(bench, name, groups, **options)
            parts_a.append(a.assign(split=seed))
            parts_b.append(b.assign(split=seed))
        if progress:
            progress(done / len(splits))
    return pd.concat(parts_a, ignore_index=True), pd.concat(parts_b, ignore_index=True)


def summarise(results: pd.DataFrame, by: Sequence[str], columns: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Mean over splits, its 95 % interval when splits are drawn again, and the least and largest split.

    Splits share people, so the interval speaks of the choice of split, not of other populations.
    """

    def one(part: pd.DataFrame) -> pd.Series:
        out = {}
        for column in columns:
            values = part[column].to_numpy(dtype=float)
            drawn = generator(seed, "summary").integers(len(values), size=(2000, len(values)))
            low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
            out |= {column: values.mean(), f"{column}_low": low, f"{column}_high": high}
            out |= {f"{column}_least": values.min(), f"{column}_most": values.max()}
        return pd.Series(out | {"splits": len(part)})

    return results.groupby(list(by), sort=False)[list(columns)].apply(one).reset_index()
