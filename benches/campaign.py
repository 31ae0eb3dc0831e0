"""Campaigns of runs with a known truth: what `next_runs` chooses beside a grid, random search and TPE.

Every campaign draws a truth (a broken power law, deviations from it, floors that differ by batch size) and
starts from the same six runs: two rates at each of three batch sizes. The target is eight times the largest.
Each strategy then makes one run after another:

* ``next_runs``  the first run of a plan of two, planned anew after every run
* ``grid``       the remaining points of a regular grid of the four batch sizes and three rates
* ``random``     rates at the target, uniform in their logarithm
* ``tpe``        rates at the target as Optuna's TPE proposes them (left out where Optuna is not installed)

After n runs the same recommendation is made from the runs of each, and judged by the truth: the expected
loss above the optimum's, a divergence counted as one nat. Every fit takes seconds to a minute; what is done
is kept in FILE and not done again.

    python benches/campaign.py FILE.jsonl [--campaigns 6] [--runs 6] [--strategies next_runs,grid]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import surge_fit as sf
from surge_fit.law import LawDraws, get_law
from surge_fit.model import loss_surface
from surge_fit.simulate import Valley

TRIED, TARGET = (32.0, 128.0, 512.0), 4096.0
SIZES = (*TRIED, TARGET)
LAW = "broken_power"
STRATEGIES = ("next_runs", "grid", "random", "tpe")
Run = tuple[float, float]


@dataclass(frozen=True)
class Truth:
    """One campaign: everything about it follows from its number."""

    campaign: int

    @cached_property
    def parameters(self) -> dict[str, float]:
        """The law's, with the optimum at 128 at 3e-3."""
        rng = np.random.default_rng([self.campaign, 0])
        theta = {
            "log_noise_scale": rng.normal(np.log(300), 1.0),
            "small_batch_slope": rng.uniform(0.3, 0.9),
            "large_batch_fall": rng.uniform(-0.2, 0.6),
        }
        law = get_law(LAW)
        at_reference = law.shape(np, np.log(128.0), **theta)
        return {law.parameters[0].name: float(np.log(3e-3) - at_reference), **theta}

    def valley(self, batch_size: float) -> Valley:
        """The loss around the optimum, its floor least at 64."""
        return Valley(floor=2.5 + 0.03 * float(np.log(batch_size / 64)) ** 2)

    def deviation(self, batch_size: float) -> float:
        """How far the log of the optimum leaves the law."""
        return 0.15 * float(np.random.default_rng([self.campaign, 1, int(batch_size)]).standard_normal())

    @cached_property
    def guess(self) -> float:
        """The rate that the team starts around, wrong by a factor of 1.6 or so."""
        return float(3e-3 * np.exp(0.5 * np.random.default_rng([self.campaign, 2]).standard_normal()))

    @property
    def start(self) -> list[Run]:
        """The six runs that every strategy has."""
        return [(size, self.guess * factor) for size in TRIED for factor in (0.5, 2.0)]

    def make(self, run: Run, number: int) -> dict[str, Any]:
        """Train: the outcome of the run of that number."""
        size, rate = run
        seed = int(np.random.default_rng([self.campaign, 3, number]).integers(2**31))
        held = sf.simulate_sweep(
            LAW,
            self.parameters,
            batch_size=[size],
            learning_rate=[rate],
            valley=self.valley(size),
            discrepancy=[self.deviation(size)],
            random_seed=seed,
        )
        return {
            "batch_size": size,
            "learning_rate": rate,
            "loss": float(held.loss[0]),
            "status": held.status[0],
        }

    def sweep(self, made: list[Run]) -> sf.Sweep:
        """The table of the start and the runs made since."""
        rows = [self.make(run, number) for number, run in enumerate([*self.start, *made])]
        return sf.Sweep.from_columns(
            **{key: [row[key] for row in rows] for key in rows[0]}, batch_unit="examples"
        )

    def regret(self, rate: float) -> float:
        """What a rate really costs at the target."""
        valley = self.valley(TARGET)
        optimum = LawDraws.of(get_law(LAW), self.parameters).optimum([TARGET])[0, 0] + self.deviation(TARGET)
        u = np.array(np.log(rate) - optimum)
        depth = valley.curvature * loss_surface.valley(np, u, valley.rate, valley.asymmetry)
        diverged = loss_surface.divergence_probability(np, u, valley.wall, valley.wall_width)
        return float((1 - diverged) * depth + diverged * max(1.0, float(depth)))


def fitted(sweep: sf.Sweep) -> sf.Posterior:
    """Fit; a posterior that cannot be trusted is used all the same, and the same way by every strategy."""
    try:
        return sf.fit(sweep)
    except sf.UntrustworthyFitError as error:
        return error.posterior


def following(strategy: str, truth: Truth, made: list[Run], posterior: sf.Posterior) -> Run:
    """Choose the next run."""
    low, high = truth.guess / 30, truth.guess * 30
    if strategy == "next_runs":
        first = sf.next_runs(posterior, batch_size=TARGET, count=2).runs[0]
        return first.batch_size, first.learning_rate
    if strategy == "grid":
        left = [(TARGET, truth.guess * factor) for factor in (2.0, 0.5, 8.0)]
        left += [(size, truth.guess * 8.0) for size in reversed(TRIED)]
        return left[len(made) % len(left)]
    if strategy == "random":
        rng = np.random.default_rng([truth.campaign, 4, len(made)])
        return TARGET, float(np.exp(rng.uniform(np.log(low), np.log(high))))
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {"rate": optuna.distributions.FloatDistribution(low, high, log=True)}
    sampler = optuna.samplers.TPESampler(n_startup_trials=2, seed=1000 * truth.campaign + len(made))
    study = optuna.create_study(sampler=sampler)
    for number, run in enumerate(made, len(truth.start)):
        loss = truth.make(run, number)["loss"]
        value = loss if np.isfinite(loss) else 10.0
        study.add_trial(optuna.create_trial(params={"rate": run[1]}, distributions=space, value=value))
    return TARGET, float(study.ask(space).params["rate"])


def follow(strategy: str, truth: Truth, runs: int, file: Path) -> None:
    """Continue one campaign from what the file holds of it."""
    done = [row for row in rows_of(file) if (row["campaign"], row["strategy"]) == (truth.campaign, strategy)]
    made = [(row["batch_size"], row["learning_rate"]) for row in done]
    if len(made) >= runs:
        return
    posterior = fitted(truth.sweep(made))
    while len(made) < runs:
        made.append(following(strategy, truth, made, posterior))
        posterior = fitted(truth.sweep(made))
        answer = sf.recommend(posterior, batch_size=TARGET)
        row = {
            "campaign": truth.campaign,
            "strategy": strategy,
            "n": len(made),
            "batch_size": made[-1][0],
            "learning_rate": made[-1][1],
            "regret": truth.regret(answer.learning_rate),
        }
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def rows_of(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
    """Mean true regret in 1e-3 nats ± its standard error, by strategy and number of further runs."""
    counts = sorted({row["n"] for row in rows})
    lines = [f"{'regret [1e-3 nats]':<20}" + "".join(f"{f'n = {n}':>18}" for n in counts)]
    for strategy in STRATEGIES:
        cells = []
        for n in counts:
            held = 1e3 * np.array([r["regret"] for r in rows if (r["strategy"], r["n"]) == (strategy, n)])
            se = held.std(ddof=1) / np.sqrt(len(held)) if len(held) > 1 else np.nan
            cells.append(f"{held.mean():.2f} ± {se:.2f} ({len(held)})" if len(held) else "")
        if any(cells):
            lines.append(f"{strategy:<20}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--campaigns", type=int, default=6)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    arguments = parser.parse_args()
    chosen = arguments.strategies.split(",")
    try:
        import optuna  # noqa: F401
    except ImportError:
        chosen = [strategy for strategy in chosen if strategy != "tpe"]
    for campaign in range(arguments.campaigns):
        for strategy in chosen:
            follow(strategy, Truth(campaign), arguments.runs, arguments.file)
    print(table(rows_of(arguments.file)))


if __name__ == "__main__":
    main()
