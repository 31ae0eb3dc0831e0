"""`surge-fit recommend` and `surge-fit next` as a person meets them."""

import json

import pytest
from support.command_line import run
from support.posteriors import BAD, make_posterior

READ = ["--batch-unit", "examples"]


def test_recommend_fits_and_tells_the_answer_on_stdout_and_the_progress_on_stderr(sweep, fits):
    result = run("recommend", sweep, *READ, "-b", "64,512")
    assert result.exit_code == 0
    assert result.stdout.lstrip().startswith("batch size")
    assert "3.0e-3" in result.stdout
    assert result.stderr == "sampling\n"


def test_recommend_reads_a_saved_posterior_without_fitting(saved, fits):
    result = run("recommend", saved, "-b", "64")
    assert result.exit_code == 0
    assert not fits
    assert result.stderr == ""


def test_next_fits_and_tells_the_plan(sweep, fits):
    result = run("next", sweep, *READ, "-b", "4096", "--seed", "3", "--count", "2")
    assert result.exit_code == 0
    assert result.stdout.startswith("Go on: ")
    assert fits[0][1]["random_seed"] == 3


def test_next_tells_the_same_runs_as_json_and_as_csv(saved, fits):
    arguments = ("next", saved, "-b", "4096", "--count", "2", "--worth", "1e9")
    held = json.loads(run(*arguments, "--json").stdout)
    rows = [line.split(",") for line in run(*arguments, "--csv").stdout.splitlines()]
    assert not fits
    assert (held["targets"], held["stop"], held["cost_unit"]) == ([4096], False, "runs")
    assert rows[0][:2] == ["batch_size", "learning_rate"]
    assert [[float(cell) for cell in row[:2]] for row in rows[1:]] == [
        [held_run["batch_size"], held_run["learning_rate"]] for held_run in held["runs"]
    ]


def test_a_price_that_the_sweep_does_not_have_fails(saved):
    result = run("next", saved, "-b", "4096", "--cost", "tokens")
    assert result.exit_code == 1
    assert "has no 'tokens'" in result.stderr


def test_batch_sizes_may_be_listed_repeated_and_in_powers_of_ten(saved):
    result = run("recommend", saved, "-b", "64,512", "--batch-size", "1e6", "--json")
    assert [held["batch_size"] for held in json.loads(result.stdout)["recommendations"]] == [64, 512, 1e6]


def test_the_current_learning_rate_is_compared(saved):
    result = run("recommend", saved, "-b", "64", "--current-learning-rate", "3e-4", "--json")
    first = json.loads(result.stdout)["recommendations"][0]["alternatives"][0]
    assert (first["name"], first["learning_rate"]) == ("current", 3e-4)


def test_the_json_of_a_recommendation_is_strict_and_has_all_that_the_text_has(saved):
    def refuse(constant):
        raise ValueError(constant)

    held = json.loads(run("recommend", saved, "-b", "64", "--json").stdout, parse_constant=refuse)
    assert {"median", "interval", "identified", "probability", "bound", "statement"} <= set(
        held["parameters"]["noise_scale"]
    )
    wanted = {
        *("batch_size", "learning_rate", "interval", "probability", "interval_50", "expected_regret"),
        *("equivalent_range", "probability_past_peak", "probability_of_divergence", "extrapolation"),
        *("reason", "alternatives"),
    }
    assert wanted <= set(held["recommendations"][0])
    assert {"max_rhat", "min_ess", "divergences"} <= set(held["diagnostics"])
    assert {"warnings", "law", "batch_unit", "loss_unit", "random_seed", "version"} <= set(held)
    low, high = held["recommendations"][0]["interval"]
    assert low < held["recommendations"][0]["learning_rate"] < high


def test_a_law_without_noise_scale_has_null_there(tmp_path, monkeypatch):
    monkeypatch.setattr("surge_fit.posterior.loading.load_posterior", lambda path: make_posterior("linear"))
    held = json.loads(run("recommend", tmp_path / "p.nc", "-b", "64", "--json").stdout)
    assert held["parameters"]["noise_scale"] is None
    assert held["parameters"]["max_learning_rate"]["median"] is None
    assert held["parameters"]["max_learning_rate"]["probability_none"] == 1.0


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_plot_is_saved(saved, tmp_path, suffix):
    path = tmp_path / f"law.{suffix}"
    assert run("recommend", saved, "-b", "64", "--plot", path).exit_code == 0
    assert path.stat().st_size > 5000


def test_a_saved_posterior_that_cannot_be_trusted_fails_too(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "surge_fit.posterior.loading.load_posterior", lambda path: make_posterior(diagnostics=BAD)
    )
    assert run("recommend", tmp_path / "p.nc", "-b", "64").exit_code == 1


def test_a_missing_posterior_fails():
    result = run("recommend", "nowhere.nc", "-b", "64")
    assert result.exit_code == 1
    assert "nowhere.nc does not exist" in result.stderr
