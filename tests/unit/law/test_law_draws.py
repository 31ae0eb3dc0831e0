"""Draws of a law: shapes, orders, refusals, and laws without a compiled form."""

import re
from dataclasses import replace

import numpy as np
import pytest
from surge_fit.errors import InputError
from surge_fit.law import LAWS, Landscape, LawDraws
from surge_fit.model import loss_surface

SURGE = LAWS["surge"]
DRAWS = {"log_max_learning_rate": np.array([-6.0, -7.0, -6.5]), "log_noise_scale": np.array([4.0, 5.0, 6.0])}
BATCH_SIZES = [16.0, 256.0]
LANDSCAPE = {
    "log_curvature": np.array([-3.0, -3.1, -2.9]), "curvature_slope": 0.1,
    "reference_log_batch_size": np.log(64.0),
    "rate": np.array([0.6, 0.7, 0.8]), "asymmetry": 1.2,
    "wall": 2.0, "wall_width": 0.3, "divergence_cost": 2.0,
}  # fmt: skip


def test_evaluate_has_draws_in_rows_and_batch_sizes_in_columns():
    curves = LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES)
    assert curves.shape == (3, 2)
    # ε/ε_max = 2/(√(B_noise/B) + √(B/B_noise)).
    ratio = np.exp(5.0) / 256.0
    assert curves[1, 1] == pytest.approx(-7.0 + np.log(2.0 / (ratio**0.5 + ratio**-0.5)), rel=1e-14)


def test_one_number_holds_for_all_draws_and_other_names_are_ignored():
    mixed = {"log_max_learning_rate": -6.0, "log_noise_scale": DRAWS["log_noise_scale"], "other": np.ones(7)}
    assert LawDraws.of(SURGE, mixed).optimum(64.0).shape == (3, 1)
    both = {**DRAWS, "log_max_learning_rate": np.full(3, -6.0)}
    np.testing.assert_array_equal(LawDraws.of(SURGE, mixed).parameters, LawDraws.of(SURGE, both).parameters)


def test_out_is_written_and_returned():
    out = np.full((3, 2), np.nan)
    assert LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES, out=out) is out
    np.testing.assert_array_equal(out, LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES))
    own = replace(SURGE, compiled=None)
    assert LawDraws.of(own, DRAWS).optimum(BATCH_SIZES, out=out) is out


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((2, 2)), "'out' must have shape (draw, batch_size) = [3, 2]; got [2, 2]."),
        (np.empty((2, 3)).T, "'out' must be writable, C-contiguous and none of the other arguments."),
    ],
)
def test_an_unusable_out_is_refused(out, message):
    with pytest.raises(InputError, match=re.escape(message)):
        LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES, out=out)


def test_a_read_only_out_is_refused():
    out = np.empty((3, 2))
    out.flags.writeable = False
    with pytest.raises(InputError, match="'out' must be writable"):
        LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES, out=out)


def test_arrays_of_any_layout_and_number_are_accepted():
    table = np.asfortranarray(np.stack(list(DRAWS.values()), axis=1))
    strided = {name: np.repeat(values, 2)[::2] for name, values in DRAWS.items()}
    expected = LawDraws.of(SURGE, DRAWS).optimum(BATCH_SIZES)
    np.testing.assert_array_equal(LawDraws.of(SURGE, strided).optimum(np.array([16, 256])), expected)
    views = {"log_max_learning_rate": table[:, 0], "log_noise_scale": table[:, 1]}
    np.testing.assert_array_equal(LawDraws.of(SURGE, views).optimum(BATCH_SIZES), expected)


@pytest.mark.parametrize(
    ("draws", "batch_size", "message"),
    [
        ({"log_noise_scale": [4.0]}, 1.0, "missing: log_max_learning_rate, found: log_noise_scale"),
        ({**DRAWS, "log_noise_scale": np.ones((2, 3))}, 1.0, "log_noise_scale: (2, 3)"),
        ({**DRAWS, "log_noise_scale": np.ones(2)}, 1.0, "one shape (draw,)"),
        (
            {**DRAWS, "log_noise_scale": [1.0, np.nan, 2.0]},
            1.0,
            "'log_noise_scale' must be finite; got nan at draw 1",
        ),
        (DRAWS, [16.0, 0.0], "'batch_size' must be positive and finite; got 0 at index 1"),
        (DRAWS, [16.0, np.inf], "'batch_size' must be positive and finite; got inf at index 1"),
        (DRAWS, [[16.0]], "got shape (1, 1)"),
    ],
)
def test_refusals_say_what_was_found_and_where(draws, batch_size, message):
    with pytest.raises(InputError, match=re.escape(message)):
        LawDraws.of(SURGE, draws).optimum(batch_size)


def test_quantiles_are_numpys_with_and_without_offset():
    rng = np.random.default_rng(1)
    draws = {"log_max_learning_rate": rng.normal(-6, 1, 1001), "log_noise_scale": rng.normal(5, 1, 1001)}
    sizes = np.geomspace(1, 1e5, 70)
    probabilities = [0.0, 0.05, 0.31, 0.5, 0.95, 1.0]
    offset = rng.normal(0, 0.1, (1001, 70))
    curves = LawDraws.of(SURGE, draws).optimum(sizes)
    for shift, shifted in ((None, curves), (offset, curves + offset)):
        found = LawDraws.of(SURGE, draws).quantiles(sizes, probabilities, offset=shift)
        np.testing.assert_allclose(found, np.quantile(shifted, probabilities, axis=0), rtol=1e-12)


def test_a_column_with_nan_has_no_quantile():
    offset = np.zeros((3, 2))
    offset[1, 1] = np.nan
    found = LawDraws.of(SURGE, DRAWS).quantiles(BATCH_SIZES, [0.5], offset=offset)
    assert np.isfinite(found[0, 0])
    assert np.isnan(found[0, 1])


def regret_by_numpy(law, draws, batch_size, candidates, offset=0.0):
    optima = LawDraws.of(law, draws).optimum(batch_size) + offset
    u = candidates[None, :, :] - optima[:, :, None]
    column = {name: np.reshape(value, (-1, 1, 1)) for name, value in LANDSCAPE.items()}
    distance = np.log(np.reshape(batch_size, (1, -1, 1)) / 64.0)
    curvature = np.exp(column["log_curvature"] + column["curvature_slope"] * distance)
    diverges = loss_surface.divergence_probability(np, u, column["wall"], column["wall_width"])
    loss = curvature * loss_surface.valley(np, u, column["rate"], column["asymmetry"])
    regret = (1 - diverges) * loss + diverges * np.maximum(LANDSCAPE["divergence_cost"], loss)
    return regret.mean(axis=0), diverges.mean(axis=0)


@pytest.mark.parametrize("shift", [None, np.array([[0.1, -0.2], [0.0, 0.3], [-0.1, 0.2]])])
def test_expected_regret_is_the_mean_over_draws(shift):
    candidates = np.array([[-9.0, -7.0, -5.0, -2.0], [-8.0, -6.0, -4.0, 0.0]])
    found = LawDraws.of(SURGE, DRAWS).regret(BATCH_SIZES, candidates, Landscape(**LANDSCAPE), offset=shift)
    expected = regret_by_numpy(SURGE, DRAWS, BATCH_SIZES, candidates, 0.0 if shift is None else shift)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_without_a_wall_nothing_diverges_and_the_optimum_costs_nothing():
    one = {name: values[:1] for name, values in DRAWS.items()}
    optimum = LawDraws.of(SURGE, one).optimum(BATCH_SIZES).T
    no_wall = Landscape(
        log_curvature=-3.0, curvature_slope=0.0, reference_log_batch_size=0.0, rate=0.6, asymmetry=1.6,
        wall=np.inf, wall_width=1.0, divergence_cost=2.0,
    )  # fmt: skip
    regret, divergence = LawDraws.of(SURGE, one).regret(BATCH_SIZES, optimum, no_wall)
    np.testing.assert_array_equal(regret, 0.0)
    np.testing.assert_array_equal(divergence, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.0}, "'rate' must be positive and finite; got 0 at index 0"),
        ({"wall_width": -1.0}, "'wall_width' must be positive"),
        ({"wall": np.nan}, "'wall' must be a number"),
        ({"divergence_cost": -1.0}, "'divergence_cost' must be finite and not negative"),
        ({"asymmetry": np.zeros(2)}, "'asymmetry' must have shape (draw,) = [3]; got [2]"),
        ({"reference_log_batch_size": np.inf}, "'reference_log_batch_size' must be finite"),
    ],
)
def test_a_wrong_landscape_is_refused(change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        LawDraws.of(SURGE, DRAWS).regret(BATCH_SIZES, np.zeros((2, 1)), Landscape(**{**LANDSCAPE, **change}))


def test_an_offset_of_the_wrong_shape_is_refused():
    message = "'offset' must have shape (draw, batch_size) = [3, 2]; got [2, 3]"
    with pytest.raises(InputError, match=re.escape(message)):
        LawDraws.of(SURGE, DRAWS).regret(
            BATCH_SIZES, np.zeros((2, 1)), Landscape(**LANDSCAPE), offset=np.zeros((2, 3))
        )


def test_candidates_belong_to_batch_sizes():
    with pytest.raises(
        InputError, match=re.escape("'log_learning_rate' must have shape (batch_size, candidate)")
    ):
        LawDraws.of(SURGE, DRAWS).regret(BATCH_SIZES, np.zeros((3, 1)), Landscape(**LANDSCAPE))


@pytest.mark.parametrize("name", LAWS)
def test_a_law_of_ones_own_gets_the_same_answers(name):
    law = LAWS[name]
    own = replace(law, name="own", compiled=None)
    rng = np.random.default_rng(3)
    draws = {p.name: rng.normal(0.5, 0.3, 40) for p in law.parameters}
    sizes, offset = np.geomspace(0.1, 100, 9), rng.normal(0, 0.1, (40, 9))
    candidates = np.linspace(-1, 1, 5)[None, :] + np.zeros((9, 1))
    landscape = Landscape(**{**LANDSCAPE, "log_curvature": -3.0, "rate": 0.6})
    for compute, tolerance in (
        (lambda law: LawDraws.of(law, draws).optimum(sizes), 1e-13),
        (lambda law: LawDraws.of(law, draws).gradient(sizes), 1e-9),
        (lambda law: LawDraws.of(law, draws).quantiles(sizes, [0.1, 0.5], offset=offset), 1e-13),
        (lambda law: LawDraws.of(law, draws).quantiles(sizes, [0.1, 0.5]), 1e-13),
        (
            lambda law: LawDraws.of(law, draws).regret(sizes, candidates, landscape, offset=offset),
            1e-12,
        ),
    ):
        np.testing.assert_allclose(compute(own), compute(law), rtol=tolerance, atol=tolerance)


def test_a_law_of_ones_own_must_declare_what_is_asked_of_it():
    own = replace(SURGE, name="own", compiled=None)
    for ask in (own.peak_batch_size, own.log_supremum, own.asymptotic_slopes):
        with pytest.raises(InputError, match="Law 'own' declares no"):
            ask(DRAWS)
    declared = replace(own, peak=lambda log_noise_scale, **_: log_noise_scale)
    np.testing.assert_allclose(declared.peak_batch_size(DRAWS), np.exp(DRAWS["log_noise_scale"]))


def test_an_offset_of_the_wrong_shape_is_refused_for_a_law_of_ones_own():
    with pytest.raises(InputError, match=re.escape("'offset' must have shape (draw, batch_size) = (3, 2)")):
        LawDraws.of(replace(SURGE, compiled=None), DRAWS).quantiles(
            BATCH_SIZES, [0.5], offset=np.zeros((1, 2))
        )


def test_there_must_be_draws_to_reduce():
    empty = {"log_max_learning_rate": np.empty(0), "log_noise_scale": np.empty(0)}
    assert LawDraws.of(SURGE, empty).optimum(BATCH_SIZES).shape == (0, 2)
    with pytest.raises(InputError, match="at least one draw"):
        LawDraws.of(SURGE, empty).quantiles(BATCH_SIZES, [0.5])


def test_the_matrix_is_kept_without_a_copy_and_cannot_be_written():
    matrix = np.stack([DRAWS[name] for name in SURGE.parameter_names], axis=1)
    draws = LawDraws(SURGE, matrix)
    assert np.shares_memory(draws.parameters, matrix)
    with pytest.raises(ValueError, match="read-only"):
        draws.parameters[0, 0] = 1.0
    assert matrix.flags.writeable
    assert LawDraws.of(SURGE, draws) is draws


def test_draws_are_a_mapping_of_the_parameters_and_can_be_thinned():
    draws = LawDraws.of(SURGE, DRAWS)
    assert list(draws) == ["log_max_learning_rate", "log_noise_scale"]
    assert "slope" not in draws
    np.testing.assert_array_equal(draws["log_noise_scale"], [4.0, 5.0, 6.0])
    thinned = draws.take(slice(None, None, 2))
    assert thinned.count == 2
    np.testing.assert_array_equal(thinned["log_noise_scale"], [4.0, 6.0])
    np.testing.assert_array_equal(SURGE.peak_batch_size(draws), np.exp([4.0, 5.0, 6.0]))


def test_a_matrix_must_have_one_column_for_each_parameter():
    with pytest.raises(
        InputError, match=re.escape("must have shape (draw, 2), one column for each of log_max")
    ):
        LawDraws(SURGE, np.zeros((4, 3)))


def test_a_landscape_gives_the_curvature_of_each_draw():
    # κ = exp(log_curvature + 0.1·log(B/64)): at B = 64·e the exponent is raised by 0.1.
    landscape = Landscape(**LANDSCAPE).take(np.array([2, 0]))
    curvature = landscape.curvature(np.log(64.0) + np.array([0.0, 1.0]))
    np.testing.assert_allclose(curvature, np.exp([[-2.9, -2.8], [-3.0, -2.9]]), rtol=1e-14)
    assert landscape.asymmetry == 1.2
