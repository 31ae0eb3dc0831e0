"""Data of one law prefer that law over wrong ones; data that cannot tell say that it is a tie."""

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.simulate import Valley, simulate_sweep

pytestmark = pytest.mark.slow

RICH = [4, 16, 64, 256, 1024, 4096, 16384]
POOR = [32, 128, 512]
MAX, SCALE = np.log(2e-3), np.log(300)
CASES = {
    # Law of the data: its parameters, and a law that is clearly wrong of them.
    "constant": ({"log_max_learning_rate": MAX}, "square_root"),
    "square_root": ({"log_learning_rate_scale": np.log(1e-4)}, "constant"),
    "sgd": ({"log_max_learning_rate": MAX, "log_noise_scale": SCALE}, "constant"),
    "surge": ({"log_max_learning_rate": MAX, "log_noise_scale": SCALE}, "square_root"),
}


def simulated(name, sizes, spread, count, noise):
    """Runs at rates around the optimum of a law."""
    truth = CASES[name][0]
    optimum = sf.get_law(name).log_learning_rate(np, np.log(sizes), **truth) + np.zeros(len(sizes))
    rates = np.exp(optimum[:, None] + np.linspace(-spread, spread, count))
    valley = Valley(noise=noise)
    return simulate_sweep(name, truth, batch_size=sizes, learning_rate=rates, valley=valley, random_seed=5)


@pytest.mark.parametrize("name", sorted(CASES))
def test_rich_data_prefer_their_own_law_over_a_wrong_one_and_allow_the_law_that_holds_it(name):
    wrong = CASES[name][1]
    found = sf.compare(
        simulated(name, RICH, 1.5, 6, 0.002), laws=[name, wrong, "broken_power"], random_seed=5
    )
    scores = {score.law.name: score for score in found.scores}
    assert scores[name].elpd > scores[wrong].elpd + 2
    assert scores[name].weight > scores[wrong].weight
    assert scores[wrong].verdict == "loses"
    assert scores[name].verdict != "loses"
    # The default law holds (or nearly holds) each of these; its two free slopes cost it a few nats where a
    # batch size at the end is left out.
    assert scores["broken_power"].difference > scores[wrong].difference / 3


def test_poor_data_of_a_rise_end_in_a_tie():
    sweep = simulated("square_root", POOR, 1.0, 3, 0.02)
    found = sf.compare(sweep, laws=["constant", "square_root", "surge"], random_seed=5)
    assert [score.verdict for score in found.scores] == ["best", "tie", "tie"]
