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
    "unknown file type": ("runs.xlsx", GOOD, UNIT),
    "UTF-16": ("runs.csv", GOOD.encode("utf-16"), UNIT),
    "UTF-16 without a mark": ("runs.csv", GOOD.encode("utf-16-le"), UNIT),
    "Latin-1": ("runs.csv", GOOD.replace("a,", "é,").encode("latin-1"), UNIT),
    "not Parquet": ("runs.parquet", GOOD, UNIT),
    "short row": ("runs.csv", GOOD + "c,8,0.1\n", UNIT),
    "long row": ("runs.tsv", GOOD.replace(",", "\t") + "c\t8\t0.1\t2\t3\n", UNIT),
    "open quote": ("runs.csv", GOOD + '"c,8,0.1,2\n', UNIT),
    "semicolons": ("runs.csv", GOOD.replace(",", ";"), UNIT),
    "repeated header": ("runs.csv", "batch_size,lr,lr,loss\n8,0.1,0.1,2\n", UNIT),
    "malformed JSONL": ("runs.jsonl", '{"batch_size": 8, "lr": 0.1, "loss": 2}\n{"batch_size" 8}\n', UNIT),
    "JSONL of lists": ("runs.jsonl", "[8, 0.1, 2]\n", UNIT),
    "missing batch size": ("runs.csv", "size,lr,loss\n8,0.1,2\n", UNIT),
    "missing learning rate": ("runs.csv", "bs,learning_rte,loss\n8,0.1,2\n", UNIT),
    "steps of unknown meaning": ("runs.csv", "bs,max_steps\n8,100\n", UNIT),
    "missing loss": ("runs.csv", "bs,lr,accuracy\n8,0.1,2\n", UNIT),
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
    "not a number": ("runs.csv", GOOD + 'c,"1,024",0.1,2\n', UNIT),
    "zero batch size": ("runs.csv", GOOD + "c,0,0.1,2\n", UNIT),
    "negative learning rate": ("runs.csv", GOOD + "c,8,-0.1,2\nd,8,0.1,2\ne,8,-1,2\n", UNIT),
    "infinite learning rate": ("runs.csv", "bs,lr,loss\n8,inf,2\n", UNIT),
    "blank batch size": ("runs.csv", GOOD + "c,,0.1,2\n", UNIT),
    "NaN learning rate": ("runs.csv", GOOD + "c,8,nan,2\n", UNIT),
    "beta2 of 1": ("runs.csv", "bs,lr,loss,adam_beta2\n8,0.1,2,1\n", UNIT),
    "repeated run id": ("runs.csv", GOOD + "a,8,0.1,2\n", UNIT),
    "blank run id": ("runs.csv", GOOD + ",8,0.1,2\n", UNIT),
    "unknown status": ("runs.csv", "bs,lr,loss,State\n8,0.1,2,finished\n8,0.1,2,gone\n", UNIT),
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
    "fit: one batch size": lambda: fittable(batch_size=8),
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
