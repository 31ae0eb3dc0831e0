"""What a result needs once is done once: runs are sorted, and a sweep is checked, counted in real calls."""

import sys
from functools import wraps

import numpy as np
import pytest
import surge_fit as sf
from support.pooled import make_pooled_posterior
from surge_fit.cli import main
from surge_fit.model import observations
from surge_fit.posterior.effort import EFFORTS, Effort
from surge_fit.sweep.checks import checking as sweep_checks

DIGITS = "examples/digits_adam/sweep.csv"
BATCH_SIZES = (8.0, 64.0, 512.0)


def sweep():
    """Three learning rates at each batch size, around √(B/64)·0.01."""
    size, away = np.repeat(BATCH_SIZES, 3), np.tile([-1.0, 0.1, 1.0], 3)
    rate = 0.01 * np.sqrt(size / 64) * np.exp(away)
    return sf.Sweep.from_columns(
        batch_size=size, learning_rate=rate, loss=2 + 0.1 * away**2, batch_unit="examples"
    )


@pytest.fixture
def calls(monkeypatch):
    """How often runs were sorted, and what sweeps were checked, wherever these functions are known."""
    counted = {"sort_runs": [], "check_sweep": []}

    def count(function):
        @wraps(function)
        def counting(sweep, *arguments):
            counted[function.__name__].append(sweep)
            return function(sweep, *arguments)

        for name, module in list(sys.modules.items()):
            if name.startswith("surge_fit.") and getattr(module, function.__name__, None) is function:
                monkeypatch.setattr(module, function.__name__, counting)

    # Whatever imports them does so before they are counted.
    assert sf.fit, sf.compare
    count(observations.sort_runs)
    count(sweep_checks.check_sweep)
    return counted


def test_a_fit_and_its_answers_sort_the_runs_and_check_the_sweep_once(calls, root):
    posterior = sf.fit(sf.read_sweep(root / DIGITS))
    sf.recommend(posterior, batch_size=[64, 4096])
    sf.estimate_parameters(posterior)
    assert [len(made) for made in calls.values()] == [1, 1]


def test_a_comparison_sorts_the_runs_once_and_once_without_each_batch_size(calls, monkeypatch):
    for sampler in ("native", "native, for means"):  # how good the fits are plays no part
        monkeypatch.setitem(EFFORTS, sampler, (Effort(tune=100, draws=100, target_accept=0.9),))
    sf.compare(sweep(), laws=["constant", "square_root", "power"])
    # All runs, and those without each of the three batch sizes, which three laws share.
    assert [one.batch_sizes.tolist() for one in calls["sort_runs"]] == [
        [8, 64, 512],
        [64, 512],
        [8, 512],
        [8, 64],
    ]
    assert len(calls["check_sweep"]) == 4


def test_a_group_of_a_pooled_posterior_is_sorted_once_and_the_rest_not_again(calls):
    pooled = make_pooled_posterior()
    group = pooled.group(pooled.sweep.groups[0])
    sf.recommend(group, batch_size=64)
    # Three groups at three, two and four batch sizes, three learning rates each; and the first of them.
    assert [len(made) for made in calls["sort_runs"]] == [27, 9]


def test_the_command_that_recommends_checks_the_sweep_once(calls, root, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["surge-fit", "recommend", str(root / DIGITS), "-b", "4096"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "4096" in capsys.readouterr().out
    assert [len(made) for made in calls.values()] == [1, 1]
