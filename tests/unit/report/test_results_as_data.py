"""Results as data: `to_dict` is the JSON of the command line, `to_frame` has a row for each item."""

import json
import sys

import narwhals as nw
import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian
from support.posteriors import make_comparison, make_posterior, make_steps_posterior, optimum_points
from surge_fit.decisions.planning import NextRun, NextRuns
from surge_fit.report import comparison, compose, curve, fit, gradients, plan

BACKENDS = ("polars", "pandas")


@pytest.fixture(scope="module")
def posterior():
    return make_posterior()


@pytest.fixture(scope="module")
def recommendations(posterior):
    return sf.recommend(posterior, batch_size=[64, 4096], current_learning_rate=3e-3)


@pytest.fixture(scope="module")
def dump():
    return sf.open_dump(gaussian(48, {"embed": (40, 30), "head": (30, 5)}, noise_scale=30))


@pytest.fixture(scope="module")
def statistics(dump):
    return sf.gradient_statistics(dump, batch_size=64, group=r"^\w")


@pytest.fixture(scope="module")
def rates(dump):
    return sf.learning_rate_curve(dump, "sign", batch_size=[1, 8], resamples=20)


def next_runs() -> NextRuns:
    runs = tuple(
        NextRun(512.0, rate, 1.0, 0.001, 0.002, 0.002, 0.7, 0.3, "It would say most.")
        for rate in (5e-3, 1e-2)
    )
    return NextRuns((64.0,), "examples", runs, 0.003, float("inf"), "runs", False, "Make it.", 40, 0)


def strict(value):
    """Return a value after a trip through strict JSON, which refuses NaN and infinity."""
    return json.loads(json.dumps(value, allow_nan=False))


def rows(frame) -> list[dict]:
    return nw.from_native(frame).rows(named=True)


def test_recommendations_are_those_of_the_json(posterior, recommendations):
    record = fit.record(compose(posterior, recommendations))
    assert strict([r.to_dict() for r in recommendations]) == strict(record["recommendations"])


def test_estimates_and_diagnostics_are_those_of_the_json(posterior):
    record = strict(fit.record(compose(posterior)))
    for estimate in sf.estimate_parameters(posterior):
        told = record["parameters"][estimate.name]
        assert strict(estimate.to_dict()) == {
            "name": estimate.name,
            **{key: value for key, value in told.items() if key != "statement"},
        }
    assert strict(posterior.diagnostics.to_dict()) == record["diagnostics"]


def test_an_estimate_that_does_not_exist_is_null_in_json_and_infinite_in_a_frame():
    # The linear law grows without end: it has no maximum.
    estimates = sf.estimate_parameters(make_posterior(law="linear"))
    (maximum,) = (estimate for estimate in estimates if estimate.name == "max_learning_rate")
    assert strict(maximum.to_dict())["median"] is None
    assert np.isinf(rows(maximum.to_frame())[0]["median"])


def test_predicted_steps_are_those_of_the_json():
    posterior = make_steps_posterior()
    record = strict(fit.record(compose(posterior)))
    sizes = [row["batch_size"] for row in record["steps"]["predictions"]]
    for prediction, told in zip(
        sf.predict_steps(posterior, batch_size=sizes), record["steps"]["predictions"], strict=True
    ):
        del told["steps_seen"]
        assert strict(prediction.to_dict()) == told


def test_a_plan_a_comparison_and_gradients_are_the_json(statistics, rates):
    assert strict(next_runs().to_dict()) == strict(plan.record(next_runs()))
    assert strict(next_runs().to_dict())["interval_width"] is None
    assert strict(rates.to_dict()) == strict(curve.record(rates))
    told = strict(gradients.record([statistics]))
    del told["notes"]
    assert strict(statistics.to_dict()) == told
    told = strict(comparison.record(make_comparison()))
    for sentences in ("verdict", "warnings"):
        del told[sentences]
    del told["curve"]["statements"]
    assert strict(make_comparison().to_dict()) == told


@pytest.mark.parametrize("backend", BACKENDS)
def test_recommendations_are_one_frame(recommendations, backend):
    frame = sf.to_frame(recommendations, backend=backend)
    assert type(frame).__module__.partition(".")[0] == backend
    assert nw.from_native(frame)["batch_size"].to_list() == [64.0, 4096.0]
    for row, recommendation in zip(rows(frame), recommendations, strict=True):
        assert row["learning_rate"] == recommendation.learning_rate
        assert (row["interval_low"], row["interval_high"]) == recommendation.interval_90
        assert row["slope_median"] == recommendation.slope[1]
        assert row["current_learning_rate"] == 3e-3
        assert row["square_root_expected_regret"] == recommendation.alternatives[1].expected_regret
    assert rows(recommendations[1].to_frame(backend)) == rows(frame)[1:]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_frame_has_one_row_for_each_item(posterior, statistics, rates, backend):
    assert [row["name"] for row in rows(sf.to_frame(sf.estimate_parameters(posterior), backend=backend))] == [
        estimate.name for estimate in sf.estimate_parameters(posterior)
    ]
    assert [row["learning_rate"] for row in rows(next_runs().to_frame(backend))] == [5e-3, 1e-2]
    compared = make_comparison()
    assert [row["law"] for row in rows(compared.to_frame(backend))] == [s.law.name for s in compared.scores]
    assert [row["kind"] for row in rows(statistics.to_frame(backend))][:2] == ["tensor", "tensor"]
    assert [row["batch_size"] for row in rows(rates.to_frame(backend))] == [1.0, 8.0]
    low, high = rates.points[0].resampled.interval
    first = rows(rates.to_frame(backend))[0]
    assert (first["resampled_interval_low"], first["resampled_interval_high"]) == (low, high)
    steps = sf.predict_steps(make_steps_posterior(), batch_size=[100, 200])
    assert [row["steps"] for row in rows(sf.to_frame(steps, backend=backend))] == [s.steps for s in steps]


def test_an_interval_that_is_not_there_is_two_empty_columns():
    points = sf.recommend(make_posterior(sweep=optimum_points()), batch_size=64)
    row = rows(points.to_frame())[0]
    assert row["equivalent_range_low"] is None
    assert row["equivalent_range_high"] is None


def test_what_is_no_result_or_no_library_is_refused(recommendations, monkeypatch):
    with pytest.raises(
        sf.InputError, match="must be results of surge_fit, such as recommendations; got float"
    ):
        sf.to_frame([3e-3])
    with pytest.raises(sf.InputError, match="'backend' must be 'polars' or 'pandas'; got 'duckdb'"):
        sf.to_frame(recommendations, backend="duckdb")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(sf.InputError, match="needs pandas, which is not installed"):
        sf.to_frame(recommendations, backend="pandas")
