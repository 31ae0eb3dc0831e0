"""One sparse sweep, judged: fit it, ask surge_fit and its peers for rates, and look up what those cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import surge_fit as sf
from grids import Truth, oracle
from numpy.typing import NDArray
from peers import NotApplicable, peers

SURGE_FIT, ORACLE, FLOOR = "surge_fit", "oracle: other batches in full", "noise floor of the truth"
SHARES = (50, 90)


@dataclass(frozen=True)
class Case:
    """A sparse sweep (`Sweep.to_dict`, which other processes can be given) and the truth about its grid.

    `grid` counts the grids in sorted label order, `design` the designs of one grid and budget.
    """

    grid: int
    label: str
    budget: int
    design: int
    sparse: dict[str, Any]
    truth: tuple[Truth, ...]


@dataclass(frozen=True)
class Settings:
    """What all cases share: the law to fit, None to judge the peers alone, and tokens per sequence."""

    law: str | None
    sequence_length: float | None


@dataclass(frozen=True)
class Fit:
    """How one fit went: `error` holds the refusal where there is no posterior."""

    trusted: bool
    seconds: float
    divergences: int = 0
    draws: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Row:
    """Every predictor at one batch size.

    Attributes
    ----------
    place : {"tried", "between", "outside"}
        Where the batch size lies among those of the sparse sweep.
    regret, log_error : mapping of str to float
        Loss above the best, and distance from the true optimum in log rate, of each predictor that applies.
    covered, width : mapping of str to float
        Of surge_fit's intervals, by share: ``raw 90``, ``allowing 90`` (for the truth's own standard error);
        ``90`` in log rate.
    """

    grid: int
    budget: int
    design: int
    batch_size: float
    place: str
    regret: Mapping[str, float]
    log_error: Mapping[str, float]
    covered: Mapping[str, float]
    width: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """The rows of one case, how its fit went, and why peers are missing."""

    rows: tuple[Row, ...]
    fit: Fit | None
    missing: Mapping[str, str]


@dataclass
class _Answers:
    """Log rates of every predictor, shape (batch_size,) each, and what surge_fit's intervals hold."""

    rates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    covered: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    width: dict[str, NDArray[np.float64]] = field(default_factory=dict)


def judge(case: Case, settings: Settings) -> Outcome:
    """Judge all predictors at every batch size of the case's grid."""
    sparse, answers, missing = sf.Sweep.from_dict(case.sparse), _Answers(), {}
    sizes = np.array([t.batch_size for t in case.truth])
    fit = None if settings.law is None else _ask_surge_fit(sparse, case, settings.law, answers)
    for name, peer in peers(settings.sequence_length).items():
        try:
            answers.rates[name] = peer(sparse, sizes)
        except NotApplicable as reason:
            missing[name] = str(reason)
    answers.rates[ORACLE] = oracle(case.truth)
    answers.rates[FLOOR] = np.array([t.optimum for t in case.truth])
    return Outcome(tuple(_rows(sparse, case, answers)), fit, missing)


def _ask_surge_fit(sparse: sf.Sweep, case: Case, law: str, answers: _Answers) -> Fit:
    started = time.monotonic()
    try:
        posterior, trusted = sf.fit(sparse, law=law, random_seed=case.design), True
    except sf.UntrustworthyFitError as error:
        posterior, trusted = error.posterior, False
    except sf.SurgeFitError as error:
        return Fit(False, time.monotonic() - started, error=str(error))
    seconds = time.monotonic() - started
    sizes = [t.batch_size for t in case.truth]
    optimum = np.array([t.optimum for t in case.truth])
    recommended = sf.recommend(posterior, batch_size=sizes)
    answers.rates[SURGE_FIT] = np.log([r.learning_rate for r in recommended])
    draws = posterior.log_optimal_learning_rate(sizes)
    noise = np.random.default_rng(case.design).standard_normal((len(draws), 1))
    blurred = draws + noise * np.array([t.optimum_se for t in case.truth])
    for share in SHARES:
        tails = [0.5 - share / 200, 0.5 + share / 200]
        for name, sample in (("raw", draws), ("allowing", blurred)):
            low, high = np.quantile(sample, tails, axis=0)
            answers.covered[f"{name} {share}"] = (low <= optimum) & (optimum <= high)
        low, high = np.quantile(draws, tails, axis=0)
        answers.width[f"{share}"] = high - low
    told = posterior.diagnostics
    return Fit(trusted, seconds, told.divergences, told.draws)


def _rows(sparse: sf.Sweep, case: Case, answers: _Answers) -> list[Row]:
    tried = sparse.batch_sizes
    rows = []
    for j, truth in enumerate(case.truth):
        known = {name: float(r[j]) for name, r in answers.rates.items() if np.isfinite(r[j])}
        inside = "tried" if truth.batch_size in tried else "between"
        rows.append(
            Row(
                grid=case.grid,
                budget=case.budget,
                design=case.design,
                batch_size=truth.batch_size,
                place=inside if tried[0] <= truth.batch_size <= tried[-1] else "outside",
                regret={name: truth.regret(rate) for name, rate in known.items()},
                log_error={name: abs(rate - truth.optimum) for name, rate in known.items()},
                covered={name: float(held[j]) for name, held in answers.covered.items()},
                width={name: float(held[j]) for name, held in answers.width.items()},
            )
        )
    return rows
