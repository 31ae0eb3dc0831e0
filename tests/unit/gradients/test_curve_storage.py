"""A learning-rate curve in a file: the same again, or a refusal that says where."""

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.gradients.curve import load_curve, save_curve

WITHOUT_APPROXIMATION = ("learning_rate", "debiased_learning_rate", "interval", "loss_drop")


@pytest.fixture(scope="module")
def curve():
    random = np.random.default_rng(0)
    gradients = (0.3 + random.standard_normal((40, 12))).astype(np.float32)
    return sf.learning_rate_curve({"w": gradients}, "sign", curvature=np.eye(12), batch_size=[1, 2.5, 16, 64])


@pytest.fixture
def path(curve, tmp_path):
    save_curve(curve, tmp_path / "curve.json")
    return tmp_path / "curve.json"


def test_a_curve_survives_saving_bit_by_bit(curve, path):
    again = load_curve(path)
    for field in fields(curve):
        if field.name != "signs":
            assert getattr(again, field.name) == getattr(curve, field.name), field.name
    for one, other in zip(again.signs, curve.signs, strict=True):
        for field in fields(one):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    assert np.isnan(again.signs[0].agreement[-1])


def test_numbers_that_json_does_not_have_survive(curve, tmp_path):
    save_curve(replace(curve, loss=math.inf, bend=(1.5, math.nan)), tmp_path / "curve.json")
    again = load_curve(tmp_path / "curve.json")
    assert again.loss == math.inf
    assert again.bend[0] == 1.5
    assert math.isnan(again.bend[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surge_fit_curve": 2}, "in format 1; found 2"),
        ({"curve": None}, "'curve' must be an object of source"),
        ({"curve.optimizer": "lion"}, "'curve.optimizer' must be one of 'sgd', 'sign', 'adam'; found 'lion'"),
        ({"curve.optimizer": ["sign"]}, "'curve.optimizer' must be one of"),
        ({"curve.bend": "3"}, "'curve.bend' must be a list of 2; found '3'"),
        ({"curve.bend": [1.0]}, "'curve.bend' must be a list of 2"),
        ({"curve.noise_scale": "many"}, "'curve.noise_scale' must be a number; found 'many'"),
        ({"curve.examples": True}, "'curve.examples' must be a number; found True"),
        ({"curve.parameters": 1.5}, "'curve.parameters' must be a whole number; found 1.5"),
        ({"curve.scale_known": 1}, "'curve.scale_known' must be true or false; found 1"),
        ({"curve.points": {}}, "'curve.points' must be a list; found {}"),
        ({"curve.points.0.theory": 1}, r"'curve.points\[0\].theory' must be an object of learning_rate"),
        (
            {"curve.points.0.theory.approximate_learning_rate": "0.1"},
            r"'curve.points\[0\].theory.approximate_learning_rate' must be a number; found '0.1'",
        ),
        (
            {"curve.points.0.theory": dict.fromkeys(WITHOUT_APPROXIMATION, 1.0)},
            r"'curve.points\[0\].theory' must be an object of learning_rate, approximate_learning_rate",
        ),
        ({"curve.signs.0.skewness": ["x"]}, r"'curve.signs\[0\].skewness\[0\]' must be a number"),
        ({"curve.extra": 1}, "'curve' must be an object of source"),
    ],
)
def test_a_file_that_was_changed_is_refused_with_the_place(change, said, path):
    held = json.loads(path.read_text(encoding="utf-8"))
    ((where, value),) = change.items()
    *parents, last = where.split(".")
    place = held
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    path.write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(sf.InputError, match=said):
        load_curve(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "must be JSON; it is not"),
        ("[]", "must hold a learning-rate curve in format 1; found 'none'"),
        ('{"records": []}', "must hold a learning-rate curve in format 1; found 'none'"),
        ("[" * 100_000, "must be JSON"),
        ("1" * 5000, "must be JSON"),
    ],
)
def test_a_file_that_holds_no_curve_is_refused(text, said, tmp_path):
    path = tmp_path / "curve.json"
    path.write_text(text)
    with pytest.raises(sf.InputError, match=said):
        load_curve(path)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path):
    with pytest.raises(sf.InputError, match=r"none\.json' cannot be read: No such file"):
        load_curve(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(sf.InputError, match="must be JSON"):
        load_curve(tmp_path / "bytes.json")
