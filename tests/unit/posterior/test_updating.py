"""Runs taken into a posterior and out of it: weighed where that holds, fitted anew elsewhere."""

from functools import cache

import numpy as np
import pytest
import surge_fit as sf
from support.pooled import make_pooled_posterior
from surge_fit.posterior.updating import update


@cache
def sweep():
    """Four batch sizes, six rates around √(B/64)·0.01, two seeds, noise of 0.01 nats."""
    rng = np.random.default_rng(4)
    size = np.repeat([16.0, 64.0, 256.0, 1024.0], 12)
    away = np.tile(np.repeat(np.linspace(-1.5, 1.5, 6), 2), 4)
    return sf.Sweep.from_columns(
        batch_size=size,
        learning_rate=0.01 * np.sqrt(size / 64) * np.exp(away),
        loss=2 + 0.1 * away**2 + 0.01 * rng.standard_normal(48),
        batch_unit="examples",
    )


PRIORS = {"valley_asymmetry": sf.Normal(mean=0.9, sd=0.5)}


@cache
def fitted():
    return sf.fit(sweep(), law="power", priors=PRIORS)


def without(*runs):
    return sweep().where(~np.isin(np.arange(len(sweep())), runs))


def standard_scores(update, other):
    """Differences of means and of spreads of the optima, in their Monte Carlo errors."""
    sizes, one = [16, 64, 256, 1024, 4096], update.posterior
    x, y = (held.log_optimal_learning_rate(sizes) for held in (one, other))
    few = [update.efficiency * one.diagnostics.min_ess, other.diagnostics.min_ess]
    mean = (x.mean(axis=0) - y.mean(axis=0)) / np.sqrt(x.var(axis=0) / few[0] + y.var(axis=0) / few[1])
    spread = np.log(x.std(axis=0) / y.std(axis=0)) / np.sqrt(0.5 / few[0] + 0.5 / few[1])
    return np.abs([mean, spread])


@pytest.mark.parametrize("run", [14, 27])
def test_a_run_taken_out_by_weights_gives_what_a_fit_without_it_gives(run):
    found = update(fitted(), without(run))
    assert found.reweighted
    assert found.pareto_k < 0.7
    cold = sf.fit(without(run), law="power", priors=PRIORS, random_seed=7)
    assert found.posterior.sweep is not sweep()
    assert found.posterior.priors == cold.priors
    assert np.all(standard_scores(found, cold) < 4)
    assert 0.1 < found.efficiency < 1
    assert found.posterior.draw_groups["log_likelihood"]["loss"].shape[-1] == 47


def test_a_run_taken_in_again_gives_back_what_it_was():
    without_it = update(fitted(), without(27))
    found = update(without_it.posterior, sweep())
    assert found.reweighted
    assert np.all(standard_scores(found, fitted()) < 4)


def test_the_same_runs_change_nothing():
    found = update(fitted(), sweep())
    assert found.reweighted
    assert np.array_equal(found.posterior.draws("slope"), fitted().draws("slope"))


def test_runs_that_decide_and_other_batch_sizes_are_fitted_anew():
    # All but one of the runs near the optimum of 1024; and 1024 altogether.
    decisive = update(fitted(), without(*range(40, 47)))
    assert not decisive.reweighted
    other = update(fitted(), without(*range(36, 48)))
    assert not other.reweighted
    assert np.isnan(other.pareto_k)
    assert decisive.efficiency == other.efficiency == 1
    assert other.posterior.sweep.batch_sizes.tolist() == [16, 64, 256]
    assert other.posterior.priors["valley_asymmetry"] == PRIORS["valley_asymmetry"]


def test_the_posterior_of_one_group_is_not_updated():
    pooled = make_pooled_posterior()
    alone = pooled.group(pooled.sweep.groups[0])
    with pytest.raises(sf.InputError, match=r"must be that of a whole fit; .* ask the result for the group"):
        update(alone, alone.sweep)
