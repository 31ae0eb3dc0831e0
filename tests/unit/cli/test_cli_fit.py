"""`surge-fit fit` as a person meets it, and the options of every command that fits."""

import json

import pytest
from support.command_line import run
from support.posteriors import BAD, make_posterior
from surge_fit.errors import FitError, UntrustworthyFitError

READ = ["--batch-unit", "examples"]


def test_reading_options_reach_the_reader_and_the_fit(sweep, fits):
    options = [
        "--column",
        "loss=smooth loss",
        "--group-by",
        "N",
        "--group",
        "N=1",
        "--protocol",
        "fixed_steps",
    ]
    assert run("fit", sweep, *READ, *options).exit_code == 0
    read, _ = fits[0]
    assert read.loss.tolist() == [2.0, 2.1, 2.4, 2.2, 2.0, 2.1]
    assert (read.groups, read.protocol, read.batch_unit) == (("N=1",), "fixed_steps", "examples")


def test_a_group_is_meant_by_number_too(sweep, fits):
    assert run("fit", sweep, *READ, "--group-by", "N", "--group", "N = 1.0").exit_code == 0


def test_fit_tells_parameters_and_on_request_priors_and_saves(sweep, fits, tmp_path):
    output = tmp_path / "out.nc"
    result = run("fit", sweep, *READ, "-o", output)
    assert result.exit_code == 0
    assert "noise scale: 200 examples (130 … 320, 90 % interval)" in result.stdout
    assert "Priors" not in result.stdout
    assert result.stderr.endswith(f"Saved {output}.\n")
    assert output.stat().st_size > 1000
    assert "Priors" in run("fit", sweep, *READ, "--priors").stdout


def test_fit_tells_json(sweep, fits):
    held = json.loads(run("fit", sweep, *READ, "--json").stdout)
    assert held["recommendations"] == []
    assert set(held["law_parameters"]) >= {"noise_scale", "small_batch_slope"}


@pytest.mark.parametrize("error", [FitError("It could not be sampled."), OSError("It could not be read.")])
def test_a_failure_is_one_line_on_stderr(sweep, monkeypatch, error):
    def fit(sweep, **options):
        raise error

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    result = run("fit", sweep, *READ)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {error}\n")


def test_a_fit_that_cannot_be_trusted_is_told_with_the_warning_first_and_fails(sweep, monkeypatch):
    held = make_posterior(diagnostics=BAD)

    def fit(sweep, **options):
        raise UntrustworthyFitError(held, held.diagnostics.problems)

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    for command in (["fit", sweep, *READ], ["recommend", sweep, *READ, "-b", "64"]):
        result = run(*command)
        assert result.exit_code == 1
        assert result.stdout.startswith("This fit cannot be trusted")
        assert "noise scale" in result.stdout
        assert result.stderr.startswith("Error: The fit cannot be trusted. R-hat is 1.200")
        told = run(*command, "--json")
        assert told.exit_code == 1
        assert json.loads(told.stdout)["warnings"][0].startswith("R-hat is 1.200")


@pytest.mark.parametrize("command", [["fit"], ["recommend", "-b", "64"], ["next", "-b", "64"]])
def test_every_command_that_fits_takes_the_same_options(command, sweep, fits, tmp_path):
    options = {
        "law": "surge",
        "engine": "native",
        "gradients": tmp_path / "g.json",
        "curve": tmp_path / "c.json",
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    result = run(*command, sweep, *READ, *flags, "--seed", "7", "-o", tmp_path / "out.nc")
    assert result.exit_code == 0, result.stderr
    _, asked = fits[0]
    del asked["progress"]
    assert asked == {**options, "covariates": (), "random_seed": 7}
    assert (tmp_path / "out.nc").exists()
