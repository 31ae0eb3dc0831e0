"""The value `Sweep`: immutable, selectable, and the same after a trip through JSON."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surge_fit.errors import SweepError
from surge_fit.sweep import Sweep
from surge_fit.sweep.schema import ALL_COLUMNS, RUN_COLUMNS, normalise

NAN, INF = float("nan"), float("inf")
TABLE = {
    "batch_size": [8, 8, 64, 512],
    "learning_rate": [0.1, 0.2, 0.2, 0.4],
    "loss": [2.0, NAN, 1.5, None],
    "steps": [100, 100, None, 10],
    "N": [1, 1, 2, 2],
}


@pytest.fixture
def sweep():
    return Sweep.from_columns(**TABLE, batch_unit="examples", group_by="N")


def test_the_fields_of_a_sweep_are_the_canonical_columns():
    fields = {field.name for field in dataclasses.fields(Sweep)}
    table = {"batch_unit", "protocol", "kind", "loss_unit", "group_labels", "group_values"}
    record = {"ignored_columns", "reading", "settings", "source"}
    assert fields == {column.name for column in RUN_COLUMNS} | table | record


def test_no_synonym_means_two_columns():
    spellings = [name for column in ALL_COLUMNS for name in (column.name, *column.synonyms)]
    assert spellings == [normalise(name) for name in spellings]
    assert len(spellings) == len(set(spellings))


def test_a_sweep_cannot_be_changed(sweep):
    with pytest.raises(ValueError, match="read-only"):
        sweep.loss[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        sweep.protocol = "one_step"
    with pytest.raises(TypeError):
        sweep.group_values["N=1"]["N"] = "3"


def test_a_sweep_does_not_change_with_the_array_it_was_made_of():
    loss = np.array([2.0, 1.0])
    sweep = Sweep.from_columns(batch_size=[8, 64], learning_rate=0.1, loss=loss, batch_unit="tokens")
    loss[0] = 7.0
    assert sweep.loss.tolist() == [2.0, 1.0]


def test_repr_is_one_line(sweep):
    shown = "Sweep(4 runs, 3 batch sizes 8…512 [examples], 2 groups, 1 diverged, 1 stopped)"
    assert repr(sweep) == shown
    assert repr(sweep.where(np.zeros(4, dtype=bool))) == "Sweep(0 runs, 0 batch sizes [examples], 0 groups)"


def test_masks_and_batch_sizes(sweep):
    assert sweep.batch_sizes.tolist() == [8, 64, 512]
    assert sweep.is_finished.tolist() == [True, False, True, False]
    assert sweep.is_diverged.tolist() == [False, True, False, False]


def test_a_run_says_what_the_sweep_holds(sweep):
    run = sweep.runs[0]
    assert (run.run_id, run.batch_size, run.learning_rate, run.loss) == ("run-1", 8.0, 0.1, 2.0)
    assert (run.status, run.group, dict(run.others)) == ("finished", "N=1", {"steps": 100.0})
    assert dict(sweep.runs[2].others) == {}
    assert len(sweep) == len(sweep.runs) == 4


def test_where_keeps_the_chosen_runs_and_their_groups(sweep):
    chosen = sweep.where(sweep.batch_size > 8)
    assert chosen.run_id == ("run-3", "run-4")
    assert chosen.groups == ("N=2",)
    assert chosen.steps.tolist()[1] == 10.0


@pytest.mark.parametrize("group", ["N=2", {"N": 2}, {"N": "2"}, {"N": 2.0}])
def test_select_by_label_or_by_value(sweep, group):
    assert sweep.select(group).run_id == ("run-3", "run-4")


def test_select_by_part_of_the_columns_may_mean_several_groups():
    table = {**TABLE, "D": ["a", "b", "a", "b"]}
    sweep = Sweep.from_columns(**table, batch_unit="examples", group_by=["N", "D"])
    assert sweep.groups == ("N=1, D=a", "N=1, D=b", "N=2, D=a", "N=2, D=b")
    assert sweep.select({"D": "a"}).groups == ("N=1, D=a", "N=2, D=a")


def test_best_run_is_the_finished_one_with_the_least_loss():
    sweep = Sweep.from_columns(
        batch_size=8,
        learning_rate=[0.1, 0.2, 0.3, 0.4],
        loss=[2.0, 1.0, 1.5, -INF],
        status=["finished", "crashed", "finished", "finished"],
        batch_unit="examples",
    )
    assert sweep.best_run().learning_rate == 0.3
    with pytest.raises(SweepError, match="none of the 2 runs"):
        sweep.where([False, True, False, True]).best_run()


def test_to_target_the_best_run_is_the_fastest():
    table = {
        "batch_size": 8,
        "learning_rate": [0.1, 0.2, 0.4],
        "loss": [2.9, 3.0, 3.4],
        "steps_to_target": [70, 50, None],
    }
    sweep = Sweep.from_columns(**table, batch_unit="examples", protocol="to_target")
    assert sweep.best_run().learning_rate == 0.2
    assert Sweep.from_columns(**table, batch_unit="examples").best_run().learning_rate == 0.1


losses = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
positive = st.floats(min_value=5e-324, allow_infinity=False)


rows_of_runs = st.lists(
    st.tuples(positive, positive, losses, losses.filter(lambda x: x is None or math.isfinite(x))), min_size=1
)


@given(rows_of_runs)
def test_a_sweep_survives_strict_json_bit_for_bit(rows):
    batch_size, learning_rate, loss, target = (list(column) for column in zip(*rows, strict=True))
    sweep = Sweep.from_columns(
        batch_size=batch_size,
        learning_rate=learning_rate,
        loss=loss,
        target_loss=target,
        optimizer="adam",
        g=[str(index % 2) for index in range(len(rows))],
        group_by="g",
        batch_unit="tokens",
    )
    again = Sweep.from_dict(json.loads(json.dumps(sweep.to_dict(), allow_nan=False)))
    for field in dataclasses.fields(Sweep):
        before, after = getattr(sweep, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert list(map(repr, before.tolist())) == list(map(repr, after.tolist()))
        else:
            assert before == after


def test_a_stored_sweep_that_is_not_one_is_refused(sweep):
    stored = sweep.to_dict()
    for broken in ({**stored, "loss": [1.0]}, {**stored, "batch_size": "8"}, {**stored, "unit": 1}, {}):
        with pytest.raises(SweepError):
            Sweep.from_dict(broken)


def test_a_frame_of_the_sweep_reads_as_the_same_sweep(sweep):
    again = Sweep.from_frame(sweep.to_frame(), group_by="group")
    assert again.status == sweep.status
    assert again.groups == ("group=N=1", "group=N=2")
    np.testing.assert_array_equal(again.loss, sweep.loss)
    np.testing.assert_array_equal(again.steps, sweep.steps)
    points = Sweep.from_columns(batch_size=[8, 64], optimal_learning_rate=[0.1, 0.2], batch_unit="tokens")
    assert Sweep.from_frame(points.to_frame()).kind == "optimum_points"


def test_lists_that_mix_kinds_lose_nothing():
    sweep = Sweep.from_columns(
        batch_size=[8, "16", 64.5],
        learning_rate=[1, 0.5, np.float32(0.25)],
        loss=[1, None, NAN],
        batch_unit="tokens",
    )
    assert sweep.batch_size.tolist() == [8.0, 16.0, 64.5]
    assert sweep.learning_rate.tolist() == [1.0, 0.5, 0.25]
    assert sweep.status == ("finished", "stopped", "diverged")
    with pytest.raises(SweepError, match="got 'low' in row 2 of the columns"):
        Sweep.from_columns(batch_size=[8, 16], learning_rate=1, loss=[1.0, "low"], batch_unit="tokens")


def test_a_series_keeps_its_blank_cells():
    for blank in (pl.Series([1.0, None, NAN]), [1.0, None, NAN]):
        sweep = Sweep.from_columns(batch_size=8, learning_rate=0.1, loss=blank, batch_unit="tokens")
        assert sweep.status == ("finished", "stopped", "diverged")
    nullable = pd.Series([1, None], dtype="Int64")
    sweep = Sweep.from_columns(batch_size=8, learning_rate=0.1, loss=nullable, batch_unit="tokens")
    assert sweep.status == ("finished", "stopped")


def test_polars_tells_blank_from_nan():
    frame = pl.DataFrame({"bs": [8, 8, 8], "lr": [0.1, 0.2, 0.3], "loss": [1.0, NAN, None]})
    assert Sweep.from_frame(frame, batch_unit="tokens", nan_loss="diverged").status == (
        *("finished", "diverged", "stopped"),
    )


def test_pandas_tells_blank_from_nan_where_its_column_can():
    frame = pd.DataFrame({"bs": [8, 8], "LR": [0.1, 0.2], "loss": [1.0, NAN], "note": ["x", None]})
    sweep = Sweep.from_frame(frame, batch_unit="tokens", nan_loss="diverged")
    assert sweep.status == ("finished", "diverged")
    assert sweep.ignored_columns == ("note",)
    nullable = frame.assign(loss=pd.array([1.0, None], dtype="Float64"))
    assert Sweep.from_frame(nullable, batch_unit="tokens").status == ("finished", "stopped")
    words = frame.assign(optimizer=["adam", None], loss=["1.0", "nan"])
    assert Sweep.from_frame(words, batch_unit="tokens").optimizer == ("adam", "")
    assert Sweep.from_frame(words, batch_unit="tokens").status == ("finished", "stopped")
    assert Sweep.from_frame(words, batch_unit="tokens", nan_loss="crashed").status == ("finished", "crashed")


def test_importing_the_sweep_loads_no_frame_library():
    code = "import sys, surge_fit.sweep; print({'polars', 'narwhals', 'pandas'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
