"""The bend of a learning-rate curve as a weak prior of the noise scale."""

import math
from dataclasses import replace

import numpy as np
import pytest
import surge_fit as sf
from support.posteriors import runs
from surge_fit.gradients.curve import save_curve
from surge_fit.gradients.curve.bend import find_bend
from surge_fit.gradients.curve.value import CurvePoint, ResampledPoint, TheoryPoint
from surge_fit.posterior.measured_priors import prior_from_curve

SIZES = 2.0 ** np.arange(10)
NOTHING = TheoryPoint(None, None, None, None, None)


def points(rate, sizes=SIZES, error=1.05, flags=()):
    """Points of a law, with intervals of a factor `error` to both sides."""
    return [
        CurvePoint(
            size, NOTHING, ResampledPoint(r, (r / error, r * error), True, None), None, 0.0, 0.0, flags
        )
        for size, r in ((size, rate(size)) for size in sizes)
    ]


def saturating(noise_scale):
    return lambda size: 0.1 / (1 + noise_scale / size)


def test_the_bend_of_the_law_of_sgd_is_its_noise_scale():
    for noise_scale in (8.0, 40.0):
        mean, deviation = find_bend(points(saturating(noise_scale)))
        assert mean == pytest.approx(math.log(noise_scale), abs=0.25)
        assert deviation < 0.5


def test_a_straight_line_or_few_points_have_no_bend():
    assert find_bend(points(lambda size: 0.01 * size**0.5)) is None
    assert find_bend(points(saturating(8.0), sizes=[1.0, 4.0, 16.0])) is None
    assert find_bend(points(saturating(8.0), flags=("beyond_quarter_of_rows",))) is None


@pytest.fixture(scope="module")
def curve():
    random = np.random.default_rng(0)
    gradients = 0.3 + random.standard_normal((400, 30))
    held = sf.learning_rate_curve({"w": gradients.astype(np.float32)}, "sgd", curvature=np.eye(30))
    return replace(held, unit="examples")


def test_the_prior_lies_at_the_bend_and_is_never_narrow(curve):
    """B_noise of SGD with H = I is tr Σ/|G|² = 30/(30·0.09) = 11."""
    found = prior_from_curve(curve, "examples")
    assert found.mean == pytest.approx(math.log(11.1), abs=0.6)
    assert found.sd == math.hypot(1.0, curve.bend[1])


def test_a_saved_curve_serves_as_the_curve_itself(curve, tmp_path):
    path = tmp_path / "curve.json"
    save_curve(curve, path)
    sweep = runs()
    sweeps = [sf.fit(sweep, curve=given, random_seed=1) for given in (curve, path)]
    assert sweeps[0].priors["log_noise_scale"] == prior_from_curve(curve, "examples")
    assert sweeps[1].priors == sweeps[0].priors


def test_curves_that_cannot_serve_are_refused_before_anything_is_sampled(curve):
    sweep = runs()
    with pytest.raises(sf.InputError, match="counts examples, the sweep tokens"):
        prior_from_curve(curve, "tokens")
    with pytest.raises(sf.InputError, match="must bend within the batch sizes"):
        sf.fit(sweep, curve=replace(curve, bend=None))
    with pytest.raises(sf.InputError, match=r"A curve can inform .*'power' has none"):
        sf.fit(sweep, law="power", curve=curve)
    with pytest.raises(sf.InputError, match=r"given once; got Normal\(5, 1\) and a curve"):
        sf.fit(sweep, curve=curve, priors={"log_noise_scale": sf.Normal(mean=5, sd=1)})
