"""What `compare` promises, with fits that return at once: posteriors made by hand, of a known law."""

import math

import numpy as np
import pytest
import surge_fit as sf
from scipy.optimize import minimize
from support.posteriors import BAD, BATCH_SIZES, make_posterior, optimum_points, runs
from surge_fit.decisions import comparison
from surge_fit.decisions.comparison import DEFAULT_LAWS, stacking_weights
from surge_fit.decisions.estimates import CURVE_LAW, curve_statements
from surge_fit.sampling.diagnostics import FOR_MEANS

LAWS = ["power", "square_root", "broken_power"]


@pytest.fixture
def fits(monkeypatch):
    """Fits that return at once; the list of the batch sizes and options they were asked for."""
    asked = []

    def fit_models(models, *, random_seed, progress, for_means=False):
        asked.extend((one.sweep.batch_sizes.tolist(), one.law.name, random_seed) for one in models)
        if progress is not None:
            progress("sampling", 0.5)
        return tuple(make_posterior(one.law.name, sweep=one.sweep) for one in models)

    monkeypatch.setattr("surge_fit.posterior.fitting.fit_models", fit_models)
    return asked


@pytest.fixture
def predictions(monkeypatch):
    """Let each law predict what it is told to, whatever the posterior: law → log densities by batch size."""
    told = {}

    def density(posterior, observations, index):
        return np.full(80, told[posterior.law.name][index])

    monkeypatch.setattr(comparison, "held_out_log_density", density)
    return told


def test_every_law_is_fitted_without_each_batch_size_and_the_default_one_to_all_runs(fits):
    found = sf.compare(runs(), laws=LAWS, random_seed=7)
    without = [[64.0, 512.0], [8.0, 512.0], [8.0, 64.0]]
    assert fits[:-1] == [(sizes, law, 7) for law in LAWS for sizes in without]
    assert fits[-1] == ([8.0, 64.0, 512.0], CURVE_LAW, 7)
    assert {score.law.name for score in found.scores} == set(LAWS)
    assert found.batch_sizes == tuple(BATCH_SIZES)
    # Of twelve runs one was stopped.
    assert (found.runs, found.kind, found.batch_unit, found.random_seed) == (11, "runs", "examples", 7)


def test_the_scores_add_up(fits):
    found = sf.compare(runs(), laws=LAWS)
    best = found.best
    assert [score.elpd for score in found.scores] == sorted((s.elpd for s in found.scores), reverse=True)
    for score in found.scores:
        assert score.elpd == pytest.approx(sum(score.pointwise))
        assert score.difference == pytest.approx(score.elpd - best.elpd)
        behind = np.subtract(score.pointwise, best.pointwise)
        assert score.standard_error == pytest.approx(math.sqrt(3) * np.std(behind, ddof=1))
        assert 0 < score.monte_carlo_error < 1
    assert sum(score.weight for score in found.scores) == pytest.approx(1)


def test_a_law_that_misses_the_optimum_predicts_worse(fits):
    # The runs lie around 1e-3, 3e-3 and 8e-3: the power law follows, the constant stays where the others are.
    found = sf.compare(runs(), laws=["power", "constant"])
    assert [score.law.name for score in found.scores] == ["power", "constant"]
    assert found.scores[1].pointwise[0] < found.scores[0].pointwise[0] - 2


def test_optimum_points_are_compared_too(monkeypatch, predictions, fits):
    predictions |= {"power": [1.0, 1.0, 1.0], "surge": [0.5, 1.0, 1.0]}
    found = sf.compare(optimum_points(), laws=["power", "surge"])
    assert (found.kind, found.runs, found.batch_unit) == ("optimum_points", 3, "tokens")


@pytest.mark.parametrize(
    ("behind", "verdict"),
    [
        ([-3.0, -3.1, -2.9], "loses"),
        # Far behind in total, but by one batch size only: √3 · sd of (−12, 0, 0) is 12.
        ([-12.0, 0.0, 0.0], "tie"),
        # Behind everywhere by the same, but by less than four nats in all.
        ([-1.3, -1.3, -1.3], "tie"),
        ([-1.4, -1.4, -1.4], "loses"),
    ],
)
def test_a_law_loses_where_it_is_clearly_and_considerably_behind(fits, predictions, behind, verdict):
    predictions |= {"surge": [5.0, 6.0, 7.0], "power": list(np.add([5.0, 6.0, 7.0], behind))}
    found = sf.compare(runs(), laws=["power", "surge"])
    assert [score.law.name for score in found.scores] == ["surge", "power"]
    assert [score.verdict for score in found.scores] == ["best", verdict]
    assert found.scores[1].difference == pytest.approx(sum(behind))


def test_a_refit_that_cannot_be_trusted_is_used_and_named(monkeypatch, predictions, fits):
    predictions |= {"power": [1.0, 1.0, 1.0], "surge": [0.0, 1.0, 1.0]}

    def fit_models(models, **options):
        bad = [one.law.name == "surge" and 64.0 not in one.sweep.batch_sizes for one in models]
        return tuple(
            make_posterior(one.law.name, sweep=one.sweep, **({"diagnostics": BAD} if wrong else {}))
            for one, wrong in zip(models, bad, strict=True)
        )

    monkeypatch.setattr("surge_fit.posterior.fitting.fit_models", fit_models)
    found = sf.compare(runs(), laws=["power", "surge"])
    # R-hat 1.2 is too much for a mean, too; 80 effective samples are not too few.
    assert found.untrusted == (("surge", 64.0, BAD.beyond(FOR_MEANS)[0]),)
    assert len(BAD.problems) == 2
    assert len(found.scores) == 2


def test_a_law_with_too_few_runs_is_left_out_with_the_reason(predictions, fits):
    predictions |= {"power": [1.0, 1.0, 1.0], "surge": [0.0, 1.0, 1.0]}
    # Three points, two without one batch size: enough for two parameters, not for four.
    found = sf.compare(optimum_points(), laws=["power", "broken_power", "surge"])
    ((name, reason),) = found.left_out
    assert name == "broken_power"
    assert reason.startswith("The law 'broken_power' has 4 parameters")
    assert found.statements is None
    with pytest.raises(sf.SweepError, match=r"of 2 laws 1 can\. broken_power: The law"):
        sf.compare(optimum_points(), laws=["power", "broken_power"])


def test_too_few_batch_sizes_are_refused_before_any_fit(fits):
    sweep = runs()
    with pytest.raises(sf.SweepError, match=r"at 3 or more batch sizes.* has 2 batch sizes. Add"):
        sf.compare(sweep.where(sweep.batch_size < 512))
    assert not fits


@pytest.mark.parametrize("laws", [["surge"], [], ["surge", "surge"]])
def test_fewer_than_two_laws_or_one_twice_are_refused(fits, laws):
    with pytest.raises(sf.InputError, match="'laws' must hold two or more laws, each once"):
        sf.compare(runs(), laws=laws)
    with pytest.raises(sf.InputError, match="Did you mean 'surge'"):
        sf.compare(runs(), laws=["power", "surg"])
    assert not fits


def test_the_default_laws_are_built_in_and_hold_the_one_that_tells_the_curve():
    assert set(DEFAULT_LAWS) <= set(sf.LAWS)
    assert CURVE_LAW in DEFAULT_LAWS


def test_the_progress_is_that_of_all_refits_together_then_of_the_fit_to_all_runs(fits):
    told = []
    sf.compare(runs(), laws=["power", "surge"], progress=lambda stage, share: told.append((stage, share)))
    assert told == [("sampling", 0.5), ("sampling", 0.5)]


def test_an_interrupt_stops_the_comparison(monkeypatch):
    def fit(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("surge_fit.posterior.fitting.fit_models", fit)
    with pytest.raises(KeyboardInterrupt):
        sf.compare(runs())


def test_the_weights_are_those_of_a_general_optimiser():
    rng = np.random.default_rng(4)
    pointwise = rng.normal(0, 1.5, (3, 9))

    def loss(free):
        weights = np.exp([*free, 0.0])
        return -np.log((weights / weights.sum()) @ np.exp(pointwise)).sum()

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    weights = stacking_weights(pointwise)
    assert weights.sum() == pytest.approx(1)
    assert -np.log(weights @ np.exp(pointwise)).sum() == pytest.approx(best.fun, abs=1e-4)


def test_two_laws_that_are_each_certain_of_half_the_batch_sizes_share_the_weight():
    # Maximise 2 log w + 2 log(1 − w): w = ½. A third law that is never the better one has no share.
    pointwise = np.array([[0.0, 0.0, -90.0, -90.0], [-90.0, -90.0, 0.0, 0.0], [-5.0] * 4])
    assert stacking_weights(pointwise) == pytest.approx([0.5, 0.5, 0.0], abs=1e-3)


def test_the_weights_do_not_depend_on_the_unit_of_the_loss():
    pointwise = np.random.default_rng(5).normal(0, 1, (4, 5))
    assert stacking_weights(pointwise + 4000.0) == pytest.approx(stacking_weights(pointwise), abs=1e-9)


def test_what_the_curve_does_is_read_off_the_default_law():
    posterior = make_posterior()
    held = curve_statements(posterior)
    # The curve falls at large batch sizes where q > 0, with q ~ N(0.1, 0.1): about 84 %; the peak of
    # log 200 + log(p/q)/(p + q) is behind 512 = e^6.2 for the larger of those.
    recommended = sf.recommend(posterior, batch_size=512)
    assert held.probability_falls == pytest.approx(recommended.probability_past_peak)
    assert held.probability_peak_inside <= held.probability_falls
    # Slope ~ N(0.55, 0.05): below ½ with probability 16 %, never above 1.
    assert held.probability_below_half == pytest.approx(0.16, abs=0.06)
    assert held.probability_above_one == 0
    assert held.slope_interval == pytest.approx((0.55 - 1.645 * 0.05, 0.55 + 1.645 * 0.05), abs=0.02)
    assert held.slope_resolved
    assert held.trustworthy


def test_a_slope_between_one_half_and_one_is_not_resolved():
    posterior = make_posterior()
    slope = posterior.to_datatree()["posterior"]["small_batch_slope"]
    slope.values[...] = np.linspace(0.3, 1.3, slope.size).reshape(slope.shape)
    held = curve_statements(posterior)
    assert not held.slope_resolved
    assert held.probability_below_half == pytest.approx(0.2, abs=0.01)
    assert held.probability_above_one == pytest.approx(0.3, abs=0.01)
