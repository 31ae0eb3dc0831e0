"""The worked sweep of examples/digits_adam: its tables say what its README says they do."""

import csv
import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from surge_fit.sweep import read_sweep

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_adam"
UNTRAINED_LOSS = math.log(10)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"digits_adam_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(name: str) -> list[dict[str, str]]:
    with (EXAMPLE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_sparse_sweep_is_what_its_rule_runs() -> None:
    assert rows("sweep.csv") == load("sparse").replay(rows("grid.csv"))


def test_the_rule_sees_nothing_but_the_runs_it_makes() -> None:
    made = {row["run_id"] for row in rows("sweep.csv")}
    unseen = [row if row["run_id"] in made else {**row, "loss": "0"} for row in rows("grid.csv")]
    assert load("sparse").replay(unseen) == rows("sweep.csv")


def test_the_rule_moves_on_until_the_best_is_bracketed() -> None:
    # From 2 the losses fall to position 5; a NaN at 7 is never reached, one at 1 never wins.
    losses = np.array([9.0, np.nan, 5.0, 4.0, 3.0, 2.0, 3.0, np.nan])
    assert load("sparse").bracket(losses, [2]) == [1, 2, 3, 4, 5, 6]


def test_a_run_diverged_exactly_when_it_ends_no_better_than_untrained() -> None:
    for row in rows("grid.csv"):
        better = float(row["loss"]) < UNTRAINED_LOSS  # False for NaN
        assert row["status"] == ("finished" if better else "diverged"), row["run_id"]


def test_every_run_of_the_grid_saw_the_same_number_of_examples() -> None:
    assert {int(row["batch_size"]) * int(row["steps"]) for row in rows("grid.csv")} == {2**18}


@pytest.mark.parametrize("name", ["grid.csv", "sweep.csv"])
def test_the_tables_are_read_as_they_are(name: str) -> None:
    sweep = read_sweep(EXAMPLE / name)
    table = rows(name)
    assert sweep.batch_unit == "examples"
    assert sweep.protocol == "fixed_tokens"
    assert sweep.ignored_columns == ("params",)
    assert sweep.run_id == tuple(row["run_id"] for row in table)
    assert sweep.status == tuple(row["status"] for row in table)
    np.testing.assert_array_equal(sweep.loss, [float(row["loss"]) for row in table])


def test_the_optimum_of_a_parabola_is_its_vertex() -> None:
    # loss = 0.2 + 0.03 (log rate - log 0.002)^2, two seeds an offset of 0.01 apart and nothing else:
    # vertex 0.002, curvature 0.03, height 0.205, no noise and so no standard error.
    rates = np.geomspace(1e-4, 1e-1, 19)
    valley = 0.2 + 0.03 * np.log(rates / 0.002) ** 2
    found = load("optimum").locate(rates, np.stack([valley, valley + 0.01]))
    assert found.log_learning_rate == pytest.approx(math.log(0.002), abs=1e-9)
    assert found.loss == pytest.approx(0.205, abs=1e-9)
    assert found.curvature == pytest.approx(0.03, abs=1e-9)
    assert found.seed_spread == pytest.approx(0.01 / math.sqrt(2), abs=1e-9)
    assert found.noise == pytest.approx(0, abs=1e-9)
    assert found.standard_error == pytest.approx(0, abs=1e-7)


def test_the_standard_error_of_the_optimum_is_its_spread_over_repetitions() -> None:
    # 400 valleys of 4 seeds with independent noise of 0.003 nats: the standard deviation of their
    # vertices has a relative standard error of 1/sqrt(800) = 3.5 %; 15 % is four of them.
    generator = np.random.default_rng(0)
    rates = np.geomspace(1e-4, 1e-1, 19)
    valley = 0.2 + 0.03 * np.log(rates / 0.002) ** 2
    offset = generator.normal(0, 0.02, (400, 4, 1))
    optimum = load("optimum")
    found = [
        optimum.locate(rates, grid) for grid in valley + offset + generator.normal(0, 0.003, (400, 4, 19))
    ]
    spread = np.std([one.log_learning_rate for one in found])
    said = math.sqrt(np.mean([one.standard_error**2 for one in found]))
    assert said == pytest.approx(spread, rel=0.15)


def test_an_optimum_at_the_edge_of_the_grid_is_refused() -> None:
    rates = np.geomspace(1e-4, 1e-2, 9)
    with pytest.raises(ValueError, match="Widen the grid"):
        load("optimum").locate(rates, np.log(rates / 1e-2)[None, :] ** 2)
