"""Captured gradients are JAX's own, example by example; what cannot be captured is refused."""

import importlib.util

import numpy as np
import pytest
from support.safetensors_files import read_safetensors
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump import open_dump
from surge_fit.gradients.noise import gradient_statistics

if importlib.util.find_spec("jax") is None:
    pytest.skip("JAX is not installed; `uv run --group jax pytest` installs it", allow_module_level=True)

import jax
import jax.numpy as jnp
import optax
from surge_fit.integrations.jax import capture_gradients

EXAMPLES = 12


@pytest.fixture(scope="module")
def problem():
    """A network with one hidden layer, as nested lists and dicts, and its examples."""
    rng = np.random.default_rng(0)
    params = {
        "layers": [
            {"w": rng.standard_normal((5, 4)).astype("f4"), "b": np.zeros(4, "f4")},
            {"w": rng.standard_normal((4, 3)).astype("f4"), "b": np.zeros(3, "f4")},
        ],
        "unused": np.ones(2, "f4"),
    }
    images = rng.standard_normal((EXAMPLES, 5)).astype("f4")
    labels = rng.integers(0, 3, EXAMPLES)
    return params, {"images": images, "labels": labels}


def mean_loss(params, batch):
    first, second = params["layers"]
    hidden = jnp.tanh(batch["images"] @ first["w"] + first["b"])
    logits = hidden @ second["w"] + second["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()


def autograd(params, examples, start, stop):
    """Differentiate one slice of the examples by itself, without vmap or jit, by dotted name."""
    batch = {key: value[start:stop] for key, value in examples.items()}
    found = jax.grad(mean_loss)(jax.tree.map(jnp.asarray, params), batch)
    layers = {f"layers.{k}.{name}": layer[name] for k, layer in enumerate(found["layers"]) for name in "wb"}
    return layers | {"unused": found["unused"]}


@pytest.mark.parametrize(("microbatch_size", "chunk_size"), [(1, None), (1, 5), (3, None), (3, 2)])
def test_every_row_is_the_gradient_of_its_examples(tmp_path, problem, microbatch_size, chunk_size):
    params, examples = problem
    captured = capture_gradients(
        mean_loss,
        params,
        examples,
        tmp_path / "g.safetensors",
        microbatch_size=microbatch_size,
        chunk_size=chunk_size,
        shard_bytes=700,  # 41 float32 numbers are 164 bytes: four rows a file
    )
    rows = EXAMPLES // microbatch_size
    assert (captured.rows, captured.parameters, len(captured.gradients)) == (rows, 41, rows // 4)
    arrays, _ = read_safetensors(*captured.gradients)
    for row in range(rows):
        expected = autograd(params, examples, row * microbatch_size, (row + 1) * microbatch_size)
        assert arrays.keys() == expected.keys()
        for name, gradient in expected.items():
            np.testing.assert_allclose(arrays[name][row], gradient, rtol=1e-5, atol=1e-7)
    dump = open_dump(captured.gradients)
    assert (dump.rows, dump.examples, dump.assumptions) == (rows, EXAMPLES, ())
    assert dump.loss == pytest.approx(float(mean_loss(params, examples)), rel=1e-6)
    assert captured.loss == dump.loss


def test_bfloat16_is_the_nearest_to_float32(tmp_path, problem):
    # bfloat16 has 8 significant bits: rounding moves a number by at most 2^-8 of itself.
    captured = capture_gradients(mean_loss, *problem, tmp_path / "g.safetensors", dtype="bfloat16")
    exact = capture_gradients(mean_loss, *problem, tmp_path / "exact.safetensors")
    arrays, expected = (read_safetensors(*held.gradients)[0] for held in (captured, exact))
    assert {tensor.dtype for tensor in open_dump(captured.gradients).tensors} == {"bfloat16"}
    for name, array in arrays.items():
        np.testing.assert_allclose(array, expected[name], rtol=2**-8, atol=0)
        assert np.all((array.view("u4") & 0xFFFF) == 0)


def test_the_state_of_adam_is_what_optax_holds(tmp_path, problem):
    params, examples = problem
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-2, b1=0.8, b2=0.95, eps=1e-6))
    state = adam.init(params)

    @jax.jit
    def step(params, state):
        updates, state = adam.update(jax.grad(mean_loss)(params, examples), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(3):
        params, state = step(params, state)
    captured = capture_gradients(
        mean_loss,
        params,
        examples,
        tmp_path / "g.safetensors",
        optimizer_state=state,
        betas=(0.8, 0.95),
        eps=1e-6,
        weight_decay=1e-4,
    )
    assert captured.state.name == "g.adam_state.safetensors"
    arrays, told = read_safetensors(captured.state)
    wanted = {"step": 3, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 1e-4}
    assert {key: float(value) for key, value in told.items()} == wanted
    assert open_dump(captured.gradients).step == 3
    held = state[1][0]
    np.testing.assert_array_equal(arrays["layers.1.w.exp_avg"], held.mu["layers"][1]["w"])
    np.testing.assert_array_equal(arrays["layers.0.b.exp_avg_sq"], held.nu["layers"][0]["b"])
    assert len(arrays) == 2 * 5


def test_hutchinson_is_exact_where_the_hessian_is_diagonal(tmp_path):
    # loss = ½ mean_n Σ_i a_i x_ni² w_i²: the Hessian is diagonal with entries a_i mean_n x_ni², and
    # z_i (Hz)_i = H_ii z_i² = H_ii for every sign vector.
    curvatures = np.array([1.0, -2.0, 3.0], "f4")
    examples = np.random.default_rng(0).standard_normal((7, 3)).astype("f4")
    captured = capture_gradients(
        lambda w, x: jnp.mean(0.5 * jnp.sum(curvatures * x**2 * w**2, axis=-1)),
        np.ones(3, "f4"),
        examples,
        tmp_path / "g.safetensors",
        hessian_probes=1,
        chunk_size=2,
    )
    arrays, told = read_safetensors(captured.hessian_diagonal)
    np.testing.assert_allclose(
        arrays["parameters.hessian_diagonal"], curvatures * (examples**2).mean(axis=0), rtol=1e-5
    )
    assert told == {"probes": "1", "seed": "0"}


def test_hutchinson_meets_the_exact_diagonal_within_its_variance(tmp_path, problem):
    params, examples = problem
    probes = 60
    captured = capture_gradients(
        mean_loss, params, examples, tmp_path / "g.safetensors", hessian_probes=probes, random_seed=3
    )
    flat, restore = jax.flatten_util.ravel_pytree(jax.tree.map(jnp.asarray, params))
    hessian = np.asarray(jax.hessian(lambda theta: mean_loss(restore(theta), examples))(flat))
    exact = restore(jnp.diag(hessian))
    error = np.sqrt((hessian**2).sum(axis=1) - np.diag(hessian) ** 2) / np.sqrt(probes)
    arrays, _ = read_safetensors(captured.hessian_diagonal)
    for k, layer in enumerate(exact["layers"]):
        spread = restore(jnp.asarray(error))["layers"][k]
        for name in "wb":
            deviation = np.abs(arrays[f"layers.{k}.{name}.hessian_diagonal"] - layer[name])
            assert np.all(deviation <= 4.5 * spread[name] + 1e-6)
            assert np.any(deviation > 0)


def test_the_same_seed_gives_the_same_files(tmp_path, problem):
    first, again, other = (
        capture_gradients(
            mean_loss, *problem, tmp_path / f"{k}.safetensors", hessian_probes=2, random_seed=k // 2
        )
        for k in range(3)
    )
    assert first.gradients[0].read_bytes() == again.gradients[0].read_bytes()
    assert first.hessian_diagonal.read_bytes() == again.hessian_diagonal.read_bytes()
    assert first.hessian_diagonal.read_bytes() != other.hessian_diagonal.read_bytes()


def test_progress_runs_from_nothing_to_all(tmp_path, problem):
    told = []
    capture_gradients(
        mean_loss,
        *problem,
        tmp_path / "g.safetensors",
        chunk_size=5,
        hessian_probes=1,
        progress=lambda *held: told.append(held),
    )
    assert [held for held in told if held[0] == "capturing gradients"] == [
        ("capturing gradients", rows * 164, 12 * 164) for rows in (0, 5, 10, 12)
    ]
    assert told[-1] == ("estimating the Hessian's diagonal", 12, 12)


def test_the_captured_dump_is_measured_like_any_other(tmp_path, problem):
    captured = capture_gradients(mean_loss, *problem, tmp_path / "g.safetensors")
    arrays, _ = read_safetensors(*captured.gradients)
    flat = np.concatenate([array.reshape(EXAMPLES, -1) for array in arrays.values()], axis=1).astype("f8")
    found = gradient_statistics(captured.gradients)
    assert found.total.gradient_covariance_trace.value == pytest.approx(
        flat.var(axis=0, ddof=1).sum(), rel=1e-6
    )


def test_a_gradient_that_is_not_finite_is_refused_by_row(tmp_path, problem):
    params, examples = problem
    broken = {**examples, "images": examples["images"].copy()}
    broken["images"][7, 2] = np.nan
    with pytest.raises(DumpError, match="row 7"):
        capture_gradients(mean_loss, params, broken, tmp_path / "g.safetensors", chunk_size=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": np.zeros((5, 5), "f4")}, r"images has 5, labels has 12. Pad ragged"),
        (
            {"images": np.zeros((0, 5), "f4"), "labels": np.zeros(0, int)},
            "at least one example; it holds none",
        ),
        ({"weight": np.float32(2)}, "weight is a single number"),
    ],
)
def test_ragged_empty_and_scalar_examples_are_refused(tmp_path, problem, change, said):
    params, examples = problem
    with pytest.raises(InputError, match=said):
        capture_gradients(mean_loss, params, examples | change, tmp_path / "g.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"microbatch_size": 5}, "must divide the number of examples.*got 5 for 12 examples"),
        ({"microbatch_size": 0}, "'microbatch_size' must be at least 1"),
        ({"chunk_size": 0}, "'chunk_size' must be at least 1"),
        ({"hessian_probes": -1}, "'hessian_probes' must be at least 0"),
        ({"optimizer_state": optax.adam(1.0).init({})}, "pass 'betas' and 'eps'"),
        (
            {"optimizer_state": optax.sgd(1.0).init({}), "betas": (0.9, 0.999), "eps": 1e-8},
            "moments of one Adam; it holds 0",
        ),
        (
            {"optimizer_state": optax.adam(1.0).init({"a": jnp.ones(2)}), "betas": (0.9, 0.999), "eps": 1e-8},
            r"moments for the tensors of 'params' and no others; .* in one alone",
        ),
    ],
)
def test_options_that_cannot_be_used_are_refused(tmp_path, problem, options, said):
    with pytest.raises(InputError, match=said):
        capture_gradients(mean_loss, *problem, tmp_path / "g.safetensors", **options)
    assert list(tmp_path.iterdir()) == []


def test_parameters_that_are_no_floats_or_share_a_name_are_refused(tmp_path, problem):
    _, examples = problem
    with pytest.raises(InputError, match="'count' is of int32"):
        capture_gradients(mean_loss, {"count": np.ones(2, "i4")}, examples, tmp_path / "g.safetensors")
    alike = {"a": {"b": np.ones(1, "f4")}, "a.b": np.ones(1, "f4")}
    with pytest.raises(InputError, match=r"its own name; a.b occurs twice"):
        capture_gradients(mean_loss, alike, examples, tmp_path / "g.safetensors")


def differentiated_by_nobody(params, batch):
    msg = "the loss was evaluated"
    raise AssertionError(msg)


def test_a_state_file_that_is_there_stops_before_anything_is_computed(tmp_path, problem):
    (tmp_path / "g.hessian_diagonal.safetensors").write_text("precious")
    with pytest.raises(DumpError, match=r"hessian_diagonal\.safetensors' exists"):
        capture_gradients(differentiated_by_nobody, *problem, tmp_path / "g.safetensors", hessian_probes=1)


def test_the_digits_network_gives_the_gradients_state_and_curvature_that_were_dumped(tmp_path, shared_data):
    # The files were made from this network's weights with another program, in float64.
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn, which has the digits, is missing"
    )
    folder = shared_data / "digits_mlp"
    weights, _ = read_safetensors(folder / "step00010.weights.safetensors")
    images, labels = datasets.load_digits(return_X_y=True)

    def loss(params, batch):
        hidden = jnp.tanh(batch[0] @ params["hidden"]["weight"].T + params["hidden"]["bias"])
        logits = hidden @ params["output"]["weight"].T + params["output"]["bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    params = {
        layer: {kind: weights[f"{layer}.{kind}"] for kind in ("weight", "bias")}
        for layer in ("hidden", "output")
    }
    captured = capture_gradients(
        loss, params, ((images / 16).astype("f4"), labels), tmp_path / "g.safetensors", hessian_probes=200
    )
    arrays, _ = read_safetensors(*captured.gradients)
    expected, _ = read_safetensors(folder / "step00010.all_examples.safetensors")
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(arrays[name], array, rtol=2e-4, atol=2e-6)
    # Hutchinson's standard error of the trace from 200 probes is sqrt(2 (|H|² - |diag H|²) / 200).
    hessian = read_safetensors(folder / "step00010.hessian.safetensors")[0]["hessian"].astype("f8")
    error = np.sqrt(2 * ((hessian**2).sum() - (np.diag(hessian) ** 2).sum()) / 200)
    diagonal, _ = read_safetensors(captured.hessian_diagonal)
    dumped, _ = read_safetensors(folder / "step00010.hessian_diagonal.safetensors")
    assert diagonal.keys() == dumped.keys()
    trace, exact = (sum(float(array.sum()) for array in held.values()) for held in (diagonal, dumped))
    assert abs(trace - exact) < 4 * error
