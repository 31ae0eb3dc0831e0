"""Further kinds of tables: what each must give, whatever the file it comes in."""

import gzip
import io
import json
import lzma
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from surge_fit.errors import SweepError
from surge_fit.sweep import Sweep, read_sweep

GRID = [
    (64, 0.000125, 3.195),
    (64, 0.00025, 3.1089),
    (64, 0.0005, 3.076),
    (256, 0.00025, 3.1654),
    (256, 0.0005, 3.0757),
    (256, 0.001, 3.0457),
    (1024, 0.0005, 3.1499),
    (1024, 0.001, 3.0591),
]
FRAME = pd.DataFrame(GRID, columns=["bs", "lr", "loss"])


@pytest.fixture
def read(tmp_path):
    def reader(content, name="runs.csv", **arguments):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_sweep(path, **{"batch_unit": "sequences", **arguments})

    return reader


def lines(header, row, separator=","):
    return "\n".join([header, *(separator.join(str(cell) for cell in row(*run)) for run in GRID)]) + "\n"


def assert_grid(sweep, *, batch=1.0):
    np.testing.assert_allclose(sweep.batch_size, FRAME.bs * batch)
    np.testing.assert_allclose(sweep.learning_rate, FRAME.lr)
    np.testing.assert_allclose(sweep.loss, FRAME.loss)


def messages(sweep):
    return " ".join(decision.message for decision in sweep.reading)


def packed(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


RECORDS = [
    {"config": {"bs": b, "optimizer": {"lr": {"value": lr}}}, "summary": {"val/loss": loss}}
    for b, lr, loss in GRID
]
PLAIN = FRAME.to_csv(index=False)
PIPES = "| bs | lr | **loss** |\n|--|:-:|--:|\n" + "".join(f"| {b} | {lr} | {x} |\n" for b, lr, x in GRID)
FILES = {
    "runs.csv": PLAIN,
    "index.csv": FRAME.to_csv(),
    "crlf.csv": PLAIN.replace("\n", "\r\n"),
    "semicolon.csv": PLAIN.replace(",", ";"),
    "pipe.txt": PLAIN.replace(",", "|"),
    "tab.csv": PLAIN.replace(",", "\t").encode("utf-16"),
    "bom.csv": PLAIN.encode("utf-8-sig"),
    "sep.csv": "sep=;\n" + PLAIN.replace(",", ";"),
    "title.csv": "The sweep of May\n\n" + PLAIN,
    "comment.csv": "# one\n# two\n" + PLAIN + "# the end\n",
    "numpy.txt": "# " + PLAIN.replace(",", " "),
    "aligned.txt": FRAME.to_string(),
    "utf16le.csv": PLAIN.encode("utf-16-le"),
    "array.json": json.dumps(RECORDS),
    "named.json": json.dumps({f"run {i}": r for i, r in enumerate(RECORDS)}),
    "nested.json": json.dumps({"project": "p", "runs": RECORDS}),
    "columns.json": FRAME.to_json(),
    "split.json": FRAME.to_json(orient="split"),
    "index.json": FRAME.to_json(orient="index"),
    "lists.json": json.dumps(FRAME.to_dict("list")),
    "lines.jsonl": "\n".join(map(json.dumps, RECORDS)),
    "lines.json": "\n".join(map(json.dumps, RECORDS)),
    "notes.md": "# Runs\n\n" + PIPES + "\nDone.\n",
    "runs": PIPES,
    "runs.csv.gz": gzip.compress(PLAIN.encode()),
    "runs.jsonl.xz": lzma.compress("\n".join(map(json.dumps, RECORDS)).encode()),
    "runs.parquet": packed(pl.from_pandas(FRAME).write_parquet),
    "runs.arrow": packed(pl.from_pandas(FRAME).write_ipc),
    "runs.feather": packed(pl.from_pandas(FRAME).write_ipc_stream),
    "no_ending": packed(pl.from_pandas(FRAME).write_parquet),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_the_same_sweep(read, name):
    assert_grid(read(FILES[name], name))


def test_a_spreadsheet_is_read_past_its_title(read):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["The sweep"], [], ["Batch Size", "LR", "Val Loss"], *map(list, GRID)):
        book.active.append(row)
    assert_grid(read(packed(book.save), "runs.xlsx"))


def test_zstd_is_unpacked(read):
    zstandard = pytest.importorskip("zstandard")
    assert_grid(read(zstandard.compress(PLAIN.encode()), "runs.csv.zst"))


def test_a_missing_extra_is_named(read, monkeypatch):
    for package, name in (("openpyxl", "runs.xlsx"), ("zstandard", "runs.csv.zst")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(SweepError, match="install surge-fit"):
            read(b"PK\x03\x04", name)


def test_standard_input_is_a_table(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PLAIN.encode())))
    sweep = read_sweep("-", batch_unit="sequences")
    assert_grid(sweep)
    assert sweep.source == "standard input"


TABLES = {
    "per device": lines(
        "per_device_train_batch_size,gradient_accumulation_steps,world_size,lr,eval_loss",
        lambda b, lr, x: (b // 32, 4, 8, lr, x),
    ),
    "tensor parallel": lines(
        "micro-batch-size,gradient_accumulation_steps,world-size,tensor-model-parallel-size,lr,loss",
        lambda b, lr, x: (b // 16, 4, 8, 2, lr, x),
    ),
    "global beside micro": lines(
        "micro-batch-size,global-batch-size,lr,min-lr,lm loss", lambda b, lr, x: (4, b, lr, lr / 10, x)
    ),
    "one device": lines("batch_size,n_gpu,lr,loss", lambda b, lr, x: (b, 1, lr, x)),
    "config in a cell": lines(
        "name;config;val/loss",
        lambda b, lr, x: ("r", json.dumps({"bs": {"value": b}, "lr": {"value": lr}}), x),
        ";",
    ),
    "two spellings": lines(
        "bs,lr,learning_rate,loss", lambda b, lr, x: (b, *((lr, "") if b == 64 else ("", lr)), x)
    ),
    "a loss of words": lines("bs,lr,params_loss,loss", lambda b, lr, x: (b, lr, "mse", x)),
    "logarithms": lines(
        "log2(batch size),log10_lr,loss", lambda b, lr, x: (int(np.log2(b)), np.log10(lr), x)
    ),
    "powers of ten": lines("bs,lr (×10^-4),loss", lambda b, lr, x: (b, lr * 1e4, x)),
    "last digits": lines("bs,lr,loss", lambda b, lr, x: (b, lr, f"{x:.4f}(12)")),
    "notes": lines("bs,lr,loss", lambda b, lr, x: (b, f"**{lr}** (best)", f"{x}*")),
    "totals": lines("bs,lr,loss", lambda b, lr, x: (b, lr, x)) + "Average,,3.1\nTotal,,\n",
    "header again": lines("bs,lr,loss", lambda b, lr, x: (b, lr, x)) + "bs,lr,loss\n",
    "scheduled beside configured": lines("config/lr,lr_min,bs,loss", lambda b, lr, x: (lr, 0, b, x)),
    "perplexity beside loss": lines("bs,lr,val_ppl,val_loss", lambda b, lr, x: (b, lr, np.exp(x), x)),
    "copied column": lines("bs,lr,lr,loss", lambda b, lr, x: (b, lr, lr, x)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_gives_the_same_sweep(read, kind):
    assert_grid(read(TABLES[kind]))


def test_kilotokens_in_a_header(read):
    text = lines("Batch size (K tokens),Peak LR x 1e-3,loss [nats]", lambda b, lr, x: (b, lr * 1e3, x))
    assert_grid(read(text, batch_unit=None), batch=1000)


def test_german_numbers(read):
    def row(b, lr, x):
        return f"{b * 1024:,}".replace(",", "."), str(lr).replace(".", ","), str(x).replace(".", ",")

    assert_grid(read(lines("batch size;lr;loss", row, ";")), batch=1024)


def test_a_history_by_run_keeps_the_peak_rate_and_the_last_loss(read):
    # The rate warms up to its peak at step 200; validation losses are logged at the end alone.
    rows = [
        (f"r{i}", step, b, lr * share, x if step == 300 else "")
        for i, (b, lr, x) in enumerate(GRID)
        for step, share in ((100, 0.5), (200, 1.0), (300, 0.1))
    ]
    text = "run,step,batch_size,lr,val/loss\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    sweep = read(text)
    assert_grid(sweep)
    assert sweep.steps.tolist() == [300] * len(GRID)
    assert "A history" in messages(sweep)


def test_a_loss_that_ends_as_nan_in_a_history_diverged(read):
    rows = "".join(
        f"{b},{lr},{epoch},{3 if epoch == 1 else 'nan'}\n" for b, lr, _ in GRID for epoch in (1, 2)
    )
    assert read("bs,lr,epoch,loss\n" + rows).is_diverged.all()


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("lr\\bs,64,256,1024\n1e-3,3.1,3.0,3.2\n2e-3,3.2,3.05,-\n4e-3,3.4,3.1,diverged\n", 8),
        ("batch_size,lr=1e-3,lr=2e-3\n64,3.1,3.0\n256,3,3.1\n", 4),
        ("lr,loss_bs64,loss_bs256\n1e-3,3.1,3.0\n2e-3,3.2,3.05\n", 4),
        ("bs,lr,loss 1,loss 2\n8,1,2,3\n64,1,2,3\n", 4),
        ("bs,lr,fold1_loss,fold2_loss\n8,1,2,\n64,1,2,3\n", 3),
    ],
)
def test_a_cell_of_a_wide_table_is_a_run(read, text, runs):
    assert len(read(text)) == runs


@pytest.mark.parametrize(
    ("header", "maximize", "unit", "loss"),
    [
        ("val_bpb", None, "bits per byte", 0.8),
        ("val loss (bits)", None, "bits", 0.8),
        ("nll", None, "nats", 0.8),
        ("loss", None, "nats", 0.8),
        ("mse", None, "mean squared error", 0.8),
        ("objective", None, "objective", 0.8),
        ("Top-1 acc (%)", True, "accuracy", 0.992),
        ("macro F1", True, "F1", 0.2),
        ("BLEU", True, "BLEU", -0.8),
        ("mean_reward", True, "reward", -0.8),
        ("top-1 error (%)", None, "error", 0.008),
    ],
)
def test_a_metric_is_a_loss_in_a_unit_that_is_known(read, header, maximize, unit, loss):
    sweep = read(f"bs,lr,{header}\n8,1,0.8\n64,1,0.9\n", maximize=maximize)
    assert sweep.loss_unit == unit
    assert sweep.loss[0] == pytest.approx(loss)
    again = Sweep.from_frame(sweep.to_frame())
    assert (again.loss_unit, again.loss.tolist()) == (unit, sweep.loss.tolist())


def test_percent_of_an_accuracy_is_seen_in_its_numbers(read):
    sweep = read("bs,lr,accuracy\n8,1,80\n64,1,90\n", maximize=True)
    np.testing.assert_allclose(sweep.loss, [0.2, 0.1])
    assert "percent" in messages(sweep)


def test_the_direction_may_stand_in_the_table(read):
    sweep = read("number,value,params_bs,params_lr,direction\n0,0.8,8,1,MAXIMIZE\n1,0.9,64,1,MAXIMIZE\n")
    assert sweep.best_run().batch_size == 64


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("COMPLETED", "finished"),
        ("TERMINATED", "finished"),
        ("TrialState.COMPLETE", "finished"),
        ("keep", "finished"),
        ("discard", "finished"),
        ("TIMEOUT", "stopped"),
        ("CANCELLED by 1000", "stopped"),
        ("PREEMPTED", "stopped"),
        ("PRUNED", "stopped"),
        ("early stopped", "stopped"),
        ("killed", "stopped"),
        ("NODE_FAIL", "crashed"),
        ("OUT_OF_MEMORY", "crashed"),
        ("BOOT_FAIL", "crashed"),
        ("crashed (OOM)", "crashed"),
        ("FAILED", "crashed"),
        ("failed: CUDA out of memory", "crashed"),
        ("diverged!", "diverged"),
        ("NaN loss at step 100", "diverged"),
    ],
)
def test_words_for_how_a_run_ended(read, word, status):
    assert read(f"bs,lr,loss,status\n8,1,2,{word}\n64,1,2,\n").status == (status, "finished")


def test_an_unknown_word_keeps_the_run_out_and_is_told(read):
    sweep = read("bs,lr,loss,status\n8,1,2,gone fishing\n64,1,2,ok\n")
    assert sweep.status == ("stopped", "finished")
    (doubt,) = [finding for finding in sweep.checks() if finding.slug == "doubtful_status"]
    assert "'gone fishing'" in doubt.message


def test_steps_under_a_name_of_lengths_are_told_apart_by_grouping(read):
    text = "bs,lr,steps,loss\n" + "".join(
        f"{b},{lr},{s},{x + 1 / s}\n" for b, lr, x in GRID for s in (100, 200)
    )
    assert len(read(text)) == len(GRID)
    assert len(read(text, group_by="steps")) == 2 * len(GRID)


def test_the_record_of_the_reading_is_kept(read):
    sweep = read("BatchSize,LR,Loss\n8,1,2\n0,1,2\n")
    assert "'BatchSize' is 'batch_size'" in messages(sweep)
    assert Sweep.from_dict(json.loads(json.dumps(sweep.to_dict()))).reading == sweep.reading
    assert sweep.where([True]).reading == sweep.reading
