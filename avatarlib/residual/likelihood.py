"""From alleles to people: genotype likelihoods, and the ratio of a person's likelihood to a random person's.

Sites are treated as independent. Linked sites are not, so the ratios are larger in size than they should be: what
they are worth is measured on people who are not in the sample (`recognition`), not read off their size.
"""

import numpy as np

from avatarlib.residual.evidence import Evidence
from avatarlib.residual.panel import Panel


def genotype_likelihoods(evidence: Evidence, sites: int) -> np.ndarray:
    """Return log P(reads | 0, 1, 2 alternative alleles) of every site, float64 [sites, 3]; 0 where there is no read.

    A read shows each allele of the genotype with the same chance and errs to either of the three other bases alike:
    P(alternative | g) = g/2 (1 - e) + (1 - g/2) e/3 (as in Li 2011, section 2.2).

    Examples
    --------
    >>> one = Evidence(np.array([0]), np.array([1]), np.array([True]), np.array([0.03]), 1)
    >>> np.exp(genotype_likelihoods(one, 2)).round(3).tolist()
    [[1.0, 1.0, 1.0], [0.01, 0.49, 0.97]]
    """
    share = np.array([0.0, 0.5, 1.0])
    error = evidence.error[:, None]
    alternative = share * (1 - error) + (1 - share) * error / 3
    reference = (1 - share) * (1 - error) + share * error / 3
    out = np.zeros((sites, 3))
    np.add.at(out, evidence.site, np.log(np.where(evidence.alternative[:, None], alternative, reference)))
    return out


def expected(likelihoods: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return log P(reads | a random person) of every site, float64 [sites]."""
    top = likelihoods.max(axis=1)
    return top + np.log((frequency * np.exp(likelihoods - top[:, None])).sum(axis=1))


def ratios(panel: Panel, likelihoods: np.ndarray, frequency: np.ndarray | None = None) -> np.ndarray:
    """Return log P(reads | person) - log P(reads | a random person) of everybody in the panel, float64 [people].

    Parameters
    ----------
    likelihoods
        As `genotype_likelihoods` gives them, [sites, 3].
    frequency
        Of genotypes among those whom a random person is drawn from; None: the panel's own.
    """
    seen = np.flatnonzero((likelihoods != 0).any(axis=1))
    if not len(seen):
        return np.zeros(len(panel.people))
    part, dose = likelihoods[seen], panel.dose[seen]
    prior = panel.frequency(sites=seen) if frequency is None else frequency[seen]
    random = expected(part, prior)
    total = np.zeros(len(panel.people))
    for genotype in range(3):
        gain = part[:, genotype] - random
        total += gain @ (dose == genotype)
    return total


def informative(panel: Panel, evidence: Evidence) -> dict[str, int]:
    """Count what is left: `reads` that show a site at which the panel differs, and `sites` that are shown."""
    varies = (panel.dose[evidence.site] > 0).any(axis=1) & (panel.dose[evidence.site] != 2).any(axis=1)
    return {
        "reads": int(len(np.unique(evidence.read[varies]))),
        "sites": int(len(np.unique(evidence.site[varies]))),
    }


def populations(panel: Panel, likelihoods: np.ndarray, without: int | None = None) -> dict[str, float]:
    """Return the probability of each population of the panel, all equally likely before.

    Parameters
    ----------
    without
        A person who is left out of their population's frequencies: the one whom the reads are of.
    """
    names = sorted(set(panel.populations))
    home = np.array(panel.populations)
    seen = np.flatnonzero((likelihoods != 0).any(axis=1))
    logs = []
    for name in names:
        chosen = home == name
        if without is not None:
            chosen = chosen & (np.arange(len(home)) != without)
        logs.append(expected(likelihoods[seen], panel.frequency(chosen, seen)).sum())
    weight = np.exp(np.array(logs) - max(logs))
    return dict(zip(names, (weight / weight.sum()).tolist(), strict=True))


def sex(on_x: int, on_autosomes: int, x_bases: int, autosome_bases: int) -> float:
    """Return log P(reads | female) - log P(reads | male) from how many lie on X.

    A woman has two copies of X, a man one: of reads on X and the autosomes the share 2X/(2X + 2A) or X/(X + 2A).

    Examples
    --------
    >>> round(sex(20, 80, 20, 80), 2), round(sex(11, 89, 20, 80), 2)
    (3.33, -2.91)
    """
    female = x_bases / (x_bases + autosome_bases)
    male = x_bases / (x_bases + 2 * autosome_bases)
    return float(on_x * np.log(female / male) + on_autosomes * np.log((1 - female) / (1 - male)))
