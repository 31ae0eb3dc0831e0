"""One batch size alone: its valley and best rate are told, and nothing else."""

import json

import numpy as np
import pytest
import surge_fit as sf
from support.command_line import run
from surge_fit.plots import plot_recommendation

RATES = 1e-3 * 2.0 ** np.arange(-2, 3)


@pytest.fixture(scope="module")
def posterior():
    # A valley of 0.05 nats per squared e-fold around 1e-3, its noise far below.
    loss = 3 + 0.05 * np.log(RATES / 1e-3) ** 2 + 1e-3 * np.array([1, -1, 0.5, -0.5, 0.2])
    return sf.fit(
        sf.Sweep.from_columns(batch_size=256, learning_rate=RATES, loss=loss, batch_unit="sequences")
    )


def test_the_best_rate_is_told_without_a_law(posterior):
    assert posterior.law.name == "constant"
    found = sf.recommend(posterior, batch_size=256)
    low, high = found.interval_90
    assert low < 1e-3 < high
    assert high / low < 1.5
    assert "how the optimum moves with the batch size was not seen" in found.reason
    assert sf.estimate_parameters(posterior) == ()


def test_other_batch_sizes_are_refused(posterior):
    with pytest.raises(sf.InputError, match=r"have batch size 256.* none can be recommended at 512"):
        sf.recommend(posterior, batch_size=[256, 512])
    with pytest.raises(sf.InputError, match="Ask for 256"):
        sf.next_runs(posterior, batch_size=1024)


def test_the_command_says_what_it_does_not_know(posterior, tmp_path):
    path = tmp_path / "one.nc"
    posterior.save(path)
    report = run("recommend", path, "-b", "256")
    assert report.exit_code == 0
    assert "but not how it changes with the batch size" in " ".join(report.stdout.split())
    told = json.loads(run("recommend", path, "-b", "256", "--json").stdout)
    assert told["recommendations"][0]["batch_size"] == 256
    assert run("recommend", path, "-b", "512").exit_code == 1


def test_its_figure_is_the_valley_alone(posterior):
    figure = plot_recommendation(posterior, [sf.recommend(posterior, batch_size=256)])
    (axes,) = figure.axes
    assert axes.get_xlabel() == "learning rate"
