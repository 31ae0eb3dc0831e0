"""R-hat and effective sample sizes against ArviZ's."""

import numpy as np
import pytest
from surge_fit._support.compat import import_arviz
from surge_fit.sampling.mixing import measure

arviz = import_arviz()


def autoregressive(correlation, shift, draws=501):
    rng = np.random.default_rng(3)
    chains = np.zeros((4, draws))
    for t in range(1, draws):
        chains[:, t] = correlation * chains[:, t - 1] + rng.standard_normal(4)
    return chains + shift * np.arange(4)[:, None]


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.7, 0.98])
@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_the_numbers_are_those_of_arviz(correlation, shift, ties):
    chains = autoregressive(correlation, shift)
    if ties:
        chains = np.round(chains, 1)
    found = measure(chains)
    assert found.rhat == pytest.approx(float(arviz.rhat(chains)), rel=1e-9)
    assert found.ess_bulk == pytest.approx(float(arviz.ess(chains, method="bulk")), rel=1e-9)
    tail = arviz.ess(chains, method="tail", prob=(0.05, 0.95))
    assert found.ess_tail == pytest.approx(float(tail), rel=1e-9)


def test_chains_that_do_not_move_have_no_rhat():
    assert np.isnan(measure(np.ones((4, 100))).rhat)


def test_chains_apart_are_told():
    assert measure(autoregressive(0.0, 1.0)).rhat > 1.1 > 1.02 > measure(autoregressive(0.0, 0.0)).rhat
