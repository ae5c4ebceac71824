"""Shares, curves, effects and strata against hand-made cases; sensitivities against a recount from the BAM truth."""

import numpy as np
import pandas as pd
import pysam
import pytest
from sklearn.metrics import roc_auc_score

from avatarlib.genomes.fasta import write_fasta
from avatarlib.genomes.phantom import STRATA, phantom_decoy, phantom_genome, phantom_microbes
from avatarlib.reads.config import Config
from avatarlib.reads.simulate import simulate
from avatarlib.removal.apply import remove
from avatarlib.removal.evaluate import area, effects, operating_curve, shares, strata_of, wilson
from avatarlib.removal.sample import open_sample


def test_wilson_by_hand():
    low, high = wilson(np.array([81, 0, 10, 0]), np.array([263, 10, 10, 0]))
    assert low[0] == pytest.approx(0.2553, abs=1e-4) and high[0] == pytest.approx(0.3662, abs=1e-4)  # Newcombe 1998
    assert low[1] == 0 and high[2] == 1 and (low[3], high[3]) == (0, 1)
    assert shares({"a": (0, 0)}).share.tolist() == [0.0]


def test_curve_against_sklearn():
    rng = np.random.default_rng(1)
    human = rng.random(500) < 0.4
    score = np.round(rng.random(500) + 0.3 * human, 1)  # ties
    curve = operating_curve(score, human)
    assert area(curve) == pytest.approx(roc_auc_score(human, score))
    for row in curve.itertuples():
        assert row.sensitivity == pytest.approx((score[human] > row.threshold).mean())
    assert curve.iloc[0, 1:].tolist() == [0, 0] and curve.iloc[-1, 1:].tolist() == [1, 1]


def test_effects_find_what_was_put_in():
    rng = np.random.default_rng(2)
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 5)))
    truth = {"intercept": 1.0, "x": -2.0, "y": 0.5, "x·y": -1.5}
    logit = 1.0 - 2.0 * x + 0.5 * y - 1.5 * x * y
    n = np.full(25, 20_000)
    found = effects(rng.binomial(n, 1 / (1 + np.exp(-logit))), n, {"x": x, "y": y, "x·y": x * y})
    for row in found.table.itertuples():
        assert row.low - 0.05 < truth[row.term] < row.high + 0.05 and row.high - row.low < 0.4
    assert found.dispersion < 2.5


def test_strata_by_majority():
    genome = phantom_genome(size=500_000, seed=3)
    every = np.repeat(genome.strata["stratum"], genome.strata["end"] - genome.strata["start"])
    rng = np.random.default_rng(3)
    starts = rng.integers(0, genome.reference.length(1) - 200, 50)
    at = genome.reference.offsets[1] + starts
    got = strata_of(
        ["chr2"] * 50, starts, np.full(50, 200), genome.reference.names, genome.reference.offsets, genome.strata
    )
    wanted = [np.bincount(every[a : a + 200], minlength=len(STRATA)).argmax() for a in at]
    assert got.tolist() == wanted


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    genome = phantom_genome(size=500_000, seed=3)
    sources = phantom_microbes(seed=3) | {"decoy": phantom_decoy(genome, seed=3)}
    for name, one in {"human": genome.reference, **sources}.items():
        write_fasta(folder / f"{name}.fa.gz", one.names, (one.sequence(contig) for contig in range(len(one))))
    mixture = [{"name": name, "reference": folder / f"{name}.fa.gz", "share": 0.07} for name in sources]
    reads = {"platform": "ont", "reads": 1500, "length_mean": 300, "length_sd": 0}
    settings = {"variation": {"snp_rate": 0.03}, "errors": {"scale": 4}, "mixture": mixture}
    simulate(Config(reference=folder / "human.fa.gz", reads=reads, **settings), folder / "sample")
    return folder


def test_report_agrees_with_a_recount_from_the_bam(mixture, tmp_path):
    report = remove(open_sample([mixture / "sample"]), "kmer", mixture / "human.fa.gz", tmp_path / "out")
    calls = pd.read_csv(tmp_path / "out" / "calls.tsv.gz", sep="\t").set_index("read").human
    donors = {"donor001", "donor002"}
    counted = {}
    with pysam.AlignmentFile(str(mixture / "sample" / "truth.bam")) as file:
        for record in file:
            if not record.is_secondary and not record.is_supplementary:
                group = record.get_tag("RG")
                key = "human" if group in donors else group
                hits, n = counted.get(key, (0, 0))
                counted[key] = hits + int(calls[record.query_name]), n + 1
    assert {row["source"]: (row["hits"], row["n"]) for row in report["truth"]["sources"]} == counted
    assert 0.2 < report["truth"]["sensitivity"]["share"] < 1
    sizes = pd.read_csv(mixture / "sample" / "fragments.tsv.gz", sep="\t").source.value_counts()
    assert sizes.to_dict() == {name: n for name, (_, n) in counted.items()}  # the mixture's counts are exact


def test_catalogue_names_removers_that_exist():
    from avatarlib.removal import REMOVERS
    from avatarlib.removal.catalogue import tools

    named = {name for row in tools().remover for name in row.split(", ") if name}
    assert named == set(REMOVERS)
    assert tools().source.str.len().gt(0).all() and tools().licence.str.len().gt(0).all()
