"""The likelihood of runs not yet made, against SciPy's densities and the normal posterior of a floor."""

import numpy as np
import pytest
from scipy import stats
from surge_fit.decisions.planning.outlook import Outlook, State
from surge_fit.decisions.planning.predictive import Floor, Prospect, SurfaceDraws, fantasize
from surge_fit.law import Landscape
from surge_fit.model.loss_surface import valley

LOSS = np.array([[0.01], [0.5], [0.03]])
SURVIVED = np.array([[True], [True], [False]])
DEPTH, NOISE, LOGIT = np.array([[0.02, 0.2]]), np.array([[0.003, 0.05]]), np.array([[-3.0, 1.5]])


def single(values):
    return np.asarray(values, dtype=np.float32)


def made() -> Prospect:
    """Three outcomes, the last diverged, seen by two draws."""
    return Prospect(
        loss=single(LOSS),
        survived=SURVIVED,
        depth=single(DEPTH),
        noise_variance=single(NOISE**2),
        log_survival=single(stats.logistic.logcdf(-LOGIT)),
        log_divergence=single(stats.logistic.logcdf(LOGIT)),
    )


@pytest.mark.parametrize("floor_sd", [0.0, 0.04])
def test_a_run_is_weighed_by_student_t_and_the_wall(floor_sd):
    mean = np.array([[0.001, -0.01]])
    found, _ = made().learn(Floor(single(mean), single([[floor_sd**2, floor_sd**2]])))
    scale = np.hypot(NOISE, floor_sd)
    density = stats.t.logpdf(LOSS, 5, DEPTH + mean, scale) + stats.logistic.logcdf(-LOGIT)
    # A constant of all losses is left out: Student's t at its centre, in units of its scale.
    exact = np.where(SURVIVED, density - stats.t.logpdf(0, 5), stats.logistic.logcdf(LOGIT))
    assert found == pytest.approx(exact, rel=1e-4, abs=1e-4)


def test_a_loss_teaches_the_floor_as_a_normal_observation_does_and_a_divergence_nothing():
    mean, sd = np.array([[0.001, -0.01]]), 0.04
    _, after = made().learn(Floor(single(mean), single([[sd**2, sd**2]])))
    # Precisions add, and the mean is weighted by them.
    precision = 1 / sd**2 + SURVIVED / NOISE**2
    exact = (mean / sd**2 + SURVIVED * (LOSS - DEPTH) / NOISE**2) / precision
    assert after.mean == pytest.approx(exact, rel=1e-4, abs=1e-6)
    assert after.variance == pytest.approx(1 / precision, rel=1e-3)


def test_simulated_outcomes_follow_the_model():
    count, u = 20_000, 0.8
    one, zero = np.ones(count), np.zeros(count)
    draws = SurfaceDraws(
        log_optimum=zero[:, None],
        curvature=0.05 * one[:, None],
        floor=0.3 * one[:, None],
        floor_sd=zero[:, None],
        noise=0.002 * one,
        shape_error=0.1 * one,
        landscape=Landscape(
            log_curvature=np.log(0.05) * one,
            curvature_slope=zero,
            reference_log_batch_size=0.0,
            rate=0.6 * one,
            asymmetry=1.4 * one,
            wall=1.2 * one,
            wall_width=0.4 * one,
            divergence_cost=1.0,
        ),
    )
    found = fantasize(draws, draws, 0, float(np.exp(u)), np.random.default_rng(0))
    depth = 0.05 * float(valley(np, np.array(u), 0.6, 1.4))
    scale = np.hypot(0.002, 0.1 * depth)
    residual = (found.loss[:, 0] - 0.3 - depth) / scale
    assert stats.kstest(residual, stats.t(5).cdf).pvalue > 0.01
    # (0.8 − 1.2)/0.4 = −1 are the log odds to diverge: 0.731 survive, give or take 0.003.
    assert found.survived.mean() == pytest.approx(stats.logistic.cdf(1.0), abs=0.012)
    assert found.log_survival[0, 0] == pytest.approx(stats.logistic.logcdf(1.0), rel=1e-5)


@pytest.mark.parametrize("floor_sd", [0.0, 0.05])
def test_blocks_are_worth_in_rust_what_their_runs_are_worth_one_after_another(floor_sd):
    rng = np.random.default_rng(0)
    outcomes, draws = 40, 120
    runs = {}
    for rate in (1e-3, 2e-3, 4e-3):
        depth = rng.exponential(0.1, (1, draws))
        odds = rng.normal(-1.0, 2.0, (1, draws))
        runs[64.0, rate] = Prospect(
            loss=single(rng.exponential(0.2, (outcomes, 1))),
            survived=rng.random((outcomes, 1)) < 0.8,
            depth=single(depth),
            # Some losses are told so precisely that fewer than ten draws explain them.
            noise_variance=single(rng.choice([1e-6, 1e-2], (1, draws))),
            log_survival=single(-np.logaddexp(0, odds)),
            log_divergence=single(-np.logaddexp(0, -odds)),
        )
    floor = Floor(single(rng.normal(0, 0.01, (1, draws))), np.full((1, draws), floor_sd**2, np.float32))
    start = State(single(rng.normal(0, 0.5, (outcomes, draws))), {64.0: floor})
    regrets = tuple(single(rng.exponential(1.0, (draws, 9))) for _ in range(2))
    outlook = Outlook(runs, start, regrets, np.zeros((draws, 2)), {64.0: 1e-3})
    blocks = [(2e-3,), (1e-3, 4e-3), (1e-3, 4e-3, 2e-3)]
    # After the first run the floor of every outcome is another.
    for state in (start, start.after(outlook, 64.0, (2e-3,))):
        wanted = [outlook.value(state.after(outlook, 64.0, block)) for block in blocks]
        assert outlook.values(state, 64.0, blocks) == pytest.approx(wanted, rel=2e-3)
        assert min(wanted) > 0.01
