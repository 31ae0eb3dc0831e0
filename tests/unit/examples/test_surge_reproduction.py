"""The pieces of examples/surge_reproduction: what is called measured is a measurement."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

if any(importlib.util.find_spec(name) is None for name in ("jax", "optax", "sklearn")):
    pytest.skip("no JAX, Optax or scikit-learn here; `--group examples` has them", allow_module_level=True)

sys.path.append(str(Path(__file__).parents[3] / "examples" / "surge_reproduction"))

import figure
import jax
import line_search
import networks
import optax
import predictions
import reproduce
import signs

EXAMPLES = 48


@pytest.fixture(scope="module")
def examples():
    return networks.population(EXAMPLES)


@pytest.fixture(scope="module", params=networks.NETWORKS, ids=lambda network: network.name)
def checkpoint(request):
    return next(networks.train(request.param, (3,)))


@pytest.mark.parametrize(("name", "side", "channels"), [("conv1", 8, 1), ("conv2", 4, networks.CHANNELS[0])])
def test_the_matrix_of_a_convolution_is_the_convolution(name, side, channels):
    rng = np.random.default_rng(0)
    outputs = networks.PLACES[name].shape[1] // (side // 2) ** 2
    images = rng.standard_normal((2, side, side, channels)).astype("f4")
    weights = rng.standard_normal((3, 3, channels, outputs)).astype("f4")
    expected = jax.lax.conv_general_dilated(
        images, weights, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    matrix = np.append(weights.ravel(), 0.0)[networks.PLACES[name]]
    np.testing.assert_allclose(images.reshape(2, -1) @ matrix, expected.reshape(2, -1), atol=1e-5)


def test_training_takes_the_steps_it_says(checkpoint):
    assert int(checkpoint.optimizer_state[0].count) == checkpoint.step == 3


def test_the_hessian_is_that_of_the_mean_loss(examples):
    # (∇L(θ + hv) − ∇L(θ − hv)) / 2h = Hv + O(h²); the network is smooth, the other one is not.
    checkpoint = next(networks.train(networks.NETWORKS[1], (3,)))
    flat, restore = jax.flatten_util.ravel_pytree(checkpoint.params)
    gradient = jax.jit(jax.grad(lambda theta: checkpoint.network.mean_loss(restore(theta), examples)))
    direction = np.random.default_rng(0).standard_normal(flat.size).astype("f4")
    direction /= np.linalg.norm(direction)
    expected = (gradient(flat + 1e-2 * direction) - gradient(flat - 1e-2 * direction)) / 2e-2
    found = networks.hessian(checkpoint, examples) @ direction
    assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)


def test_the_direction_of_adam_is_the_update_of_optax(checkpoint, examples):
    gradients = networks.flat_gradients(checkpoint, examples)
    _, restore = jax.flatten_util.ravel_pytree(checkpoint.params)
    taken = line_search.directions("adam", gradients[:2], checkpoint)
    adam = optax.adam(1.0)
    for row, gradient in enumerate(gradients[:2]):
        update, _ = adam.update(restore(gradient), checkpoint.optimizer_state)
        expected = -jax.flatten_util.ravel_pytree(update)[0]
        np.testing.assert_allclose(taken[row], expected, rtol=2e-4, atol=1e-5)


def test_the_search_finds_the_minimum_of_the_mean_over_minibatches():
    # losses 1 − a_k ε + ½ b ε² with mean a = 0.2, b = 40: minimum at 0.005, drop a²/2b = 5e-4. The slope in
    # log ε at the minimum is −a_k ε + b ε², its mean curvature b ε²: standard error sd(a)/(a √K).
    gains = np.random.default_rng(0).normal(0.2, 0.05, 256)
    gains += 0.2 - gains.mean()

    def losses(rate, blocks=None):
        return (1 - gains * rate + 20 * rate**2)[: None if blocks is None else blocks * line_search.AT_ONCE]

    found = line_search.best_rate(losses, 0.3, at_rest=1.0)
    assert found.learning_rate == pytest.approx(0.005, rel=0.02)
    assert found.loss_drop == pytest.approx(5e-4, rel=0.02)
    assert found.standard_error == pytest.approx(gains.std(ddof=1) / 0.2 / 16, rel=0.1)


def test_a_direction_that_never_descends_has_no_best_rate():
    found = line_search.best_rate(lambda rate, blocks=None: np.full(64, 1 + rate), 0.3, at_rest=1.0)
    assert np.isnan(found.learning_rate)
    assert found.loss_drop == 0


def test_signs_of_gaussian_gradients_agree_with_the_theory_and_one_shared_factor_does_not():
    # Independent: 400 minibatches of 8 scatter VᵀHV of 64 parameters little. All gradients equal: V is ±1
    # everywhere, VᵀV' = 64² with H = 11ᵀ, against 64 (1 − m²) + (64 m)² for independent signs of mean m.
    rng = np.random.default_rng(0)
    ones = np.ones((64, 64), "f4")
    alone = signs.compare_signs((0.2 + rng.standard_normal((4000, 64))).astype("f4"), ones, 8)
    assert alone.excess < 0.06
    assert alone.correlation == pytest.approx(1, abs=0.1)
    shared = np.repeat((0.2 + rng.standard_normal((4000, 1))).astype("f4"), 64, axis=1)
    together = signs.compare_signs(shared, ones, 8)
    mean = together.predicted[0]
    assert together.correlation == pytest.approx(64**2 / (64 * (1 - mean**2) + (64 * mean) ** 2), rel=1e-3)


def test_a_small_study_yields_what_the_page_is_drawn_from(examples, monkeypatch):
    monkeypatch.setattr(line_search, "MOST", line_search.AT_ONCE)
    monkeypatch.setattr(line_search, "FEWEST", line_search.AT_ONCE)
    monkeypatch.setattr(predictions, "BATCH_SIZES", (1, 4, 64))
    monkeypatch.setattr(reproduce, "SIGN_BATCH_SIZES", (4,))
    found = list(reproduce.study(networks.NETWORKS[1], examples, checkpoints=(3, 5), batch_sizes=(1, 8)))
    found = json.loads(json.dumps(found, allow_nan=False))
    assert [held["step"] for held in found] == [3, 5]
    for held in found:
        assert held["predicted"]["adam"]["batch_size"] == [1, 4, 64]
        assert len(held["measured"]["sgd"]["learning_rate"]) == 2
    whole = {"batch_size": [1, 8], "learning_rate": [1e-3, 2e-3], "interval": [10.0, 30.0]}
    page = figure.draw({"networks": {"first": found, "second": found[:1]}, "whole_runs": whole})
    assert len(page.axes) == 9
    assert all(axis.get_title(loc="left") for axis in page.axes)
    page.canvas.draw()
