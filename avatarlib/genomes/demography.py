"""How populations grew, split and mixed: the model's demography and the age of its pairs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.settings import Variation, is_demes_file

if TYPE_CHECKING:
    import msprime

EVERYBODY = "all"  # the population of the model constant
HOMES = ("CEU", "EUR")  # whose assembly the reference is, where the model has one of them
STEPS = 600  # of the integral over time; within 0.5 % of simulated pairs in the human models
DONE = 1e-9  # probability of a pair older than the integral's end


@dataclass(frozen=True)
class History:
    """A demography with the populations that live today; the reference comes from `home`."""

    demography: "msprime.Demography"
    living: tuple[str, ...]
    home: str


def history(settings: Variation) -> History:
    """Return the demography that `settings.model` names.

    Raises
    ------
    InputError
        An unknown model or species, a demes file that can't be read, or a population that the model hasn't or that is
        extinct; the names to choose from are listed.

    Examples
    --------
    >>> history(Variation(population_size=5000)).living
    ('all',)
    """
    import msprime

    if settings.model == "constant":
        demography = msprime.Demography()
        demography.add_population(name=EVERYBODY, initial_size=settings.population_size)
    elif is_demes_file(settings.model):
        demography = _demes(Path(settings.model))
    else:
        demography = _catalogue(settings.model)
    living = tuple(p.name for p in demography.populations if _sampled_today(p))
    if not living:
        raise InputError(f"model {settings.model}: none of its populations lives today: choose another model")
    for name in settings.populations:
        if name not in living:
            raise InputError(f"model {settings.model}: no living population {name!r}: choose from {', '.join(living)}")
    if settings.pedigree and len(settings.populations) > 1:
        raise InputError(f"{settings.pedigree}: relatives come from one population: name one in populations")
    return History(demography, living, next((name for name in HOMES if name in living), living[0]))


def _sampled_today(population: "msprime.Population") -> bool:
    # None at both: a population that lives now and says nothing. Where the catalogue says that nobody was sampled from
    # one, it is ancestral or extinct.
    if "sampling_time" in (population.extra_metadata or {}):
        return population.extra_metadata["sampling_time"] == 0
    return population.default_sampling_time in (None, 0)


def _demes(path: Path) -> "msprime.Demography":
    import demes
    import msprime

    try:
        return msprime.Demography.from_demes(demes.load(path))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}): check the path of the demes file") from error
    except Exception as error:  # the parsers of YAML and demes raise many kinds
        what = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: no demes model ({what[:200]}): see the demes specification") from error


def _catalogue(name: str) -> "msprime.Demography":
    import warnings

    import stdpopsim

    species, _, model = name.rpartition(":")
    species = species or "HomSap"
    known = sorted(s.id for s in stdpopsim.all_species())
    if species not in known:
        raise InputError(f"model {name!r}: unknown species {species!r}: choose from {', '.join(known)}")
    catalogue = stdpopsim.get_species(species)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of names that were corrected, and takes the old ones
            return catalogue.get_demographic_model(model).model
    except ValueError:
        models = sorted(m.id for m in catalogue.demographic_models)
        raise InputError(
            f"model {name!r} is unknown: write constant, known_sites, the path of a demes file (.yml), "
            f"Species:Id, or one of {species}'s: {', '.join(models) or 'none'}"
        ) from None


def scaled(demography: "msprime.Demography", factor: float) -> "msprime.Demography":
    """Return a copy in which every population has `factor` times its size, always."""
    changed = demography.copy()
    for part in (*changed.populations, *changed.events):
        if getattr(part, "initial_size", None) is not None:
            part.initial_size *= factor
    return changed


def pair_age(past: History, populations: Sequence[str]) -> float:
    """Return the expected age in generations of two autosomal copies of two different donors.

    The mean over all pairs of donors, as if none were related; of a single donor, over two of their population.

    Parameters
    ----------
    populations
        The population of each donor.

    Raises
    ------
    InputError
        The populations, the reference's among them, have no common ancestor.

    Examples
    --------
    >>> round(pair_age(history(Variation(population_size=5000)), ["all", "all"]), -2)
    10000.0
    """
    if past.demography.num_populations == 1 and not past.demography.events:
        (only,) = past.demography.populations
        if not only.growth_rate:
            return 2.0 * only.initial_size
    number = Counter(populations)
    if len(populations) == 1:
        number = Counter({populations[0]: 2})
    debugger = past.demography.debug()
    _check_ancestors(debugger, {*number, past.home})
    ages, pairs = 0.0, 0
    for i, a in enumerate(number):
        for b in list(number)[i:]:
            several = number[a] * number[b] if a != b else number[a] * (number[a] - 1) // 2
            if several:
                ages += several * _age(debugger, a, b)
                pairs += several
    return ages / pairs


def _check_ancestors(debugger: "msprime.DemographyDebugger", populations: set[str]) -> None:
    """Make sure that lineages of these populations end up in one, or in several that exchange migrants."""
    last = debugger.epochs[-1]
    where = np.any([list(debugger.possible_lineage_locations([p]).values())[-1] for p in populations], axis=0)
    linked = last.migration_matrix[np.ix_(where, where)] > 0
    steps = np.eye(len(linked), dtype=int) + linked + linked.T
    if not np.linalg.matrix_power(np.minimum(steps, 1), len(linked)).all():
        names = ", ".join(sorted(populations))
        raise InputError(f"populations {names} of the model have no common ancestor: join them in the past")


def _age(debugger: "msprime.DemographyDebugger", a: str, b: str) -> float:
    """Integrate the probability that two lineages have not met yet."""
    lineages, end = ({a: 2} if a == b else {a: 1, b: 1}), 1e6
    while True:
        steps = np.concatenate([[0.0], np.geomspace(0.1, end, STEPS)])
        # msprime's own mean halves its steps until it is sure, which takes minutes where populations grow.
        _, apart = debugger.coalescence_rate_trajectory(steps, lineages, double_step_validation=False)
        if apart[-1] < DONE:
            return float(np.trapezoid(apart, steps))
        if end > 1e12:
            raise InputError(f"populations {a} and {b} of the model hardly ever meet: make their ancestors smaller")
        end *= 8
