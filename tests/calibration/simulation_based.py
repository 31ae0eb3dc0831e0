"""Simulation-based calibration (arXiv:1804.06788) of every likelihood and law; prints the table of README.md.

Where parameters are drawn from the prior and runs from the parameters, the rank of the true value among the
draws of its posterior is uniform, for every parameter and every entry of it. That tests all at once: the
densities, the sampler, and that the model fitted is the one that is written down.

Priors and the scales of the data would move with the simulated runs. They are those of one base sweep here,
whose design (batch sizes, learning rates, limits) all simulations share. Simulations that leave a likelihood
without any run are not fitted, and fits whose chains disagree are not ranked; a choice by runs and sampler,
which do not know the truth, leaves ranks uniform.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy import stats
from surge_fit import LAWS, Normal, Sweep, get_law
from surge_fit.law import Law
from surge_fit.model.in_numpy import Evaluation
from surge_fit.model.observations import Observations, Runs
from surge_fit.model.spec import Model
from surge_fit.priors import Prior
from surge_fit.sampling import native
from surge_fit.sampling.mixing import measure
from surge_fit.simulate import Valley, simulate_sweep

SIMULATIONS = 500
CHAINS, TUNE, DRAWS, THINNING = 4, 400, 250, 10
RANKED = CHAINS * DRAWS // THINNING - 1
"""Of 1,000 draws every tenth is ranked against: little is left of their correlation. 99 draws, 100 ranks."""
AGREE = 1.1
"""Fits are ranked whose chains agree: every R-hat at most this; `fit` refuses the others, too. Chains of this
length that all sample the same distribution rarely exceed it; chains in two modes do, by far."""
BINS = 20
FALSE_ALARM = 0.01
"""Probability that any quantity of any case fails by chance; see `bound`."""

RATES = 1e-2 * np.exp(np.linspace(-1.6, 1.6, 5))


@dataclass(frozen=True)
class Case:
    """A design, and the model that is both drawn from and fitted."""

    name: str
    base: Sweep
    law: Law
    changed: Mapping[str, Prior] = field(default_factory=dict)
    """Priors in place of the default ones."""
    covariates: tuple[str, ...] = ()
    loss_limit: float = np.inf
    """Runs that diverge or exceed it are all that is known of them."""
    steps_limit: float = np.inf
    """Runs end after so many times the steps of the base sweep."""

    @cached_property
    def model(self) -> Model:
        return Model.of(self.base, self.law, priors=self.changed, covariates=self.covariates)

    @property
    def design(self) -> Observations:
        """The base sweep, all runs of which finished."""
        return self.model.observations


Truths = dict[str, np.ndarray]
"""Parameters by name, each of shape (simulation, ...)."""


def parameters(case: Case, count: int, seed: int) -> Truths:
    """Draw parameters from the prior."""
    drawn = Evaluation.of_prior(case.model, count, seed).parameters
    return {name: value[0] for name, (_, value) in drawn.items()}


def simulated(case: Case, truths: Truths, seed: int) -> list[Observations]:
    """Draw the runs of every simulation."""
    free = {name: value[None] for name, value in truths.items()}
    drawn = Evaluation(case.model, free).predictive(seed)
    runs = {name: value[0] for name, (_, value) in drawn.items()}
    count = len(next(iter(runs.values())))
    return [_seen(case, {name: value[i] for name, value in runs.items()}) for i in range(count)]


def _seen(case: Case, runs: Mapping[str, np.ndarray]) -> Observations:
    """Sort the runs of one simulation by what is known of them."""
    seen = case.design
    if "loss" in runs:
        diverged = runs["diverged"] == 1
        if np.isfinite(case.loss_limit):
            huge = diverged | (runs["loss"] > case.loss_limit)
            wall = _some(seen.wall, ~huge, np.zeros(len(huge)))
        else:
            huge, wall = diverged, replace(seen.wall, value=diverged.astype(float))
        limits = np.full(len(huge), case.loss_limit)
        seen = replace(
            seen,
            finished=_some(seen.finished, ~huge, runs["loss"]),
            wall=wall,
            censored=_some(seen.finished, huge & np.isfinite(limits), limits),
        )
    if "log_optimum" in runs:
        seen = replace(seen, optimum=replace(seen.optimum, value=runs["log_optimum"]))
    if "log_steps" in runs:
        limits = case.design.steps.value + np.log(case.steps_limit)
        ended = runs["log_steps"] > limits
        seen = replace(
            seen,
            steps=_some(seen.steps, ~ended, runs["log_steps"]),
            censored_steps=_some(seen.steps, ended, limits),
        )
    return seen


def _some(runs: Runs, which: np.ndarray, value: np.ndarray) -> Runs:
    return Runs(
        id=tuple(np.array(runs.id)[which]),
        cell_index=runs.cell_index[which],
        log_learning_rate=runs.log_learning_rate[which],
        value=value[which],
        se=runs.se[which],
    )


def ranks(case: Case, truths: Truths, seen: Sequence[Observations]) -> dict[str, np.ndarray]:
    """Fit every simulation that can be, and rank its truths, from 0 to `RANKED`; each of shape (fit,).

    A simulation without any run of a likelihood cannot be fitted; a fit whose chains disagree is not ranked.
    Parameters of the model that the truth does not have, being of another law, are left out.
    """
    keep = fittable(case, seen)
    models = [native.assemble(replace(case.model, observations=seen[i])) for i in keep]
    settings = {"chains": CHAINS, "tune": TUNE, "draws": DRAWS, "target_accept": 0.95}
    fits = native.sample(models, range(len(models)), **settings)
    agreed = [(i, free) for i, (free, _) in zip(keep, fits, strict=True) if agree(free)]
    which = [i for i, _ in agreed]
    free = {name: np.stack([_thinned(fit[name]) for _, fit in agreed]) for name in fits[0][0]}
    draws = {name: value for name, (_, value) in Evaluation(case.model, free).parameters.items()}
    found = {}
    for name in sorted(draws.keys() & truths.keys()):
        rank = (draws[name] < truths[name][which, None]).sum(axis=1)
        if rank.ndim == 1:
            found[name] = rank
        else:
            found |= {f"{name}[{j}]": rank[:, j] for j in range(rank.shape[1])}
    return found


def fittable(case: Case, seen: Sequence[Observations]) -> list[int]:
    """The simulations that have runs of every likelihood."""
    needed = [name for name in ("finished", "optimum", "steps") if len(getattr(case.design, name))]
    return [i for i, one in enumerate(seen) if all(len(getattr(one, name)) for name in needed)]


def agree(free: Mapping[str, np.ndarray]) -> bool:
    """Whether the chains of a fit have found the same distribution, of every variable."""
    columns = (value.reshape(CHAINS, DRAWS, -1) for value in free.values())
    return all(measure(value[..., j]).rhat <= AGREE for value in columns for j in range(value.shape[-1]))


def _thinned(draws: np.ndarray) -> np.ndarray:
    """Some draws of every chain, in one row; the last is left over."""
    kept = draws[:, THINNING - 1 :: THINNING]
    return kept.reshape(RANKED + 1, *draws.shape[2:])[:RANKED]


def p_value(rank: np.ndarray) -> float:
    """Of the chi-square test that ranks are uniform."""
    counts = np.bincount(rank * BINS // (RANKED + 1), minlength=BINS)
    return float(stats.chisquare(counts).pvalue)


def bound() -> float:
    """The p-value below which a quantity is not calibrated.

    With Q quantities in all cases, P(any p < α/Q) ≤ Σ P(p < α/Q) = α however they depend on each other
    (Bonferroni), here with α = `FALSE_ALARM`. That takes the chi-square approximation for exact; of 10^6
    samples of 300 uniform ranks 6.5e-5 fall below a bound of 3.5e-5, so that α is nearer 0.02.
    """
    return FALSE_ALARM / sum(value.size for case in CASES for value in parameters(case, 1, 0).values())


@dataclass(frozen=True)
class Calibration:
    """The p-values of one case, and what it took."""

    case: Case
    ranked: int
    refused: int
    """Fits whose chains disagree."""
    not_fittable: int
    p_values: dict[str, float]
    seconds: float

    @property
    def worst(self) -> str:
        return min(self.p_values, key=self.p_values.__getitem__)


def calibrate(case: Case, count: int = SIMULATIONS, seed: int = 0) -> Calibration:
    """Simulate, fit and rank; the same seed gives the same ranks."""
    began = time.perf_counter()
    truths = parameters(case, count, seed)
    seen = simulated(case, truths, seed + 1)
    found = ranks(case, truths, seen)
    ranked, fitted = len(next(iter(found.values()))), len(fittable(case, seen))
    return Calibration(
        case,
        ranked,
        fitted - ranked,
        count - fitted,
        {name: p_value(rank) for name, rank in found.items()},
        time.perf_counter() - began,
    )


def _losses(sizes: Sequence[float], seed: int = 1) -> Sweep:
    """Runs around the same optimum at every batch size, none of which diverges."""
    truth = {"log_max_learning_rate": np.log(1e-2)}
    valley = Valley(wall=np.inf)
    return simulate_sweep(
        "constant", truth, batch_size=sizes, learning_rate=RATES, valley=valley, random_seed=seed
    )


def _with_steps(sweep: Sweep) -> Sweep:
    """The same runs with steps to a target, fewest at the middle learning rate."""
    waste = 0.2 * np.log(sweep.learning_rate / 1e-2) ** 2
    return Sweep.from_columns(
        batch_size=sweep.batch_size,
        learning_rate=sweep.learning_rate,
        loss=sweep.loss,
        steps_to_target=1000 * (1 + 256 / sweep.batch_size) * np.exp(waste),
        batch_unit="examples",
    )


def _groups() -> Sweep:
    """Three model sizes, whose batch sizes overlap."""
    params, tried = (1e8, 1e9, 4e9), ((8, 64, 512), (16, 256), (64, 512, 4096))
    parts = [_losses(sizes, seed) for seed, sizes in enumerate(tried)]
    return Sweep.from_columns(
        params=np.repeat(params, [len(part) for part in parts]),
        batch_size=np.concatenate([part.batch_size for part in parts]),
        learning_rate=np.concatenate([part.learning_rate for part in parts]),
        loss=np.concatenate([part.loss for part in parts]),
        batch_unit="examples",
        group_by="params",
    )


SIZES = 8.0 * 6.0 ** np.arange(4)
MANY_SIZES = 8.0 * 4.0 ** np.arange(6)
STEPS = Sweep.from_columns(
    batch_size=np.repeat(MANY_SIZES, 2),
    steps_to_target=1000 * (1 + 256 / np.repeat(MANY_SIZES, 2)),
    batch_unit="examples",
)
OPTIMA = Sweep.from_columns(
    batch_size=MANY_SIZES,
    optimal_learning_rate=np.full(len(MANY_SIZES), 1e-2),
    log_learning_rate_se=np.full(len(MANY_SIZES), 0.1),
    batch_unit="examples",
)
FEWER_UNREACHED = {"log_min_steps": Normal(mean=np.log(1000), sd=1.0)}
"""Under the default, with a standard deviation of 5, most simulations reach their target never or at once."""

LOSSES = Case("losses", _losses(SIZES), get_law("broken_power"))
CASES = (
    LOSSES,
    Case("losses, censored", LOSSES.base, get_law("saturating_surge"), loss_limit=2.62),
    Case("steps", STEPS, get_law("constant"), FEWER_UNREACHED, steps_limit=3.0),
    Case("losses and steps", _with_steps(LOSSES.base), get_law("surge"), FEWER_UNREACHED, steps_limit=3.0),
    Case("losses, three groups", _groups(), get_law("broken_power"), covariates=("params",)),
    *(Case(f"optimum points, {name}", OPTIMA, law) for name, law in LAWS.items()),
)


def table(found: Sequence[Calibration]) -> str:
    """Markdown: one row for each case."""
    lines = [
        "| case | law | fits | refused | without runs | quantities | smallest p | of | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.case.name} | {one.case.law.name} | {one.ranked} | {one.refused} | {one.not_fittable} "
        f"| {len(one.p_values)} | {one.p_values[one.worst]:.2g} | `{one.worst}` | {one.seconds:.0f} |"
        for one in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([calibrate(case) for case in track(CASES, console=Console(stderr=True))]))
