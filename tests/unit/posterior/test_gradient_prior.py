"""A gradient dump as a weak prior of the noise scale."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import surge_fit as sf
from support.command_line import run
from support.dumps import gaussian
from support.posteriors import runs, steps_to_target
from surge_fit.gradients.noise import save_statistics
from surge_fit.posterior.measured_priors import prior_from_gradients

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_adam" / "sweep.csv"


def measured():
    return sf.gradient_statistics({"w": gaussian(64, {"w": (40, 50)}, noise_scale=10, seed=1)["w"]})


@pytest.fixture(scope="module")
def statistics():
    return measured()


def test_the_prior_lies_at_the_simple_noise_scale_and_is_never_narrow(statistics):
    found = prior_from_gradients(statistics, "examples")
    assert found.mean == math.log(statistics.total.simple_noise_scale.value)
    assert found.sd == math.sqrt(1 + statistics.total.relative_error**2)
    poor = replace(statistics, total=replace(statistics.total, relative_error=math.sqrt(3.0)))
    assert prior_from_gradients(poor, "examples").sd == pytest.approx(2.0)


def test_units_that_differ_are_refused(statistics):
    with pytest.raises(
        sf.InputError, match=r"counts examples, the sweep sequences. Convert .* Normal\(mean=log B"
    ):
        prior_from_gradients(statistics, "sequences")
    unknown = replace(statistics, microbatch_known=False)
    with pytest.raises(sf.InputError, match="counts rows, the sweep examples"):
        prior_from_gradients(unknown, "examples")


@pytest.mark.parametrize(("value", "error"), [(math.inf, 0.1), (-3.0, 0.1), (10.0, math.nan)])
def test_a_noise_scale_that_is_not_known_is_refused(statistics, value, error):
    scale = replace(statistics.total.simple_noise_scale, value=value)
    total = replace(statistics.total, simple_noise_scale=scale, relative_error=error)
    with pytest.raises(sf.InputError, match="must be known, with its error"):
        prior_from_gradients(replace(statistics, total=total), "examples")


def test_gradients_that_cannot_serve_are_refused_before_anything_is_sampled(statistics, tmp_path):
    sweep = runs()
    with pytest.raises(sf.InputError, match=r"a law with a noise scale; 'power' has none"):
        sf.fit(sweep, law="power", gradients=statistics)
    with pytest.raises(sf.InputError, match=r"given once; got Normal\(5, 1\) and gradients"):
        sf.fit(sweep, gradients=statistics, priors={"log_noise_scale": sf.Normal(mean=5, sd=1)})
    path = tmp_path / "series.json"
    save_statistics([statistics, replace(statistics, step=20.0)], path)
    with pytest.raises(sf.InputError, match=r"of one checkpoint; .*series.json' holds 2"):
        sf.fit(sweep, gradients=path)
    with pytest.raises(sf.InputError, match="no prior named 'log_noise_scale'"):
        sf.fit(replace(steps_to_target(), batch_unit="examples"), gradients=statistics)


def test_the_command_fits_with_the_prior_of_a_saved_file(statistics, tmp_path):
    path, output = tmp_path / "noise.json", tmp_path / "fit.nc"
    save_statistics([statistics], path)
    told = run("fit", EXAMPLE, "--gradients", path, "-o", output)
    assert told.exit_code == 0, told.output
    saved = sf.load_posterior(output)
    assert saved.priors["log_noise_scale"] == prior_from_gradients(statistics, "examples")
    # The prior draws are of that prior: without it their mean would be that of the sweep's batch sizes, 64.
    before = saved.to_datatree()["prior"]["log_noise_scale"].values
    assert before.mean() == pytest.approx(saved.priors["log_noise_scale"].mean, abs=0.3)
    refused = run("recommend", output, "-b", "64", "--gradients", path)
    assert refused.exit_code == 2
    assert "--gradients is for fitting" in refused.output
