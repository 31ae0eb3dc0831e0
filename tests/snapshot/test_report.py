"""What people read, word for word: reports, checks, laws and help; run this file to write it all anew."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command_line import run
from support.dumps import gaussian
from support.posteriors import (
    BAD,
    make_comparison,
    make_posterior,
    make_steps_posterior,
    optimum_points,
    runs,
    steps_to_target,
)
from surge_fit.decisions.planning import NextRun, NextRuns
from surge_fit.decisions.planning.wording import advice, reason
from surge_fit.decisions.recommendation import recommend
from surge_fit.gradients.curve import LearningRateCurve, learning_rate_curve
from surge_fit.gradients.dump import Dump, open_dump
from surge_fit.gradients.noise import GradientStatistics, gradient_statistics
from surge_fit.law import LAWS
from surge_fit.report import (
    Report,
    comparison,
    compose,
    curve,
    fit,
    gradients,
    laws,
    render,
    sweep,
)
from surge_fit.report import dump as dumps
from surge_fit.report import plan as plans

HERE = Path(__file__).parent
BATCH_SIZES = [1, 64, 512, 4096]
TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
COMMANDS = ("recommend", "next", "fit", "compare", "check", "import", "laws", "gradients", "curve", "inspect")


def report(batch_sizes: list[float] | None = None, **how: object) -> Report:
    """Compose the report of a posterior made by hand, of a version that does not move."""
    posterior = make_posterior(**how)
    found = recommend(posterior, batch_size=batch_sizes, current_learning_rate=3e-3) if batch_sizes else ()
    return replace(compose(posterior, found), version="1.2.3")


def steps_report(**how: object) -> Report:
    return replace(compose(make_steps_posterior(**how)), version="1.2.3")


def dump(step: int, seed: int) -> Dump:
    """Open gradients in memory: a layer with signal, one without, one that half precision can hardly hold."""
    arrays = gaussian(
        48, {"layers.0.weight": (40, 30), "layers.1.weight": (30, 5)}, noise_scale=30, seed=seed
    )
    rng = np.random.default_rng(seed)
    arrays["layers.1.weight"] = 5 * rng.standard_normal(arrays["layers.1.weight"].shape)
    small = (1e-6 * arrays["layers.0.weight"][:, 0]).astype(np.float16)
    held = {name: array.astype(np.float32) for name, array in arrays.items()} | {"head": small}
    return replace(
        open_dump(held, clipped=True), step=float(step), loss=2.5 - step / 100, source="grads.safetensors"
    )


def rates() -> LearningRateCurve:
    """Measure the curve of sign descent, without curvature."""
    return learning_rate_curve(dump(10, 1), "sign", batch_size=[1, 8, 32, 64], resamples=20)


def noise(step: int = 10, seed: int = 1, **options: object) -> GradientStatistics:
    return gradient_statistics(dump(step, seed), **options)


def plan(*, stop: bool = False, cost_unit: str = "runs") -> NextRuns:
    """Make a plan by hand, of a pair at a new batch size and a run at each that was tried before."""
    price = 1.0 if cost_unit == "runs" else 2.5e9
    where = (
        (4096.0, 5.3e-3, 0.0168, 2.0, reason(0.4, None, 0, 2)),
        (4096.0, 2.6e-2, 0.0071, 1.3, reason(2.0, None, 1, 2)),
        (4096.0, 1.2e-2, 0.0054, 1.1, reason(0.92, "plan", 0, 1)),
        (512.0, 3.1e-2, 0.0049, 1.0, reason(2.2, "sweep", 0, 1)),
    )
    runs, before = [], 0.017
    for size, rate, after, width, why in where:
        per = (0.00495 if "of 2" in why else before - after) / price
        runs.append(NextRun(size, rate, price, after, before - after, per, width, width / 2.1, why))
        before = after
    said = advice(stop, 0.0099, 2, 0.02 if stop else 0.00085, loss_unit="nats", priced=stop)
    return NextRuns((1024.0, 4096.0), "examples", tuple(runs), 0.017, 2.1, cost_unit, stop, said, 131, 0)


def text_of_help(command: str | None) -> str:
    arguments = ["--help"] if command is None else [command, "--help"]
    return run(*arguments, env=TERMINAL).stdout


TEXTS = {
    "report_recommend": lambda: render(fit.blocks(report(BATCH_SIZES))),
    "report_fit": lambda: render(fit.blocks(report(), parameters=True, priors=True)),
    "report_not_trusted": lambda: render(fit.blocks(report([64], diagnostics=BAD))),
    "report_no_maximum": lambda: render(fit.blocks(report([64], law="linear"), parameters=True)),
    "report_optimum_points": lambda: render(fit.blocks(report(BATCH_SIZES, sweep=optimum_points()))),
    "report_steps": lambda: render(fit.blocks(steps_report(), parameters=True, priors=True)),
    "report_steps_bound": lambda: render(fit.blocks(steps_report(smallest=1, spread=2.5), parameters=True)),
    "report_narrow": lambda: render(fit.blocks(report([64])), width=70),
    "comparison": lambda: render(comparison.blocks(make_comparison())),
    "comparison_tie": lambda: render(comparison.blocks(make_comparison(tie=True))),
    "comparison_no_curve": lambda: render(comparison.blocks(replace(make_comparison(), statements=None))),
    "check": lambda: render(sweep.blocks(runs())),
    "check_steps": lambda: render(sweep.blocks(steps_to_target())),
    "laws": lambda: render(laws.blocks(LAWS.values())),
    "gradients": lambda: render(gradients.blocks([noise(batch_size=64, group=r"layers\.\d+")])),
    "gradients_series": lambda: render(gradients.blocks([noise(10, 1), noise(60, 2)])),
    "curve": lambda: render(curve.blocks(rates())),
    "inspect": lambda: render(dumps.blocks([dump(10, 1)])),
    "plan": lambda: render(plans.blocks(plan())),
    "plan_stop": lambda: render(plans.blocks(plan(stop=True, cost_unit="tokens"))),
    "plan_csv": lambda: plans.to_csv(plan()),
    "help": lambda: "\n".join(text_of_help(command) for command in (None, *COMMANDS)),
}
JSONS = {
    "report": lambda: fit.record(report(BATCH_SIZES)),
    "comparison": lambda: comparison.record(make_comparison(tie=True)),
    "report_steps": lambda: fit.record(steps_report()),
    "check": lambda: sweep.record(runs()),
    "gradients": lambda: gradients.record([noise(batch_size=64)]),
    "curve": lambda: curve.record(rates()),
    "plan": lambda: plans.record(plan()),
    "inspect": lambda: dumps.record([dump(10, 1)]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_reads_as_the_golden_file_says(name):
    assert TEXTS[name]() == (HERE / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_no_line_is_wider_than_100_columns_or_ends_in_blanks(name):
    lines = TEXTS[name]().splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)


def test_a_narrow_report_wraps_its_sentences():
    sentences = [line for line in TEXTS["report_narrow"]().splitlines() if line.startswith("Warning")]
    assert sentences
    assert max(map(len, sentences)) <= 70


@pytest.mark.parametrize("name", JSONS)
def test_the_json_is_strict_and_holds_what_the_golden_file_says(name):
    held = json.loads(json.dumps(JSONS[name](), allow_nan=False))
    assert_alike(held, json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")))


def assert_alike(held: object, golden: object, place: str = "") -> None:
    """Compare structure and words exactly, numbers to one per cent: platforms differ in the last digits."""
    assert type(held) is type(golden), place
    if isinstance(golden, dict):
        assert list(held) == list(golden), place
        for key in golden:
            assert_alike(held[key], golden[key], f"{place}.{key}")
    elif isinstance(golden, list):
        assert len(held) == len(golden), place
        for index, pair in enumerate(zip(held, golden, strict=True)):
            assert_alike(*pair, f"{place}[{index}]")
    elif isinstance(golden, float):
        assert math.isclose(held, golden, rel_tol=0.01, abs_tol=1e-6), place
    else:
        assert held == golden, place


if __name__ == "__main__":
    for name, text in TEXTS.items():
        (HERE / f"{name}.txt").write_text(text(), encoding="utf-8")
    for name, value in JSONS.items():
        written = json.dumps(value(), indent=1, ensure_ascii=False, allow_nan=False)
        (HERE / f"{name}.json").write_text(f"{written}\n", encoding="utf-8")
    sys.stdout.write(f"wrote {len(TEXTS) + len(JSONS)} files to {HERE}\n")
