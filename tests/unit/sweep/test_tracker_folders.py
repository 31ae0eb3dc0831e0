"""Folders of runs in the shapes that trainers give them, small ones of our own."""

import json
import struct
import sys

import pytest
from support.tracked_runs import GRID, jsonl_runs, require_grid
from surge_fit import SweepError, read_sweep

VALIDATION = {"loss": "val_loss"}


def written(folder, files):
    """Write files by their paths below a folder; what is no text becomes JSON."""
    for name, held in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(held if isinstance(held, str) else json.dumps(held), encoding="utf-8")
    return folder


def runs_of(sweep):
    return sorted(zip(sweep.batch_size, sweep.learning_rate, sweep.loss, strict=True))


def test_json_lines_beside_settings(tmp_path):
    jsonl_runs(tmp_path)
    require_grid(read_sweep(tmp_path, batch_unit="examples", columns=VALIDATION))


def test_pairs_of_files_of_the_same_name(tmp_path):
    for index, (batch, rate, loss) in enumerate(GRID[:3]):
        written(
            tmp_path,
            {
                f"run{index}.yaml": f"batch_size: {batch}\noptim:\n  lr: {rate}\n",
                f"run{index}.csv": f"step,val_loss\n0,{loss + 1}\n1,{loss}\n",
            },
        )
    sweep = read_sweep(tmp_path, batch_unit="examples")
    assert runs_of(sweep) == sorted(GRID[:3])
    assert set(sweep.run_id) == {"run0", "run1", "run2"}


def trainer_state(batch, rates, losses, **more):
    """A state of Hugging Face's Trainer that logged every ten steps of forty."""
    log = [
        {
            "epoch": 0.1 * place,
            "step": 10 * place,
            "loss": loss + 0.5,
            "grad_norm": 1.0,
            "learning_rate": rate,
        }
        for place, (rate, loss) in enumerate(zip(rates, losses, strict=True), start=1)
    ]
    log += [{"epoch": 1.0, "step": 40, "eval_loss": losses[-1], "eval_runtime": 0.1}]
    return {"global_step": 40, "max_steps": 40, "train_batch_size": batch, "log_history": log, **more}


def end(samples, seconds=10.0, steps=40):
    """What the Trainer logs when it ends: planned samples and steps a second."""
    speeds = {"train_samples_per_second": samples / seconds, "train_steps_per_second": steps / seconds}
    return {"step": steps, "train_runtime": seconds, "train_loss": 99.0, **speeds}


def test_hugging_face_states_give_the_global_batch_by_their_speeds(tmp_path):
    # Two processes with accumulation over four batches of 8 make 64 samples a step; 40 steps of an epoch
    # whose last batch is half full have 40 * 64 - 32 samples.
    for name, rate, samples in (("a", 1e-3, 40 * 64), ("b", 2e-3, 40 * 64 - 32)):
        state = trainer_state(8, (rate / 2, rate, rate / 2, 0.0), (4.0, 3.5, 3.2, 3.0))
        state["log_history"].append(end(samples))
        written(tmp_path, {f"{name}/trainer_state.json": state})
    sweep = read_sweep(tmp_path, batch_unit="sequences", columns={"loss": "eval_loss"})
    assert runs_of(sweep) == [(64, 1e-3, 3.0), (64, 2e-3, 3.0)]
    assert list(sweep.steps) == [40, 40]


def test_of_checkpoints_the_last_one_counts_and_a_model_card_states_the_batch(tmp_path):
    card = (
        "### Training hyperparameters\n\nThe following hyperparameters were used during training:\n"
        "- learning_rate: 0.003\n- train_batch_size: 4\n- gradient_accumulation_steps: 4\n"
        "- total_train_batch_size: 16\n- seed: 42\n\n### Training results\n- seed: 1\n"
    )
    early = trainer_state(4, (1e-3,), (5.0,), global_step=10)
    late = trainer_state(4, (1e-3, 2e-3, 1e-3, 0.0), (5.0, 4.0, 3.0, 2.5))
    files = {"out/checkpoint-9/trainer_state.json": early, "out/checkpoint-40/trainer_state.json": late}
    written(tmp_path, {**files, "out/README.md": card})
    sweep = read_sweep(tmp_path, batch_unit="sequences", columns={"loss": "eval_loss"})
    assert runs_of(sweep) == [(16, 3e-3, 2.5)]
    assert sweep.run_id == ("out",)


def test_event_files_beside_a_checkpoint_are_of_the_same_run(tmp_path):
    for index, rate in enumerate((1e-3, 2e-3)):
        state = trainer_state(4, (rate,), (3.0,))
        state["log_history"].append(end(40 * 4))
        written(tmp_path, {f"run{index}/checkpoint-40/trainer_state.json": state})
        events = tmp_path / f"run{index}" / "runs" / "Jan01_host"
        events.mkdir(parents=True)
        (events / "events.out.tfevents.1.host").write_bytes(event_file([("eval/loss", 0, 9.0)]))
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})
    assert runs_of(sweep) == [(4, 1e-3, 3.0), (4, 2e-3, 3.0)]


def test_a_folder_may_name_the_settings_of_its_run(tmp_path):
    for rate in (0.001, 0.01):
        written(tmp_path, {f"bs=16,lr={rate}/metrics.csv": f"epoch,val_loss\n0,3.0\n1,{2 + rate}\n"})
    sweep = read_sweep(tmp_path, batch_unit="examples")
    assert runs_of(sweep) == [(16, 0.001, 2.001), (16, 0.01, 2.01)]


def test_the_batch_of_a_device_alone_is_asked_about(tmp_path):
    for index, rate in enumerate((1e-3, 2e-3)):
        state = trainer_state(4, (rate,), (3.0,))
        written(tmp_path, {f"run{index}/trainer_state.json": state})
    with pytest.raises(SweepError, match="per_device_train_batch_size"):
        read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})


def test_a_run_whose_last_gradient_is_not_a_number_has_diverged(tmp_path):
    # The Trainer logs the mean of the losses before in place of a NaN; the norm of the gradient is as it was.
    for index, norm in enumerate((1.0, float("nan"))):
        state = trainer_state(4, (1e-3,), (3.0,))
        state["log_history"][0]["grad_norm"] = norm
        state["log_history"].append(end(40 * 4))
        written(tmp_path, {f"run{index}/trainer_state.json": state})
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})
    assert sweep.status == ("finished", "diverged")


def test_training_arguments_are_never_unpickled(tmp_path):
    class Danger:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    import pickle

    state = trainer_state(4, (1e-3,), (3.0,))
    state["log_history"].append(end(40 * 4))
    written(tmp_path, {"run/trainer_state.json": state})
    (tmp_path / "run" / "training_args.bin").write_bytes(pickle.dumps(Danger()))
    (tmp_path / "run" / "hparams.yaml").write_text(
        "lr: !!python/object/apply:os.abort []\n", encoding="utf-8"
    )
    read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})
    assert not (tmp_path / "executed").exists()


def test_lightning_with_objects_in_its_settings(tmp_path):
    settings = "batch_size: 8\nlr: 1e-2\nloss: !!python/object/apply:os.abort []\n"
    metrics = "epoch,step,train_loss,val_loss\n0,0,3.0,\n0,49,2.5,\n0,49,,2.25\n"
    for version in (0, 1):
        folder = f"lightning_logs/version_{version}"
        written(tmp_path, {f"{folder}/hparams.yaml": settings, f"{folder}/metrics.csv": metrics})
    sweep = read_sweep(tmp_path, batch_unit="examples", columns=VALIDATION)
    assert runs_of(sweep) == [(8, 1e-2, 2.25)] * 2
    assert list(sweep.steps) == [50, 50], "steps are counted from zero"


def ray_trial(batch, rate, losses):
    rows = [
        {"val_loss": loss, "training_iteration": place, "trial_id": f"{batch}_{rate}", "config": {"lr": rate}}
        for place, loss in enumerate(losses, start=1)
    ]
    return {"params.json": {"batch_size": batch, "lr": rate}, "result.json": "\n".join(map(json.dumps, rows))}


def test_ray_trials_that_ended_before_their_siblings_were_stopped(tmp_path):
    trials = {
        "a": ray_trial(8, 1e-2, (3.0, 2.5, 2.0)),
        "b": ray_trial(8, 1e-3, (4.0,)),  # one report of three: a scheduler stopped it
        "c": ray_trial(16, 1e-2, (3.0,)),  # one report of one: all trials of this batch size have one
        "d": ray_trial(8, 1.0, (9.0,)),
    }
    states = [
        [json.dumps({"trial_id": f"{batch}_{rate}", "status": status}), "{}"]
        for batch, rate, status in (
            (8, 1e-2, "TERMINATED"),
            (8, 1e-3, "TERMINATED"),
            (16, 1e-2, "TERMINATED"),
            (8, 1.0, "ERROR"),
        )
    ]
    written(tmp_path, {"grid/experiment_state-2026.json": {"trial_data": states}})
    for name, files in trials.items():
        written(tmp_path / "grid" / name, files)
    sweep = read_sweep(tmp_path, batch_unit="examples")
    assert dict(zip(sweep.run_id, sweep.status, strict=True)) == {
        "grid/a": "finished",
        "grid/b": "stopped",
        "grid/c": "finished",
        "grid/d": "crashed",
    }


def test_hydra_settings_that_refer_to_others(tmp_path):
    for job, rate in enumerate((1e-3, 1e-2)):
        written(
            tmp_path / "multirun" / str(job),
            {
                ".hydra/config.yaml": f"base: {rate}\noptim:\n  lr: ${{base}}\ndata:\n  batch_size: 8\n",
                ".hydra/overrides.yaml": f"- base={rate}\n",
                "results.json": {"val_loss": 3 - rate},
            },
        )
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"learning_rate": "optim.lr"})
    assert runs_of(sweep) == [(8, 1e-3, 3 - 1e-3), (8, 1e-2, 3 - 1e-2)]


MEGATRON = """\
using world size: 8, data-parallel size: 8
------------------------ arguments ------------------------
  global_batch_size ............................... {batch}
  lr .............................................. {rate}
  micro_batch_size ................................ 2
-------------------- end of arguments ---------------------
 iteration        1/     100 | consumed samples: 256 | learning rate: 1.5E-05 | lm loss: 1.07E+01 |
 iteration      100/     100 | consumed samples: 25600 | learning rate: 1.0E-06 | lm loss: 3.5E+00 |
 validation loss at iteration 100 | lm loss value: {loss} | lm loss PPL: 2.4E+01 |
"""


def test_megatron_logs_list_their_own_settings(tmp_path):
    for index, rate in enumerate((1e-4, 3e-4)):
        text = MEGATRON.format(batch=256, rate=rate, loss=3.25 - index / 8)
        written(tmp_path, {f"run{index}/train.log": text})
    sweep = read_sweep(tmp_path, batch_unit="sequences", columns={"loss": "validation lm loss value"})
    assert runs_of(sweep) == [(256, 1e-4, 3.25), (256, 3e-4, 3.125)]


def test_nanochat_checkpoints(tmp_path):
    for depth, rate in ((4, 0.01), (6, 0.02)):
        for step, bpb in ((500, 1.4), (1000, 1.2 + rate)):
            meta = {
                "step": step,
                "val_bpb": bpb,
                "model_config": {"n_layer": depth},
                "user_config": {"matrix_lr": rate, "total_batch_size": 524288},
            }
            written(tmp_path, {f"d{depth}/meta_{step:06d}.json": meta})
    sweep = read_sweep(tmp_path, batch_unit="tokens")
    assert runs_of(sweep) == [(524288, 0.01, 1.21), (524288, 0.02, 1.22)]


def test_torchtitan_and_llm_c_lines(tmp_path):
    titan = (
        "[titan] 2026-01-01 step:  1  loss: 12.2  grad_norm:  4.1  memory: 1.2GiB(2%)  tps: 5,000\n"
        "[titan] 2026-01-01 step: 10  loss:  {loss}  grad_norm:  1.1  memory: 1.2GiB(2%)  tps: 5,100\n"
    )
    for index, rate in enumerate((1e-4, 3e-4)):
        config = f"[training]\nglobal_batch_size = 64\n[optimizer]\nlr = {rate}\n"
        written(
            tmp_path / "titan" / str(index),
            {"job.toml": config, "train.log": titan.format(loss=7.5 - index)},
        )
    sweep = read_sweep(tmp_path / "titan", batch_unit="sequences")
    assert runs_of(sweep) == [(64, 1e-4, 7.5), (64, 3e-4, 6.5)]
    for index, rate in enumerate((1e-4, 3e-4)):
        lines = f"s:0 tel:11.0\ns:10 trl:4.5 lr:{rate} norm:1.1\ns:10 tel:{4.25 - index}\n"
        settings = {"batch_size": 64, "learning_rate": rate}
        written(tmp_path / "llm.c" / str(index), {"args.json": settings, "main.log": lines})
    sweep = read_sweep(tmp_path / "llm.c", batch_unit="sequences", columns={"loss": "val loss"})
    assert runs_of(sweep) == [(64, 1e-4, 4.25), (64, 3e-4, 3.25)]


def event_file(scalars):
    """TensorBoard's framing of tag, step and value; our reader does not ask for the checksums."""
    data = b""
    for tag, step, value in scalars:
        name = tag.encode()
        inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
        summary = b"\x0a" + bytes([len(inner)]) + inner
        event = b"\x10" + bytes([step]) + b"\x2a" + bytes([len(summary)]) + summary
        data += struct.pack("<Q", len(event)) + bytes(4) + event + bytes(4)
    return data


def test_training_and_validation_folders_of_event_files_are_one_run(tmp_path):
    for batch, rate in ((8, 0.5), (16, 0.25)):
        for part, loss in (("train", 1.0), ("validation", 1.5)):
            folder = tmp_path / f"bs={batch}" / part
            folder.mkdir(parents=True)
            scalars = [("epoch_loss", 0, 3.0), ("epoch_loss", 1, loss), ("epoch_learning_rate", 0, rate)]
            (folder / "events.out.tfevents.1.host").write_bytes(event_file(scalars))
    sweep = read_sweep(
        tmp_path,
        batch_unit="examples",
        columns={"loss": "validation/epoch_loss", "learning_rate": "peak train/epoch_learning_rate"},
    )
    assert runs_of(sweep) == [(8, 0.5, 1.5), (16, 0.25, 1.5)]


def test_an_event_file_that_was_cut_off_is_read_up_to_there(tmp_path):
    data = event_file([("val_loss", 0, 3.0), ("lr", 0, 0.5), ("val_loss", 1, 2.0)])
    for name, held in (("bs=8", data), ("bs=16", data[:-3])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1.host").write_bytes(held)
    sweep = read_sweep(tmp_path, batch_unit="examples")
    assert runs_of(sweep) == [(8, 0.5, 2.0), (16, 0.5, 3.0)]


def test_conditions_choose_runs(tmp_path):
    jsonl_runs(tmp_path)
    options = {"batch_unit": "examples", "columns": VALIDATION}
    assert set(read_sweep(tmp_path, where="batch_size=8", **options).batch_size) == {8}
    assert len(read_sweep(tmp_path, where=["batch_size>8", "val_loss<2.5"], **options)) == 2
    with pytest.raises(SweepError, match="none of 7"):
        read_sweep(tmp_path, where="optimizer.name=sgd", **options)
    with pytest.raises(SweepError, match="Did you mean 'batch_size'"):
        read_sweep(tmp_path, where="batch_sizes=8", **options)
    with pytest.raises(SweepError, match="must be a column, one of"):
        read_sweep(tmp_path, where="batch_size", **options)


def test_places_without_runs_are_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # which is how a package that is not there looks
    with pytest.raises(SweepError, match="nothing in it is recognised"):
        read_sweep(tmp_path, batch_unit="examples")
    with pytest.raises(SweepError, match="must be there"):
        read_sweep(f"sqlite:///{tmp_path}/none.db", batch_unit="examples")
    with pytest.raises(SweepError, match="must be an SQLite file"):
        read_sweep("postgresql://host/study", batch_unit="examples")
    with pytest.raises(SweepError, match="pip install 'surge-fit"):
        read_sweep("wandb:team/project", batch_unit="examples")
