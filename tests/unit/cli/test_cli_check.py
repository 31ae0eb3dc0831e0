"""`surge-fit check`, `surge-fit laws` and `surge-fit --version` as a person meets them."""

import json

from support.command_line import run

READ = ["--batch-unit", "examples"]


def test_check_tells_what_the_sweep_holds(sweep):
    result = run("check", sweep, *READ)
    assert result.exit_code == 0
    assert result.stdout.startswith("sweep.csv: 6 runs, batch sizes in examples")
    held = json.loads(run("check", sweep, *READ, "--json").stdout)
    assert held["fittable"] is True
    assert [check["slug"] for check in held["checks"]] == ["winner_on_edge", "few_batch_sizes"]


def test_check_takes_several_groups(sweep, tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text(sweep.read_text() + "g,8,0.01,2,2\nh,64,0.01,2,2\n")
    result = run("check", path, *READ, "--group-by", "N")
    assert result.exit_code == 0
    assert "8 runs, batch sizes in examples, protocol unknown, 2 groups" in result.stdout
    assert json.loads(run("check", path, *READ, "--group-by", "N", "--json").stdout)["groups"] == [
        "N=1",
        "N=2",
    ]


def test_check_fails_where_the_sweep_cannot_be_fitted(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("batch_size,steps_to_target\n8,200\n8,210\n")
    result = run("check", path, *READ)
    assert result.exit_code == 1
    assert "Error: A law of the batch size needs runs at two or more batch sizes" in result.stdout


def test_a_table_that_cannot_be_read_fails_without_a_traceback(sweep):
    result = run("check", sweep)
    assert result.exit_code == 1
    assert "--batch-unit" in result.stderr
    assert "Traceback" not in result.stderr


def test_laws_are_listed():
    assert "broken_power" in run("laws").stdout
    held = json.loads(run("laws", "--json").stdout)
    assert {"name", "formula", "parameters", "regime", "reference"} <= set(held[0])


def test_the_version_is_told():
    from importlib.metadata import version

    assert run("--version").stdout == f"surge-fit {version('surge-fit')}\n"
