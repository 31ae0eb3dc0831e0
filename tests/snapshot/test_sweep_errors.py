"""Every refusal of a table of runs, word for word; run this file to write the golden file anew."""

import sys
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from surge_fit.errors import SweepError
from surge_fit.sweep import Sweep, read_sweep

GOLDEN = Path(__file__).with_name("sweep_errors.txt")
GOOD = "run_id,batch_size,lr,loss\na,8,0.1,2.0\nb,64,0.2,1.9\n"
UNIT = {"batch_unit": "examples"}

FILES: dict[str, tuple[str, str | bytes, dict]] = {
    "empty file": ("runs.csv", "", UNIT),
    "header only": ("runs.csv", "batch_size,lr,loss\n", UNIT),
    "blank header": ("runs.csv", "\n8,0.1,2\n", UNIT),
    "not a table": ("runs.bin", b"\x7fELF\x01\x00\x01\x00\x05\x06\x07\x08", UNIT),
    "not gzip": ("runs.csv.gz", b"\x1f\x8b" + GOOD.encode(), UNIT),
    "Latin-1": ("runs.csv", GOOD.replace("a,", "é,").encode("latin-1"), UNIT),
    "not Parquet": ("runs.parquet", GOOD, UNIT),
    "rows of another width": ("runs.csv", "run_id,batch_size,lr,loss\na,8,0.1\nb,8,0.1,2,3\n", UNIT),
    "no header": ("runs.csv", "8,0.1,2\n64,0.2,2\n", UNIT),
    "open quote": ("runs.csv", GOOD + '"c,8,0.1,2\n', UNIT),
    "repeated header": ("runs.csv", "batch_size,lr,lr,loss\n8,0.1,0.2,2\n", UNIT),
    "malformed JSONL": ("runs.jsonl", '{"batch_size": 8, "lr": 0.1, "loss": 2}\n{"batch_size" 8}\n', UNIT),
    "JSONL of lists": ("runs.jsonl", "[8, 0.1, 2]\n", UNIT),
    "missing batch size": ("runs.csv", "size,lr,loss\n8,0.1,2\n", UNIT),
    "missing learning rate": ("runs.csv", "bs,learning_rte,loss\n8,0.1,2\n", UNIT),
    "steps of unknown meaning": ("runs.csv", "bs,max_steps\n8,100\n", UNIT),
    "missing loss": ("runs.csv", "bs,lr,speed\n8,0.1,2\n", UNIT),
    "all that is missing": ("runs.csv", "size,rate,speed\n8,0.1,2\n", UNIT),
    "several problems": ("runs.csv", "bs,lr,train_loss,val_loss\n8,0.1,2,3\n", {}),
    "doubtful learning rate": ("runs.csv", "bs,embedding_lr,loss\n8,0.1,2\n", UNIT),
    "accuracy": ("runs.csv", "bs,lr,val_accuracy\n8,0.1,0.7\n", UNIT),
    "accuracy against the caller": ("runs.csv", "bs,lr,F1\n8,0.1,0.7\n", {**UNIT, "maximize": False}),
    "micro batch": ("runs.csv", "per_device_train_batch_size,lr,loss\n8,0.1,2\n", UNIT),
    "micro batch or whole": ("runs.csv", "batch_size,gradient_accumulation_steps,lr,loss\n8,4,0.1,2\n", UNIT),
    "micro batch beside another": ("runs.csv", "batch_size,micro_batch_size,lr,loss\n8,3,0.1,2\n", UNIT),
    "two learning rates": ("runs.csv", "bs,lr,peak_lr,loss\n8,0.01,0.1,2\n", UNIT),
    "chart export": ("runs.csv", "Step,a - val/loss,a - val/loss__MIN,a - val/loss__MAX\n1,2,2,2\n", UNIT),
    "wide table": ("runs.csv", "batch,0.1,0.2\n8,2,3\n", UNIT),
    "one factor at a time": ("runs.csv", "parameter,value,loss\nlr,0.1,2\nbatch_size,8,3\n", UNIT),
    "epochs to target": ("runs.csv", "bs,lr,epochs_to_target\n8,0.1,2\n", UNIT),
    "examples to target in tokens": ("runs.csv", "batch_tokens,lr,examples_to_target\n8,0.1,2\n", {}),
    "unknown meaning of NaN": ("runs.csv", GOOD, {**UNIT, "nan_loss": "stopped"}),
    "no JSON": ("runs.json", '[{"batch_size": 8,]', UNIT),
    "JSON without runs": ("runs.json", "[1, 2]", UNIT),
    "no Markdown table": ("runs.md", "Runs follow.", UNIT),
    "ambiguous loss": ("runs.csv", "bs,lr,loss,smooth loss\n8,0.1,2,3\n", UNIT),
    "columns: absent header": ("runs.csv", GOOD, {**UNIT, "columns": {"loss": "run loss"}}),
    "columns: unknown name": ("runs.csv", GOOD, {**UNIT, "columns": {"batchsize": "batch_size"}}),
    "group_by: absent column": ("runs.csv", GOOD, {**UNIT, "group_by": "model"}),
    "blank group": ("runs.csv", "bs,lr,loss,model\n8,0.1,2,\n", {**UNIT, "group_by": "model"}),
    "no unit": ("runs.csv", GOOD, {}),
    "unknown unit": ("runs.csv", GOOD, {"batch_unit": "samples"}),
    "unit against header": ("runs.csv", "batch_tokens,lr,loss\n8,0.1,2\n", UNIT),
    "mixed units": ("runs.csv", "bs,batch_unit,lr,loss\n8,tokens,0.1,2\n8,examples,0.1,2\n", {}),
    "unknown protocol": ("runs.csv", GOOD, {**UNIT, "protocol": "fixed"}),
    "not a number": ("runs.csv", GOOD + "c,many,0.1,2\n", UNIT),
    "cells of two columns": ("runs.csv", GOOD + "c,many,0.1,2\nd,8,fast,2\n", UNIT),
    "negative learning rate": ("runs.csv", GOOD + "c,8,-0.1,2\nd,8,0.1,2\ne,8,-1,2\n", UNIT),
    "infinite learning rate": ("runs.csv", "bs,lr,loss\n8,inf,2\n", UNIT),
    "no row is a run": ("runs.csv", "bs,lr,loss\n8,,2\n,0.1,2\n0,1,2\n", UNIT),
    "chosen column of words": (
        "runs.csv",
        "bs,lr,loss,note\n8,1,2,x\n",
        {**UNIT, "columns": {"seed": "note"}},
    ),
}

TWO = {"batch_size": [8, 64], "learning_rate": [0.1, 0.2], "loss": [2.0, 1.9]}


def fittable(**columns: object) -> None:
    Sweep.from_columns(**{**TWO, **columns}, **UNIT).require_fittable()


CALLS = {
    "missing file": lambda: read_sweep("nowhere/runs.csv"),
    "frame: bad cell": lambda: Sweep.from_frame(pl.DataFrame({**TWO, "loss": ["2", "low"]}), **UNIT),
    "frame: no rows": lambda: Sweep.from_frame(pl.DataFrame(TWO).clear(), **UNIT),
    "frame: repeated column": lambda: Sweep.from_frame(pd.DataFrame([[1, 2]], columns=["lr", "lr"])),
    "frame: lazy": lambda: Sweep.from_frame(pl.LazyFrame(TWO), **UNIT),
    "columns: misspelt": lambda: Sweep.from_columns(**TWO, optimiser=["adam"] * 2, **UNIT),
    "columns: lengths": lambda: Sweep.from_columns(**TWO, steps=[1, 2, 3], **UNIT),
    "columns: matrix": lambda: Sweep.from_columns(**{**TWO, "loss": pl.DataFrame(TWO).to_numpy()}, **UNIT),
    "fit: one batch size": lambda: Sweep.from_columns(
        batch_size=8, optimal_learning_rate=[1e-3, 2e-3], **UNIT
    ).require_fittable(),
    "fit: all diverged": lambda: fittable(loss=[float("nan"), float("inf")]),
    "fit: no loss": lambda: fittable(loss=[None, None], status=["finished", "crashed"]),
    "select: unknown group": lambda: Sweep.from_columns(**TWO, N=[1, 2], group_by="N", **UNIT).select("N=3"),
    "select: no groups": lambda: Sweep.from_columns(**TWO, **UNIT).select({"N": 3}),
    "where: not a mask": lambda: Sweep.from_columns(**TWO, **UNIT).where([0, 1]),
}


def messages(folder: Path) -> str:
    """Return every message under the name of its case."""
    calls = dict(CALLS)
    for case, (name, content, arguments) in FILES.items():
        path = folder / case.replace(":", "") / name
        path.parent.mkdir()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        calls[case] = lambda path=path, arguments=arguments: read_sweep(path, **arguments)
    written = []
    for case in (*FILES, *CALLS):
        with pytest.raises(SweepError) as caught:
            calls[case]()
        written.append(f"# {case}\n{caught.value}\n")
    return "\n".join(written)


def test_every_refusal_reads_as_the_golden_file_says(tmp_path):
    assert messages(tmp_path) == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(messages(Path(folder)), encoding="utf-8")
    sys.stdout.write(f"wrote {GOLDEN}\n")
