"""What must hold for every law at any parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surge_fit import _core
from surge_fit.law import LAWS, LawDraws
from surge_fit.model import loss_surface

POSITIVE = {"small_batch_slope", "exponent"}
NUMBERS = st.floats(-20.0, 20.0)
SHAPES = st.floats(-2.0, 2.0)


@st.composite
def law_and_draw(draw, names=tuple(LAWS)):
    law = LAWS[draw(st.sampled_from(names))]
    values = {}
    for parameter in law.parameters:
        value = draw(SHAPES if parameter.role == "shape" else NUMBERS)
        values[parameter.name] = np.array([abs(value) + 1e-3 if parameter.name in POSITIVE else value])
    return law, values


def curve(law, draw, x):
    return _core.evaluate_law(
        law.compiled, np.array([[float(v[0]) for v in draw.values()]]), np.asarray(x, float)
    )[0]


@given(law_and_draw(), st.floats(-1e3, 1e3))
def test_finite_everywhere(case, x):
    law, draw = case
    assert np.isfinite(curve(law, draw, [x])).all()
    assert np.isfinite(law.log_learning_rate(np, x, **draw)).all()


@given(law_and_draw(), st.floats(-25.0, 25.0), st.floats(-10.0, 10.0))
def test_the_scale_is_additive_and_the_noise_scale_moves_the_curve_sideways(case, x, shift):
    law, draw = case
    scale = law.parameters[0].name
    before = curve(law, draw, [x])
    moved = {**draw, scale: draw[scale] + shift}
    assert curve(law, moved, [x]) == pytest.approx(before + shift, abs=1e-12)
    if law.has_noise_scale:
        sideways = {**draw, "log_noise_scale": draw["log_noise_scale"] + shift}
        assert curve(law, sideways, [x + shift]) == pytest.approx(before, abs=1e-12)


@given(law_and_draw(), st.lists(st.floats(-60.0, 60.0), min_size=1, max_size=20))
def test_nothing_exceeds_the_supremum_and_slopes_lie_between_the_limits(case, x):
    law, draw = case
    assert curve(law, draw, x).max() <= law.log_supremum(draw)[0] + 1e-12
    small, large = (slope[0] for slope in law.asymptotic_slopes(draw))
    points = np.sort(np.asarray(x))
    rise = np.diff(curve(law, draw, points))
    # The saturating law falls past its peak and then levels off: only the size of its slope is bounded.
    if law.name != "saturating_surge":
        assert np.all(rise <= small * np.diff(points) + 1e-11)
        assert np.all(rise >= large * np.diff(points) - 1e-11)
    else:
        assert np.all(np.abs(rise) <= 0.5 * np.diff(points) + 1e-11)


@given(law_and_draw(), st.floats(-50.0, 50.0))
def test_the_peak_is_the_highest_point(case, x):
    law, draw = case
    peak = LawDraws.of(law, draw).peak()[0]
    if np.isfinite(peak):
        assert curve(law, draw, [x])[0] <= curve(law, draw, [peak])[0] + 1e-12
    elif peak > 0:
        assert curve(law, draw, [x])[0] <= curve(law, draw, [x + 1.0])[0] + 1e-12
    elif peak < 0:
        assert curve(law, draw, [x])[0] >= curve(law, draw, [x + 1.0])[0] - 1e-12


@given(
    st.integers(1, 60),
    st.integers(1, 40),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5),
    st.integers(0, 9),
)
@settings(max_examples=50)
def test_quantiles_are_numpys(draws, sizes, probabilities, seed):
    rng = np.random.default_rng(seed)
    law = LAWS["broken_power"]
    parameters = {name: rng.normal(0.5, 0.5, draws) for name in law.parameter_names}
    batch_size = np.exp(rng.normal(0, 5, sizes))
    expected = np.quantile(LawDraws.of(law, parameters).optimum(batch_size), probabilities, axis=0)
    np.testing.assert_allclose(
        LawDraws.of(law, parameters).quantiles(batch_size, probabilities), expected, rtol=1e-12, atol=1e-12
    )


@given(st.floats(0.05, 5.0), st.floats(-3.0, 3.0), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_the_valley_is_convex_and_lowest_at_zero(rate, asymmetry, a, b):
    h = loss_surface.valley(np, np.array([a, b, 0.5 * (a + b)]), rate, asymmetry)
    assert np.all(h >= 0.0)
    assert h[2] <= 0.5 * (h[0] + h[1]) * (1 + 1e-12) + 1e-12
    assert loss_surface.valley(np, 0.0, rate, asymmetry) == 0.0


@given(st.floats(0.05, 5.0), st.floats(-3.0, 3.0), st.floats(-1e3, 1e3))
def test_turning_the_valley_around_mirrors_it(rate, asymmetry, u):
    mirrored = loss_surface.valley(np, -u, rate, -asymmetry)
    assert loss_surface.valley(np, u, rate, asymmetry) == pytest.approx(mirrored, rel=1e-12, abs=1e-300)
