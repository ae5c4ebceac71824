"""From originals and candidates to verdicts: the procedure behind `12_cone` and `avatar privacy check`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatarlib import augment, fingerprints
from avatarlib.cone.calibration import conformal_threshold, largest_by_person, share, smallest_alpha
from avatarlib.cone.material import DRAWS, ROLES, transformed_versions
from avatarlib.cone.score import EXPONENT, NEIGHBOURS, Scores, caught, flagged, local_scale, score
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort
from avatarlib.seeds import generator

# Shares of the persons that remain after a fifth is held out. Learning needs most: a covariance is estimated on it.
CALIBRATE, TEST = 0.28, 0.22
# More versioned originals than this a role cost minutes.
VERSIONED = 300
# So many versions still reach a recall of 99.97 %; far beyond it the calibration says that it is vacuous.
MOST_VERSIONS = 4000
IRIS_SHARE = 0.8
VACUOUS_SHARE = 0.5


@dataclass(frozen=True)
class Judgement:
    """Verdicts of c candidates and everything that they rest on.

    `verdict` holds pass, flagged or not_judgeable; `reason` why. `groups` are the persons by role, `sets` the scores
    of the calibration and test versions and of the held-out persons' images, those of "new" against originals
    without the held-out persons; `numbers` is what a report states. `fitted`, `gallery` and `scale` score further
    images in the same way (`rescore`).
    """

    fitted: fingerprints.Fingerprint
    gallery: fingerprints.Features
    scale: np.ndarray
    scores: Scores
    verdict: np.ndarray
    reason: np.ndarray
    threshold: float
    groups: dict[str, np.ndarray]
    sets: dict[str, Scores]
    numbers: dict

    def rescore(self, images: np.ndarray) -> Scores:
        """Score further images (uint8, as the candidates) against all originals; NaN where not judgeable."""
        seen = [
            self.fitted.transform(fingerprints.extract(view, self.fitted.kinds))
            for view in views_of(images, self.numbers["modality"])
        ]
        distances = (self.fitted.distances(features, self.gallery) for features in seen)
        return score(*distances, scale=self.scale, b=self.numbers["b"], judgeable=seen[0].judgeable)


def split_originals(persons: np.ndarray, seed: int, k: int = NEIGHBOURS) -> dict[str, np.ndarray]:
    """Hold out a fifth of the persons as "new"; share the rest into "learn", "calibrate" and "test".

    Raises
    ------
    InputError
        Fewer than k + 1 persons remain after a fifth is held out.
    """
    names = np.unique(persons)
    held_out = max(1, round(len(names) / 5))
    rest = len(names) - held_out
    if rest < k + 1:
        raise InputError(
            f"the originals show {len(names)} persons; after a fifth is held out {max(rest, 0)} remain, "
            f"and the cone needs at least {k + 1}. Add persons"
        )
    calibrate, test = max(2, round(CALIBRATE * rest)), max(1, round(TEST * rest))
    drawn = generator(seed, "roles").permutation(names)
    ends = np.cumsum([rest - calibrate - test, calibrate, test])
    return dict(zip(ROLES, np.split(drawn, ends), strict=True))


def modality_of(originals: Cohort) -> str:
    """Return the one modality of the originals: their column's, or "iris" where most show a pupil, else "other".

    Raises
    ------
    InputError
        The column names two modalities: one threshold for both would mean nothing.
    """
    stated = originals.table.get("modality")
    if stated is not None and stated.notna().any():
        names = sorted(set(stated.dropna()) - {""})
        if len(names) > 1:
            raise InputError(f"the originals mix the modalities {', '.join(names)}. Check each in a folder of its own")
        if names:
            return names[0]
    if originals.images.ndim == 4:
        return "other"
    found = fingerprints.extract(originals.images[:50], ["iris_code"]).judgeable("iris_code")
    return "iris" if found.mean() >= IRIS_SHARE else "other"


def views_of(images: np.ndarray, modality: str) -> list[np.ndarray]:
    """Return the images and what a flip makes of them; pictures without an upper lid can be turned as well."""
    views = [images, augment.mirror(images)]
    if modality != "iris":
        views += [augment.half_turn(view) for view in views]
    return views


def judge(
    originals: Cohort,
    candidates: np.ndarray,
    *,
    recall: float = 0.95,
    seed: int = 0,
    k: int = NEIGHBOURS,
    b: float = EXPONENT,
    progress: Callable[[str, float], None] | None = None,
) -> Judgement:
    """Calibrate the cone on `originals` and judge `candidates`.

    A fifth of the persons is held out to measure false alarms; the fingerprint learns on some of the others, τ comes
    from everyday transformations of a second group (split-conformal), and recall is measured on a third. Candidates
    are then compared with all originals, the held-out persons' too, by a τ recalibrated on that full gallery.

    Parameters
    ----------
    originals
        Needs the column `person`; modality as `modality_of`.
    candidates
        uint8 (c, h, w[, 3]) of the originals' size and mode; c may be 0.
    recall
        Share of transformed originals to be flagged, 0 < recall < 1.
    progress
        Called with a step's name and the share done, 0 to 1.

    Raises
    ------
    InputError
        Too few persons, mixed modalities, recall out of range.
    """
    if not 0 < recall < 1:
        raise InputError(f"the recall must lie strictly between 0 and 1, not {recall:g}")
    say = progress or (lambda step, done: None)
    persons = originals.table.person.astype(str).to_numpy()
    groups = split_originals(persons, seed, k)
    modality = modality_of(originals)
    name = "fused" if modality == "iris" else "whitened_layers"
    fp = fingerprints.make(name)

    say("originals", 0)
    gallery_raw = fingerprints.extract(originals.images, fp.kinds)
    chosen = {role: _some(np.flatnonzero(np.isin(persons, groups[role])), seed, role) for role in ROLES[:3]}
    versions, version_of = {}, {}
    for step, (role, rows) in enumerate(chosen.items()):
        wanted = min(2 / (1 - recall), MOST_VERSIONS) if role == "calibrate" else 0
        draws = max(DRAWS, math.ceil(wanted / len(rows)))
        versions[role], of = transformed_versions(originals.images[rows], seed, [f"row {i}" for i in rows], draws)
        version_of[role] = rows[of]
        say("transformed originals", (step + 1) / 3)
    learn_raw = fingerprints.extract(versions.pop("learn"), fp.kinds)
    fp.fit(
        gallery_raw[chosen["learn"]] + learn_raw,
        groups=np.concatenate([chosen["learn"], version_of["learn"]]),
    )
    gallery = fp.transform(gallery_raw)
    between = fp.distances(gallery, gallery)

    def distances(images: np.ndarray, first=None):
        features = [
            fp.transform(first if first is not None and i == 0 else fingerprints.extract(view, fp.kinds))
            for i, view in enumerate(views_of(images, modality))
        ]
        return [fp.distances(f, gallery) for f in features], features[0]

    say("held-out persons", 0)
    new_rows = np.flatnonzero(np.isin(persons, groups["new"]))
    known = np.flatnonzero(~np.isin(persons, groups["new"]))
    measured = {role: distances(images) for role, images in versions.items()}
    measured["new"] = distances(originals.images[new_rows], gallery_raw[new_rows])
    say("candidates", 0)
    measured["candidates"] = distances(candidates) if len(candidates) else ([np.empty((0, len(originals)))], None)
    say("candidates", 1)

    def scored(role: str, columns: np.ndarray) -> Scores:
        views, features = measured[role]
        scale = local_scale(between[np.ix_(columns, columns)], persons[columns], k)
        judgeable = None if features is None else features.judgeable
        result = score(*(v[:, columns] for v in views), scale=scale, b=b, judgeable=judgeable)
        return Scores(columns[result.nearest], result.distance, result.scale, result.score)

    everyone = np.arange(len(originals))
    held_out = {role: scored(role, known) for role in ("calibrate", "test", "new")}
    full = {role: scored(role, everyone) for role in ("calibrate", "test", "candidates")}
    threshold = conformal_threshold(full["calibrate"].score, 1 - recall)
    verdict, reason = _verdicts(full["candidates"], threshold, measured["candidates"][1])
    numbers = _numbers(
        full | {"new": held_out["new"]},
        held_out["calibrate"].score,
        {role: persons[rows] for role, rows in (version_of | {"new": new_rows}).items()},
        recall,
        threshold,
    )
    numbers |= {
        "fingerprint": name,
        "modality": modality,
        "k": k,
        "b": b,
        "rule": "nearest",
        "seed": seed,
        "persons": {role: len(group) for role, group in groups.items()},
        "originals": {"images": len(originals), "not_judgeable": int((~gallery.judgeable).sum())},
        "candidates": {v: int((verdict == v).sum()) for v in ("pass", "flagged", "not_judgeable")},
    }
    sets = {"calibrate": full["calibrate"], "test": full["test"], "new": held_out["new"]}
    scale = local_scale(between, persons, k)
    return Judgement(fp, gallery, scale, full["candidates"], verdict, reason, threshold, groups, sets, numbers)


def _some(rows: np.ndarray, seed: int, role: str) -> np.ndarray:
    """At most `VERSIONED` of the rows, in order."""
    if len(rows) <= VERSIONED:
        return rows
    return np.sort(generator(seed, "versioned", role).choice(rows, VERSIONED, replace=False))


def _verdicts(scores: Scores, threshold: float, features) -> tuple[np.ndarray, np.ndarray]:
    verdict = np.where(flagged(scores.score, threshold), "flagged", "pass").astype(object)
    reason = np.where(verdict == "flagged", "nearer to an original than its transformed versions may be", "").astype(
        object
    )
    unjudged = np.isnan(scores.score)
    verdict[unjudged] = "not_judgeable"
    for i in np.flatnonzero(unjudged):
        reason[i] = features.reason[i]
    return verdict, reason


def _numbers(sets: dict[str, Scores], held_out_calibration: np.ndarray, persons: dict, recall, threshold) -> dict:
    """What a report states about τ: guarantees, recall on test people, false alarms on held-out people."""
    new, test = sets["new"].score, sets["test"].score
    per_person = largest_by_person(sets["calibrate"].score, persons["calibrate"])
    alpha = round(1 - recall, 12)
    reachable = max(alpha, smallest_alpha(len(per_person)))
    person_threshold = conformal_threshold(per_person, reachable) if len(per_person) else math.inf

    def by_person(hits: np.ndarray, who: np.ndarray, reduce) -> np.ndarray:
        return np.array([reduce(hits[who == p]) for p in np.unique(who)])

    # False alarms need the τ of the gallery that the held-out persons are compared with: one without them.
    held_out_threshold = conformal_threshold(held_out_calibration, alpha)
    by_person_held_out = largest_by_person(held_out_calibration, persons["calibrate"])
    person_held_out = conformal_threshold(by_person_held_out, reachable) if len(per_person) else math.inf
    alarms, test_caught = flagged(new, held_out_threshold), caught(test, threshold)
    stopped = caught(new, held_out_threshold)
    vacuous = not math.isfinite(threshold) or bool(stopped.mean() > VACUOUS_SHARE)
    return {
        "recall": recall,
        "tau": threshold if math.isfinite(threshold) else None,
        "vacuous": vacuous,
        "per_image": {
            "alpha": alpha,
            "tau": threshold if math.isfinite(threshold) else None,
            "calibration_images": int((~np.isnan(sets["calibrate"].score)).sum()),
            "smallest_reachable_alpha": smallest_alpha(int((~np.isnan(sets["calibrate"].score)).sum())),
            "test_images_caught": share(test_caught),
            "test_images_not_judgeable": share(np.isnan(test)),
        },
        "per_person": {
            "alpha": reachable,
            "recall": 1 - reachable,
            "asked_recall_reached": bool(reachable <= alpha + 1e-12),
            "tau": person_threshold if math.isfinite(person_threshold) else None,
            "calibration_persons": len(per_person),
            "held_out_images_flagged": share(flagged(new, person_held_out)),
            "test_persons_covered": share(by_person(caught(test, person_threshold), persons["test"], np.all)),
        },
        "false_alarms": {
            "tau_held_out": held_out_threshold if math.isfinite(held_out_threshold) else None,
            "images_flagged": share(alarms),
            "images_not_judgeable": share(np.isnan(new)),
            "persons_with_a_flagged_image": share(by_person(alarms, persons["new"], np.any)),
        },
    }
