"""Weights & Biases: offline runs of the real package, and its public API against a server of our own."""

import pytest
from support.tracked_runs import require_grid, wandb_runs
from support.wandb_server import WandbServer, serving
from surge_fit import SweepError, read_sweep

wandb = pytest.importorskip("wandb", reason="wandb is not installed: uv run --group trackers")


def test_offline_runs_are_read(tmp_path):
    wandb_runs(tmp_path)
    sweep = read_sweep(tmp_path / "wandb", batch_unit="examples", columns={"loss": "val_loss"})
    require_grid(sweep)
    assert all(len(name) == 8 for name in sweep.run_id), "ids, not the name that all runs share"


def project(count=7):
    return [
        {
            "id": f"id{index}",
            "name": "same",
            "state": "finished" if index != 4 else "crashed",
            "sweep": "s1" if index % 2 else None,
            "created": f"2026-01-01T00:00:{index:02d}Z",
            "config": {"batch_size": 8 if index % 2 else 32},
            # What W&B's summary has of a scheduled rate is its last value, zero; the peak is in the history.
            "summary": {"val_loss": 2.0 + index, "lr": 0.0},
            "history": [{"_step": step, "lr": rate} for step, rate in enumerate((0.1, 0.2 + index, 0.0))],
        }
        for index in range(count)
    ]


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr("surge_fit.sweep.sources.wandb_api._PAGE", 2)
    server = WandbServer(project())
    with serving(server) as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield server
    wandb.teardown()


def read(address="wandb:team/grid", **options):
    return read_sweep(address, batch_unit="examples", **options)


def test_a_project_is_read_page_by_page_with_peak_rates(asked):
    told = []
    sweep = read(progress=lambda stage, share: told.append((stage, share)))
    assert sweep.run_id == tuple(f"id{index}" for index in range(7))
    assert sweep.status.count("crashed") == 1
    assert sweep.learning_rate == pytest.approx([0.2 + index for index in range(7)])
    assert len(asked.pages) == 4, "seven runs, two a page"
    assert told[-1] == ("reading runs", 1.0)


def test_what_was_interrupted_goes_on_where_it_stopped(asked):
    asked.fail_after = 2
    with pytest.raises(SweepError, match="what was read is kept"):
        read()
    asked.fail_after = None
    asked.pages.clear()
    asked.histories.clear()
    assert len(read()) == 7
    assert asked.histories == ["id4", "id5", "id6"], "four runs were there already"


def test_a_sweep_and_conditions_choose_runs(asked):
    assert read("wandb:team/grid/s1").run_id == ("id1", "id3", "id5")
    assert read(where=["config.batch_size=8", "state=finished"]).run_id == ("id1", "id3", "id5")
    assert len(asked.histories) == 6, "the server left the others out"


def test_a_project_that_is_not_there_is_refused_in_words(asked):
    asked.fail_after = 0
    with pytest.raises(SweepError, match="wandb login"):
        read()
    with pytest.raises(SweepError, match="wandb:ENTITY/PROJECT"):
        read("wandb:alone")
