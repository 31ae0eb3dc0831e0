"""Learning-rate curves on problems whose answer is known in closed form, and on input that cannot serve."""

import math

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors

SIZES = [1, 4, 16]


def curve_of(gradients, **options):
    return sf.learning_rate_curve({"w": np.asarray(gradients, dtype=np.float32)}, **options)


def holds(interval, value):
    return interval[0] <= value <= interval[1]


def independent(rows, parameters, seed):
    """Gaussian gradients without correlation: means over deviations of ±0.1 to ±0.4."""
    random = np.random.default_rng(seed)
    deviation = random.uniform(0.5, 2.0, parameters)
    mean = random.uniform(0.1, 0.4, parameters) * random.choice([-1, 1], parameters) * deviation
    return mean, deviation, mean + deviation * random.standard_normal((rows, parameters))


def theorem_2(mean, deviation, diagonal, size):
    """With a diagonal H the denominator is its trace."""
    return (np.vectorize(math.erf)(math.sqrt(size / 2) * mean / deviation) @ mean) / diagonal.sum()


def test_independent_gaussian_gradients_follow_theorem_2():
    """Ten problems, three batch sizes each: 95 % intervals hold the truth in 24 cases of 30 or more."""
    theory = resampled = 0
    for seed in range(10):
        mean, deviation, gradients = independent(240, 150, seed)
        diagonal = np.random.default_rng(seed).uniform(0.5, 2.0, 150)
        curve = curve_of(
            gradients, optimizer="sign", curvature=np.diag(diagonal), batch_size=SIZES, random_seed=seed
        )
        for point in curve.points:
            truth = theorem_2(mean, deviation, diagonal, point.batch_size)
            theory += holds(point.theory.interval, truth)
            resampled += holds(point.resampled.interval, truth)
            assert point.resampled.learning_rate == pytest.approx(truth, rel=0.2)
        assert curve.verdict.agrees
    assert theory >= 24
    assert resampled >= 24


def test_signs_that_are_all_the_same_make_the_theory_wrong_by_the_number_of_parameters():
    """g = (m + z)·a: every V is ±1 throughout, VᵀHV = 1ᵀH1 = P² for H of ones, not about P."""
    random = np.random.default_rng(0)
    scale = random.uniform(0.5, 1.5, 50)
    gradients = (0.2 + random.standard_normal((400, 1))) * scale
    curve = curve_of(
        gradients, optimizer="sign", curvature=np.ones((50, 50)), batch_size=[1, 2, 16], resamples=400
    )
    first = curve.points[0]
    expected = math.erf(0.2 / math.sqrt(2)) * 0.2 * scale.sum() / 50**2
    assert holds(first.resampled.interval, expected)
    assert first.quadratic_form_ratio > 10
    assert curve.verdict.agrees is False
    assert curve.verdict.factor > 10
    assert "independence of parameters fails here" in curve.verdict.text
    assert curve.signs[-1].effective_signs[0] == pytest.approx(1.0, rel=0.1)


def test_independent_signs_count_as_many_as_there_are():
    _, _, gradients = independent(300, 200, 1)
    curve = curve_of(gradients, optimizer="sign", batch_size=[1, 4], resamples=300)
    check = curve.signs[-1]
    assert check.effective_signs[0] > 120
    assert check.agreement[0] == pytest.approx(1.0, abs=0.1)
    assert check.disagreement[0] < 0.05
    assert abs(check.excess_kurtosis[0]) < 0.1


def test_a_spike_is_not_gaussian_and_its_signs_show_it():
    """Nine rows of ten are -0.1 and one is 2: μ = 0.11 > 0, but 90 % of the signs are negative."""
    random = np.random.default_rng(3)
    gradients = np.where(random.random((300, 100)) < 0.1, 2.0, -0.1)
    check = curve_of(gradients, optimizer="sign", batch_size=[1], resamples=300).signs[-1]
    assert check.agreement[0] < 0
    assert check.disagreement[0] > 0.5
    assert check.excess_kurtosis[0] > 3


def test_parameters_without_a_mean_are_said_to_be_unresolved():
    gradients = np.random.default_rng(4).standard_normal((200, 300))
    curve = curve_of(gradients, optimizer="sign", curvature=np.eye(300), batch_size=[1, 8])
    assert curve.unresolved_parameters > 0.9
    assert curve.unresolved_curvature > 0.9
    assert curve.noise_scale is None
    assert any("Theorem 3 has no noise scale" in note for note in curve.notes)


def test_one_example_repeated_has_one_answer():
    """Nothing varies: V = sign(g) at every batch size, and ε = Σ|g|/sᵀHs."""
    gradient = np.array([0.5, -1.0, 2.0, 0.25])
    hessian = np.array([[2, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 3, 0.1], [0, 0, 0.1, 1]])
    signs = np.sign(gradient)
    expected = np.abs(gradient).sum() / (signs @ hessian @ signs)
    curve = curve_of(np.tile(gradient, (30, 1)), optimizer="sign", curvature=hessian, batch_size=[1, 5, 100])
    for point in curve.points:
        assert point.theory.learning_rate == pytest.approx(expected)
        assert point.resampled.learning_rate in (None, pytest.approx(expected))
    assert curve.limit == pytest.approx(expected)


def test_adam_without_memory_is_sign_descent(tmp_path):
    _, _, gradients = independent(60, 40, 2)
    arrays = {f"w.{key}": np.ones(40, dtype=np.float32) for key in ("exp_avg", "exp_avg_sq")}
    state = write_safetensors(tmp_path / "s.safetensors", arrays, beta1=0, beta2=0, eps=1e-30, step=7)
    adam = curve_of(gradients, optimizer="adam", state=state, batch_size=SIZES)
    sign = curve_of(gradients, optimizer="sign", batch_size=SIZES)
    for one, other in zip(adam.points, sign.points, strict=True):
        assert one.resampled.learning_rate == pytest.approx(other.resampled.learning_rate, rel=1e-5)


def test_momentum_and_weight_decay_are_part_of_the_update(tmp_path):
    """V = 0.5·1 + g + 0.1·2 for every parameter: at the batch of all but one row nearly 0.7 + μ."""
    gradients = 1.0 + np.random.default_rng(0).standard_normal((50, 6))
    buffer = write_safetensors(
        tmp_path / "b.safetensors", {"w.momentum_buffer": np.ones(6, dtype=np.float32)}, momentum=0.5
    )
    weights = write_safetensors(tmp_path / "w.safetensors", {"w": np.full(6, 2.0, dtype=np.float32)})
    options = {"optimizer": "sgd", "curvature": np.eye(6), "state": buffer, "batch_size": [49, 10**6]}
    curve = curve_of(gradients, weights=weights, weight_decay=0.1, resamples=100, **options)
    g = gradients.mean(axis=0)
    expected = g @ (0.7 + g) / ((0.7 + g) @ (0.7 + g))
    assert curve.points[0].resampled.learning_rate == pytest.approx(expected, rel=0.05)
    assert curve.points[1].theory.learning_rate == pytest.approx(expected, rel=0.05)


def test_a_dump_gives_the_same_curve_in_parts_of_files_and_of_seeds(tmp_path):
    arrays = {n: a.astype(np.float32) for n, a in gaussian(40, {"a": (700,), "b": (30, 4)}).items()}
    whole = sf.learning_rate_curve(arrays, "sign", resamples=10)
    again = sf.learning_rate_curve(arrays, "sign", resamples=10)
    other = sf.learning_rate_curve(arrays, "sign", resamples=10, random_seed=1)
    halves = [
        write_safetensors(tmp_path / f"{part}.safetensors", {n: a[rows] for n, a in arrays.items()})
        for part, rows in enumerate((slice(0, 15), slice(15, 40)))
    ]
    split = sf.learning_rate_curve(halves, "sign", resamples=10)
    assert whole.points == again.points == split.points
    assert whole.points != other.points


def test_rows_of_micro_batches_count_their_examples():
    """Rows that are means of two examples: a batch of 4 examples is one of 2 rows."""
    _, _, gradients = independent(40, 30, 0)
    dump = sf.open_dump({"w": gradients.astype(np.float32)}, microbatch_size=2)
    of_examples = sf.learning_rate_curve(dump, "sign", batch_size=[2, 3, 4])
    of_rows = curve_of(gradients, optimizer="sign", batch_size=[1, 1.5, 2])
    for one, other in zip(of_examples.points, of_rows.points, strict=True):
        assert one.resampled == other.resampled
        assert one.theory == other.theory
    assert of_examples.points[1].flags[0] == "not_whole_rows"
    assert of_examples.noise_scale == pytest.approx(2 * of_rows.noise_scale)


def test_what_the_rows_do_not_support_is_flagged():
    _, _, gradients = independent(40, 30, 0)
    points = curve_of(gradients, optimizer="sign", batch_size=[10, 16, 40, 64]).points
    assert [point.resampled.learning_rate is None for point in points] == [False, False, True, True]
    assert ["beyond_quarter_of_rows" in point.flags for point in points] == [False, True, True, True]
    assert ["no_disjoint_rows" in point.flags for point in points] == [False, False, True, True]


def test_negative_curvature_is_a_flag_and_no_number():
    _, _, gradients = independent(40, 30, 0)
    for optimizer in ("sign", "sgd"):
        curve = curve_of(gradients, optimizer=optimizer, curvature=-np.eye(30), batch_size=[1, 4])
        for point in curve.points:
            assert point.resampled.learning_rate is None
            assert point.theory.learning_rate is None
            assert {"negative_curvature", "theory_negative_curvature"} <= set(point.flags)
        assert curve.verdict.agrees is None


def test_a_diagonal_gives_the_theory_its_scale_and_minibatches_a_shape():
    mean, deviation, gradients = independent(200, 50, 0)
    diagonal = np.random.default_rng(0).uniform(0.5, 2.0, 50)
    curve = curve_of(gradients, optimizer="sign", curvature=diagonal, batch_size=[4])
    (point,) = curve.points
    assert point.theory.best == pytest.approx(theorem_2(mean, deviation, diagonal, 4), rel=0.2)
    assert not point.resampled.scale_known
    assert any("diagonal knows nothing" in note for note in curve.notes)


def test_rows_that_are_not_finite_are_left_out_and_named():
    _, _, gradients = independent(40, 30, 0)
    broken = gradients.copy()
    broken[7, 3] = math.inf
    curve = curve_of(broken, optimizer="sign", batch_size=[1])
    assert curve.dropped_examples == ("memory[7]",)
    assert curve.examples == 39
    assert math.isfinite(curve.points[0].resampled.learning_rate)


GOOD = np.random.default_rng(0).standard_normal((20, 6)) + 1.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer": "lion"}, "'optimizer' must be 'sgd', 'sign' or 'adam'; got 'lion'"),
        ({"optimizer": "adam"}, "Adam's update needs its state"),
        ({"state": "x.safetensors"}, "'state' has no use here"),
        ({"curvature": np.eye(5)}, r"shape \(6, 6\) of the dump's parameters; a Hessian has \(5, 5\)"),
        ({"curvature": np.ones(5)}, r"shape \(6,\) of the dump's parameters; got \(5,\)"),
        ({"curvature": np.full((6, 6), np.nan)}, "must be finite; a Hessian is not"),
        ({"curvature": np.triu(np.ones((6, 6)))}, "must be symmetric"),
        ({"curvature": lambda v: v[0]}, "one vector for each direction"),
        ({"curvature": lambda v: v * np.inf}, "must give finite numbers"),
        ({"batch_size": [0]}, "'batch_size' must be positive finite numbers"),
        ({"resamples": 1}, "'resamples' must be a whole number, at least 2"),
        ({"weight_decay": 0.1}, "'weight_decay' needs the parameters"),
        ({"weight_decay": -1}, "'weight_decay' must be a non-negative number"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, said):
    with pytest.raises(sf.InputError, match=said):
        curve_of(GOOD, **options)


def test_dumps_that_cannot_serve_are_refused():
    with pytest.raises(sf.DumpError, match=r"at least 9 rows that are finite; .* has 8"):
        curve_of(GOOD[:8])
    uneven = sf.open_dump({"w": GOOD.astype(np.float32)}, microbatch_size=[1] * 19 + [2])
    with pytest.raises(sf.InputError, match=r"rows of equally many examples; .* from 1 to 2"):
        sf.learning_rate_curve(uneven)


@pytest.mark.parametrize(
    ("arrays", "metadata", "said"),
    [
        ({"w.exp_avg": (6,)}, {}, "must hold 'beta1', a number from 0 on and below 1; found None"),
        ({"w.exp_avg": (6,)}, {"beta1": 0.9, "beta2": 1.5}, "must hold 'beta2'"),
        ({"w.exp_avg": (6,)}, {"beta1": 0.9, "beta2": 0.9, "eps": 0, "step": 1}, "'eps', a number above 0"),
        ({"w.exp_avg": (6,)}, {"beta1": 0.9, "beta2": 0.9, "eps": 1, "step": 1}, "must hold 'w.exp_avg_sq'"),
        (
            {"w.exp_avg": (5,)},
            {"beta1": 0.9, "beta2": 0.9, "eps": 1, "step": 1},
            r"shape \(6,\) of its tensor",
        ),
    ],
)
def test_states_that_do_not_fit_are_refused(tmp_path, arrays, metadata, said):
    held = {name: np.ones(shape, dtype=np.float32) for name, shape in arrays.items()}
    path = write_safetensors(tmp_path / "state.safetensors", held, **metadata)
    with pytest.raises(sf.InputError, match=said):
        curve_of(GOOD, optimizer="adam", state=path)


def test_a_hessian_follows_the_order_that_its_file_states(tmp_path):
    arrays = {n: a.astype(np.float32) for n, a in gaussian(30, {"a": (2,), "b": (3,)}, noise_scale=2).items()}
    half = np.random.default_rng(1).standard_normal((5, 5))
    hessian = (half @ half.T).astype(np.float32)
    turned = np.roll(np.roll(hessian, -2, axis=0), -2, axis=1)
    stated = write_safetensors(tmp_path / "h.safetensors", {"hessian": turned}, order="b,a")
    expected = sf.learning_rate_curve(arrays, curvature=hessian)
    assert sf.learning_rate_curve(arrays, curvature=stated).points == expected.points
    wrong = write_safetensors(tmp_path / "wrong.safetensors", {"hessian": turned}, order="b,c")
    with pytest.raises(sf.InputError, match=r"must name the tensors of the dump, a and b; it names b and c"):
        sf.learning_rate_curve(arrays, curvature=wrong)
