"""Tables as people keep them: each fixture gives the sweep that was meant, or words that mend it.

Nearly all spell one grid, `00-control.csv`: with its rates, losses and batch sizes read, its answer is given.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from surge_fit.errors import SweepError
from surge_fit.sweep import Sweep, read_sweep
from surge_fit.sweep.table.headers import read_header

TABLES = Path(__file__).parents[2] / "fixtures" / "tables"
UNIT = {"batch_unit": "sequences"}
CONTROL = read_sweep(TABLES / "00-control.csv", **UNIT)


def table(name, **arguments):
    return read_sweep(TABLES / name, **{**UNIT, **arguments})


def told(sweep):
    return " ".join(decision.message for decision in sweep.reading)


def assert_control(sweep, *, batch=1.0, loss=None):
    finished = sweep.where(sweep.is_finished)
    np.testing.assert_allclose(finished.batch_size, CONTROL.batch_size * batch)
    np.testing.assert_allclose(finished.learning_rate, CONTROL.learning_rate, rtol=2e-4)
    np.testing.assert_allclose(finished.loss, CONTROL.loss if loss is None else loss, atol=2.5e-5)


# The table 24 has perplexities to 0.0005 in 20.7 and more: their logarithms are losses to 2.4e-5.
@pytest.mark.parametrize(
    "name",
    ["01-camel-case-headers.csv", "02a-config-prefix.csv", "02b-params-prefix-optuna.csv",
     "02d-dotted-training.csv", "03b-power-of-two.csv", "05a-semicolon.csv",
     "05b-semicolon-decimal-comma.csv", "06-markdown-cells.csv", "12-duplicate-names.csv",
     "13-status-TERMINATED.csv", "13-status-keep.csv", "14-lr-zero-row.csv",
     "15a-blank-config-row.csv", "17a-array.json", "21-mean-and-sd.csv", "22-log2-columns.csv",
     "24-perplexity.csv", "30-trailing-comma.csv", "32-ragged.csv", "35-tab.csv", "38-total-row.csv"],
)  # fmt: skip
def test_a_table_that_spells_the_control_otherwise_is_the_control(name):
    assert_control(table(name))


@pytest.mark.parametrize("name", ["42a-optional-max_steps.csv", "42c-optional-tokens-1.3B.csv",
                                  "42h-two-steps-columns.csv"])  # fmt: skip
def test_a_column_that_may_be_missing_does_not_keep_a_table_out(name):
    sweep = table(name)
    np.testing.assert_array_equal(sweep.learning_rate, CONTROL.learning_rate)
    assert sweep.status == ("finished",) * 15


def test_thousands_and_units_are_read():
    assert_control(table("04-thousands.csv"), batch=1024)
    in_header = read_sweep(TABLES / "34-units-in-header.csv")
    assert_control(in_header, batch=1024)
    assert in_header.batch_unit == "tokens"


def test_what_k_means_is_said():
    sweep = table("03a-suffix-k.csv")
    # Every number before K or M is a power of two (64, 256, 1), so K is 1,024 and M its square.
    assert sweep.batch_sizes.tolist() == [65536, 262144, 1048576]
    assert "64k is 65536" in told(sweep)


def test_words_in_place_of_a_loss_are_how_the_run_ended():
    sweep = table("07a-words-in-loss.csv")
    assert [sweep.learning_rate[i] for i in np.flatnonzero(sweep.is_diverged)] == [0.002, 0.004, 0.008]
    np.testing.assert_array_equal(sweep.loss[sweep.is_finished], CONTROL.loss[sweep.is_finished])


@pytest.mark.parametrize(
    ("name", "words"),
    [("06-markdown-cells.csv", "'crashed (OOM)' is crashed"),
     ("13-status-TERMINATED.csv", "'TERMINATED' is finished"),
     ("14-lr-zero-row.csv", "line 2 of 14-lr-zero-row.csv: it has a learning rate of 0"),
     ("15a-blank-config-row.csv", "line 2 of"), ("32-ragged.csv", "line 10 of"),
     ("38-total-row.csv", "line 17 of"),
     ("12-duplicate-names.csv", "numbered: sweep and baseline"),
     ("21-mean-and-sd.csv", "standard error"),
     ("42a-optional-max_steps.csv", "'max_steps' must be zero or a positive"),
     ("22-log2-columns.csv", "2 to the power")],
)  # fmt: skip
def test_what_was_decided_is_said(name, words):
    assert words in told(table(name))


def test_the_error_behind_a_loss_is_its_standard_error():
    assert table("21-mean-and-sd.csv").loss_se.tolist() == [0.01] * 15


def test_out_of_memory_is_a_crash():
    sweep = table("13-status-OUT_OF_MEMORY.csv")
    assert sweep.status == ("crashed", *("finished",) * 14)
    assert table("06-markdown-cells.csv").status[-1] == "crashed"


def test_yes_in_a_column_of_failures_is_a_status():
    sweep = table("42j-loss-and-state-bool.csv")
    assert sweep.learning_rate[sweep.is_diverged].tolist() == [0.002, 0.004, 0.008]


def test_nan_without_a_status_is_asked_about_and_kept_out():
    # The pandas frame of 43: rates above 2e-3 at B = 1024 ran out of memory, which says nothing of the rate.
    frame = pd.read_csv(TABLES / "00-control.csv")
    oom = (frame.batch_size == 1024) & (frame.learning_rate > 2e-3)
    frame.loc[oom, "loss"] = float("nan")
    states = frame.assign(State=["crashed (OOM)" if bad else "finished" for bad in oom])
    with_state, without = Sweep.from_frame(states, **UNIT), Sweep.from_frame(frame, **UNIT)
    for sweep in (with_state, without):
        assert not sweep.is_diverged.any()
        assert sweep.is_finished.tolist() == (~oom).tolist()
    (doubt,) = [found for found in without.checks() if found.slug == "doubtful_status"]
    assert "unknown: diverged or crashed?" in doubt.message
    assert Sweep.from_frame(frame, **UNIT, nan_loss="diverged").is_diverged.sum() == 2


def test_accuracy_is_refused_until_more_is_said_to_be_better():
    with pytest.raises(SweepError, match="of which more is better"):
        table("08a-accuracy-only.csv")
    sweep = table("08a-accuracy-only.csv", maximize=True)
    assert sweep.loss_unit == "accuracy"
    assert sweep.loss[0] == pytest.approx(1 - 0.7445)
    assert sweep.best_run().learning_rate == 0.002  # the accuracy of 0.8755


@pytest.mark.parametrize(
    ("name", "words"),
    [("09-train-and-val-loss.csv", r"columns=\{'loss': 'val_loss'\}"),
     ("20-config-lr-and-final-lr.csv", r"columns=\{'learning_rate': 'learning_rate'\}"),
     ("11b-micro-batch-mixed.csv", r"the part of it that 'gradient_accumulation_steps' multiplies"),
     ("16-chart-export.csv", "a chart export: no learning rates in it")],
)  # fmt: skip
def test_a_doubt_is_a_question_with_the_better_example(name, words):
    with pytest.raises(SweepError, match=words):
        table(name)


def test_questions_are_answered_by_naming_a_column():
    assert table("09-train-and-val-loss.csv", columns={"loss": "val_loss"}).loss[0] == 3.275
    answered = table("20-config-lr-and-final-lr.csv", columns={"learning_rate": "learning_rate"})
    assert_control(answered)
    assert_control(table("11b-micro-batch-mixed.csv", columns={"micro_batch_size": "batch_size"}))


def test_histories_have_a_run_per_curve():
    scheduled = table("10a-history-scheduled-lr.csv")
    # Ten curves of five rows each, whose rates fall linearly to zero: the first row has the highest.
    assert len(scheduled) == 10
    assert scheduled.learning_rate[0] == 0.0001
    assert scheduled.loss[0] == 3.2085
    assert "the peak may have been higher" in told(scheduled)
    constant = table("10c-history-constant-lr.csv")
    # Each curve ends 0.0135 above the control, so the valley is the same.
    assert_control(constant, loss=CONTROL.loss + 0.0135)


def test_wide_tables_are_melted_where_they_name_their_axes():
    pivot = table("19-pivot.csv")
    assert (len(pivot), pivot.batch_sizes.tolist()) == (15, [64, 256, 1024])
    assert pivot.where((pivot.batch_size == 256) & (pivot.learning_rate == 1e-3)).loss.tolist() == [3.05]
    seeds = table("23-wide-seeds.csv")
    assert len(seeds) == 45
    assert_control(seeds.where(seeds.seed == 0))


def test_perplexity_is_not_told_in_nats():
    assert table("24-perplexity.csv").loss_unit == "log perplexity"


def test_examples_to_the_target_become_steps():
    sweep = table("28-examples-to-target.csv")
    np.testing.assert_allclose(
        sweep.steps_to_target, [65000, 33750, 18125, 10312.5, 6406.25, 4453.125, 3476.5625]
    )


def headers():
    lines = (TABLES / "headers.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


def test_at_least_48_of_50_headers_are_read_as_meant_and_none_as_something_else():
    read = {header: read_header(header) for _, header in headers()}
    meant = {
        header
        for meaning, header in headers()
        if read[header].meaning == meaning and not read[header].strange
    }
    assert len(meant) >= 48
    # The batch of one device is asked about until it can be multiplied.
    assert {read[h].meaning for _, h in headers() if h not in meant} == {"micro_batch_size"}


@pytest.mark.parametrize(("meaning", "header"), headers())
def test_a_header_found_in_the_wild_is_read_as_meant_or_asked_about(tmp_path, meaning, header):
    names = {"batch_size": "batch_size", "learning_rate": "learning_rate", "loss": "loss", meaning: header}
    rows = "".join(f"{b}\t{lr}\t{loss}\n" for b, lr, loss in ((8, 0.1, 2), (8, 0.2, 1.5), (64, 0.1, 1.7)))
    path = tmp_path / "runs.tsv"
    path.write_text("\t".join(names.values()) + "\n" + rows)
    unit = {} if "tokens" in header else {"batch_unit": "examples"}
    if "micro" in header or "per_device" in header:
        with pytest.raises(SweepError, match="'global_batch_size'"):
            read_sweep(path, **unit)
        return
    sweep = read_sweep(path, **unit)
    assert getattr(sweep, meaning).tolist() == {
        "batch_size": [8, 8, 64], "learning_rate": [0.1, 0.2, 0.1], "loss": [2, 1.5, 1.7],
    }[meaning]  # fmt: skip
