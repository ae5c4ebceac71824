"""Random sequences have the composition that is asked for."""

import numpy as np
import pytest

from avatarlib.genomes.composition import coding, markov, mutate, reverse_complement


@pytest.mark.parametrize("share", [0.25, 0.4, 0.55, 0.7])
def test_the_chain_has_the_composition_asked_for(share):
    drawn = markov(400_000, share, np.random.default_rng(1))
    c, g = drawn == 1, drawn == 2
    assert (c | g).mean() == pytest.approx(share, abs=0.006)
    assert (c[:-1] & g[1:]).mean() < 0.4 * c.mean() * g.mean()
    for length in (0, 1, 2, 3, 1000):
        assert len(markov(length, share, np.random.default_rng(1))) == length


def test_substitutions():
    before = markov(400_000, 0.4, np.random.default_rng(1))
    for kept in (1.0, 0.2, 0.0):
        after = mutate(before, 0.1, np.random.default_rng(2), cpg=kept)
        changed = after != before
        assert changed.mean() == pytest.approx(0.1, abs=0.003)
        assert ((before ^ after)[changed] == 2).mean() == pytest.approx(2 / 3 if kept == 1 else 0.6, abs=0.02)
    rates = np.repeat([0.0, 0.5], 200_000)
    changed = mutate(before, rates, np.random.default_rng(2)) != before
    assert not changed[:200_000].any() and changed[200_000:].mean() == pytest.approx(0.5, abs=0.01)


def test_genes_have_no_stop_inside():
    found = coding(60_000, 0.4, np.random.default_rng(3))
    stops = [48, 50, 56]
    longest = []
    for strand in (found, reverse_complement(found)):
        for frame in range(3):
            whole = strand[frame : frame + (len(strand) - frame) // 3 * 3].reshape(-1, 3).astype(int)
            at = np.flatnonzero(np.isin(whole @ [16, 4, 1], stops))
            longest += np.diff(at).tolist()
    # In 60 kb of chance no open frame has 250 codons.
    assert sum(n > 250 for n in longest) > 15
    insert = np.zeros(500, np.uint8)
    assert "".join(map(str, insert)) in "".join(map(str, coding(20_000, 0.4, np.random.default_rng(3), (insert,))))
