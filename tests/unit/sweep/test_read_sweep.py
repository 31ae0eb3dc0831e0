"""Reading files: every format gives the same sweep, nothing is guessed, nothing is dropped."""

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from surge_fit.errors import SweepError
from surge_fit.sweep import read_sweep

DATA = Path(__file__).parents[3].parent / "shared" / "data"
HEADER = "Name,Global Batch-Size,Optim.algo.lr,Val/Loss,State\n"
CSV = HEADER + "a,8,1e-1,2,finished\nb,64,.2,NaN,finished\nc,8,1,,ok\n"


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def arrays(sweep):
    return [
        sweep.batch_size.tolist(),
        sweep.learning_rate.tolist(),
        np.nan_to_num(sweep.loss, nan=-1).tolist(),
    ]


def test_headers_match_whatever_their_case_spaces_and_slashes(tmp_path):
    sweep = read_sweep(write(tmp_path / "runs.csv", CSV), batch_unit="examples")
    assert sweep.run_id == ("a", "b", "c")
    assert arrays(sweep) == [[8, 64, 8], [0.1, 0.2, 1], [2, -1, -1]]
    # A finished run with a NaN loss diverged; one without a loss stays finished, and a check counts it.
    assert sweep.status == ("finished", "diverged", "finished")
    assert sweep.source == "runs.csv"


@pytest.mark.parametrize("name", ["runs.tsv", "bom.csv", "crlf.csv", "runs.jsonl", "runs.parquet"])
def test_every_format_gives_the_same_sweep(tmp_path, name):
    path = tmp_path / name
    frame = pl.read_csv(write(tmp_path / "plain.csv", CSV), infer_schema=False)
    if name == "runs.tsv":
        write(path, CSV.replace(",", "\t"))
    elif name == "bom.csv":
        write(path, CSV.encode("utf-8-sig"))
    elif name == "crlf.csv":
        write(path, CSV.replace("\n", "\r\n"))
    elif name == "runs.jsonl":
        lines = ['{"Name":"a","bs":8,"lr":1e-1,"loss":2,"State":"finished"}', ""]
        lines += ['{"Name":"b","bs":64,"lr":0.2,"loss":NaN,"State":"finished"}']
        lines += ['{"Name":"c","lr":1,"bs":8,"State":"ok","tags":["x"],"loss":null}']
        write(path, "\n".join(lines))
    else:
        frame.with_columns(pl.col("Global Batch-Size").cast(pl.Int32)).write_parquet(path)
    sweep = read_sweep(path, batch_unit="examples")
    assert arrays(sweep) == [[8, 64, 8], [0.1, 0.2, 1], [2, -1, -1]]
    assert sweep.status == ("finished", "diverged", "finished")


@pytest.mark.parametrize(
    ("cell", "status", "loss"),
    [("1.5", "finished", 1.5), ("nan", "stopped", None), ("nan (diverged)", "diverged", None),
     ("-inf", "diverged", -np.inf),
     ("Infinity", "diverged", np.inf), ("", "stopped", None), ("None", "stopped", None)],
)  # fmt: skip
def test_without_a_status_the_loss_tells_how_the_run_ended(tmp_path, cell, status, loss):
    sweep = read_sweep(write(tmp_path / "r.csv", f"bs,lr,loss\n8,1,{cell}\n"), batch_unit="tokens")
    assert sweep.status == (status,)
    np.testing.assert_equal(sweep.loss[0], np.nan if loss is None else loss)


@pytest.mark.parametrize(
    ("word", "loss", "status"),
    [("FINISHED", "1", "finished"), ("completed", "inf", "diverged"), ("failed", "nan", "crashed"),
     ("pruned", "3", "stopped"), ("nan", "", "diverged"), ("", "1", "finished")],
)  # fmt: skip
def test_the_words_of_trackers_are_understood(tmp_path, word, loss, status):
    path = write(tmp_path / "r.csv", f"bs,lr,loss,state\n8,1,{loss},{word}\n")
    assert read_sweep(path, batch_unit="tokens").status == (status,)


def test_the_table_may_name_its_unit_and_protocol(tmp_path):
    header = write(tmp_path / "header.csv", "batch_tokens,lr,loss\n8,1,2\n")
    assert read_sweep(header).batch_unit == "tokens"
    column = write(tmp_path / "column.csv", "bs,batch unit,protocol,lr,loss\n8,Sequences,one_step,1,2\n")
    assert (read_sweep(column).batch_unit, read_sweep(column).protocol) == ("sequences", "one_step")


def test_a_header_that_was_picked_is_not_matched_twice(tmp_path):
    path = write(tmp_path / "r.csv", "bs,lr,steps\n8,1,200\n8,2,\n")
    sweep = read_sweep(path, columns={"steps_to_target": "steps"}, batch_unit="tokens")
    assert sweep.steps is None
    assert sweep.steps_to_target[0] == 200
    assert sweep.status == ("finished", "stopped")


def test_a_single_letter_keeps_its_case(tmp_path):
    path = write(tmp_path / "r.csv", "B,lr,loss,D,d\n8,1,2,100,7\n")
    sweep = read_sweep(path, batch_unit="tokens")
    assert (sweep.batch_size[0], sweep.tokens[0], sweep.ignored_columns) == (8, 100, ("d",))


def test_a_column_that_makes_groups_is_claimed_by_no_synonym(tmp_path):
    path = write(tmp_path / "r.csv", "bs,lr,loss,name,D\n8,1,2,small,9\n64,1,2,small,9\n")
    sweep = read_sweep(path, batch_unit="tokens", group_by=["name", "D"])
    assert (sweep.run_id, sweep.groups, sweep.tokens) == (("run-1", "run-2"), ("name=small, D=9",), None)
    both = read_sweep(path, batch_unit="tokens", group_by=["name", "D"], columns={"tokens": "D"})
    assert both.tokens.tolist() == [9, 9]


def test_optimum_points_are_read_without_runs(tmp_path):
    path = write(tmp_path / "r.csv", "bs,best lr,grid_step\n8,0.1,0.7\n64,0.2,\n")
    sweep = read_sweep(path, batch_unit="examples")
    assert (sweep.kind, sweep.status) == ("optimum_points", ("finished", "finished"))
    assert sweep.learning_rate.tolist() == [0.1, 0.2]
    assert np.isnan(sweep.grid_step[1])


def test_lines_are_those_of_the_file_past_quoted_breaks_and_blank_lines(tmp_path):
    # Line 1 is the header, the quoted note spans lines 2–3 and 4–5, line 6 is blank, line 7 is wrong.
    text = 'bs,lr,loss,note\n8,1,2,"a\nb"\n8,1,2,"a\r\nb"\n\n-1,1,2,\n'
    with pytest.raises(SweepError, match=r"got -1 in line 7 of r\.csv"):
        read_sweep(write(tmp_path / "r.csv", text), batch_unit="tokens")


def test_the_unit_is_asked_for_and_replicates_are_kept(tmp_path):
    path = write(tmp_path / "r.csv", "bs,lr,loss,seed\n8,1,2,0\n8,1,2.5,1\n")
    with pytest.raises(SweepError, match="examples, sequences or tokens"):
        read_sweep(path)
    assert len(read_sweep(path, batch_unit="sequences")) == 2


def test_a_million_rows_take_seconds(tmp_path):
    count = 1_000_000
    rates = np.random.default_rng(0).lognormal(-7, 1, count)
    frame = pl.DataFrame({"bs": np.arange(count) % 512 + 1, "lr": rates, "loss": rates, "seed": 1})
    frame[-1, "bs"] = -1
    frame.write_csv(tmp_path / "r.csv")
    start = time.process_time()
    with pytest.raises(SweepError, match=r"got -1 in line 1000001 of r\.csv"):
        read_sweep(tmp_path / "r.csv", batch_unit="tokens")
    assert time.process_time() - start < 15


@pytest.mark.skipif(not DATA.is_dir(), reason="the public tables are not on this machine")
class TestPublicTables:
    def test_step_law(self):
        path = DATA / "steplaw/dense_lr_bs_loss.csv"
        with pytest.raises(SweepError, match="'loss' and 'smooth loss'"):
            read_sweep(path, batch_unit="sequences")
        sweep = read_sweep(path, columns={"loss": "smooth loss"}, batch_unit="sequences", group_by=("N", "D"))
        assert (len(sweep), len(sweep.groups)) == (1911, 17)
        assert len(sweep.select({"N": 214663680, "D": 100000000000})) == 120

    def test_one_step_of_mnist(self):
        names = {"loss": "mean_loss_change", "learning_rate": "epsilon", "loss_se": "stderr_loss_change"}
        path = DATA / "mnist_one_step/aggregate_results.csv"
        sweep = read_sweep(path, columns=names, batch_unit="examples", group_by="checkpoint_step")
        assert (len(sweep), sweep.groups) == (806, ("checkpoint_step=100", "checkpoint_step=500"))

    def test_steps_to_a_target(self):
        path = DATA / "critical_batch_size/steps_to_target.csv"
        sweep = read_sweep(path, batch_unit="sequences", group_by="model")
        assert (len(sweep), len(sweep.groups), sweep.kind) == (45, 5, "steps_to_target")

    def test_a_table_without_a_needed_column_is_refused(self):
        with pytest.raises(SweepError, match="must have a column for 'batch_size'"):
            read_sweep(DATA / "wandb_export/runs_table.csv", batch_unit="examples")
