"""What `Sweep.checks` says, and that it is silent about a good sweep."""

import dataclasses

import pytest
from surge_fit.errors import SweepError
from surge_fit.sweep import Sweep
from surge_fit.sweep.checks import Finding

NAN = float("nan")
BATCH_SIZES = (8, 64, 512)
RATES = (0.1, 0.2, 0.4, 0.8, 1.6)


def valleys(best=(0.2, 0.4, 0.2), batch_sizes=BATCH_SIZES, **columns):
    """A grid of `RATES` at every batch size, the loss least at the given rate; columns by batch size."""
    grid = [(size, rate, top) for size, top in zip(batch_sizes, best, strict=True) for rate in RATES]
    table = {
        "batch_size": [size for size, _, _ in grid],
        "learning_rate": [rate for _, rate, _ in grid],
        "loss": [2 + abs(RATES.index(rate) - RATES.index(top)) for _, rate, top in grid],
    }
    for name, held in columns.items():
        table[name] = [held[size] for size, _, _ in grid] if isinstance(held, dict) else held
    return table


def checks(table, **arguments):
    sweep = Sweep.from_columns(**table, batch_unit="examples", **arguments)
    return {finding.slug: finding for finding in sweep.checks()}


def cells(table):
    return list(zip(table["batch_size"], table["learning_rate"], strict=True))


def test_a_good_sweep_gets_no_word():
    assert checks(valleys(steps=5000, beta1=0.9, optimizer="adam", weight_decay=0.0)) == {}


def test_a_finding_is_a_frozen_value_that_reads_as_two_sentences():
    finding = Finding("slug", "note", "Found.", "Do.")
    assert str(finding) == "Found. Do."
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.slug = "other"


def test_winner_on_edge_says_which_edge_at_which_batch_size():
    found = checks(valleys(best=(0.1, 0.4, 1.6)))
    assert list(found) == ["winner_on_edge", "peak_not_bracketed"]
    assert found["winner_on_edge"].severity == "warning"
    assert found["winner_on_edge"].message == (
        "The best learning rate is the highest tried at batch size 512 and the lowest tried at batch size 8: "
        "the optimum may lie beyond the grid."
    )


def test_winners_that_are_all_on_an_edge_are_said_to_be():
    found = checks(valleys(best=(0.1, 1.6, 0.1)))
    assert list(found) == ["every_winner_on_edge"]
    assert found["every_winner_on_edge"].severity == "warning"
    assert found["every_winner_on_edge"].message == (
        "At every batch size the best learning rate is an end of the grid: the highest tried at batch size "
        "64 and the lowest tried at batch sizes 8 and 512. No valley has shown its bottom, and what is said "
        "of the optima is extrapolated."
    )


def test_a_diverged_run_above_the_winner_closes_the_grid():
    table = valleys(best=(0.2, 0.8, 0.2))
    table["loss"][cells(table).index((64, 1.6))] = NAN
    found = checks(table)
    assert list(found) == ["diverged_runs"]
    assert found["diverged_runs"].message == "1 of 15 runs diverged, at batch size 64."


def test_replicates_are_averaged_before_the_winner_is_named():
    # At 8 the mean losses of the rates 0.1, 0.2, 0.4 are 2.5, 2, 3; the single best run is at 0.1.
    table = {"batch_size": 8, "learning_rate": [0.1, 0.1, 0.2, 0.4], "loss": [1.0, 4.0, 2.0, 3.0]}
    assert "winner_on_edge" not in checks(table)


def test_few_learning_rates_are_named_and_not_called_edges():
    table = valleys()
    keep = [index for index, (size, rate) in enumerate(cells(table)) if size < 512 or rate <= 0.2]
    found = checks({name: [held[index] for index in keep] for name, held in table.items()})
    assert list(found) == ["few_learning_rates"]
    assert "at batch size 512." in found["few_learning_rates"].message


@pytest.mark.parametrize(
    ("best", "end"),
    [
        ((0.2, 0.4, 0.8), "the largest batch size tried, 512"),
        ((0.8, 0.4, 0.2), "the smallest batch size tried, 8"),
        ((0.8, 0.4, 0.8), "both ends of the batch sizes tried, 8 and 512"),
        ((0.2, 0.8, 0.8), "the largest batch size tried, 512"),
    ],
)
def test_a_peak_at_an_end_is_not_bracketed(best, end):
    found = checks(valleys(best=best))
    assert list(found) == ["peak_not_bracketed"]
    assert end in found["peak_not_bracketed"].message


def test_optimum_points_are_checked_for_their_peak():
    table = {"batch_size": [8, 64, 512], "optimal_learning_rate": [0.1, 0.2, 0.3]}
    assert list(checks(table)) == ["peak_not_bracketed"]
    assert checks({**table, "optimal_learning_rate": [0.1, 0.2, 0.1]}) == {}


def test_two_batch_sizes_cannot_bracket_a_peak():
    found = checks(valleys(best=(0.2, 0.4), batch_sizes=(8, 64)))
    assert list(found) == ["few_batch_sizes"]
    assert "batch sizes 8 and 64 only" in found["few_batch_sizes"].message


def test_few_steps_except_for_one_step_sweeps():
    steps = {8: 5000, 64: 4999, 512: 300}
    found = checks(valleys(steps=steps))
    assert list(found) == ["few_steps"]
    assert "at batch sizes 64 and 512 finished with fewer than 5000" in found["few_steps"].message
    assert checks(valleys(steps=1), protocol="one_step") == {}


def test_fixed_beta2_and_weight_decay_are_noted():
    found = checks(valleys(beta2=0.95, weight_decay=0.1))
    assert list(found) == ["fixed_with_batch_size"]
    assert "'beta2' (0.95) and 'weight_decay' (0.1)" in found["fixed_with_batch_size"].message


def test_a_value_for_every_batch_size_confounds():
    found = checks(valleys(beta2={8: 0.99, 64: 0.95, 512: 0.9}))
    assert list(found) == ["changes_with_batch_size"]
    assert "'beta2'" in found["changes_with_batch_size"].message


def test_a_crossed_design_neither_confounds_nor_is_fixed():
    low, high = valleys(beta2=0.9), valleys(beta2=0.99)
    crossed = {name: [*low[name], *high[name]] for name in ("batch_size", "learning_rate", "loss")}
    crossed["beta2"] = [0.9] * 15 + [0.99] * 15
    assert checks(crossed) == {}


def test_runs_without_a_loss_are_counted_and_named():
    table = valleys(status="finished")
    table["status"] = ["finished"] * 12 + ["crashed", "killed", "finished"]
    table["loss"][12:] = [9.0, 9.0, None]
    message = checks(table)["runs_without_loss"].message
    assert message == (
        "3 of 15 runs did not finish with a loss: 'run-13' (crashed), 'run-14' (stopped) and 'run-15' "
        "(no loss)."
    )


def test_errors_come_first_and_forbid_a_fit():
    table = {"batch_size": 8, "learning_rate": RATES, "loss": NAN}
    sweep = Sweep.from_columns(**table, batch_unit="examples")
    assert [check.slug for check in sweep.checks()][:2] == ["no_usable_run", "one_batch_size"]
    with pytest.raises(SweepError, match="A sweep needs runs that finished with a finite loss"):
        sweep.require_fittable()
    Sweep.from_columns(**valleys(best=(0.1, 0.2, 0.4)), batch_unit="examples").require_fittable()


def test_groups_are_judged_one_by_one_and_named():
    rising, falling = valleys(best=(0.2, 0.4, 0.8)), valleys(best=(0.2, 0.4, 0.2))
    table = {name: [*rising[name], *falling[name]] for name in rising}
    found = checks({**table, "N": [1] * 15 + [2] * 15, "weight_decay": [0.0] * 30}, group_by="N")
    assert list(found) == ["peak_not_bracketed"]
    assert "in group 'N=1'" in found["peak_not_bracketed"].message


def test_checks_of_no_runs_refuse_them():
    empty = Sweep.from_columns(**valleys(), batch_unit="examples").where([False] * 15)
    assert [check.slug for check in empty.checks()] == ["no_usable_run"]
