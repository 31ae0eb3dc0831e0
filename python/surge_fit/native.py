"""The native engine: the built-in models of `surge_fit.model`, compiled ahead of time and sampled in Rust.

Nothing here imports PyMC. The density is the same to the last few digits, all constants included; a test
compares the two for every law and likelihood.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from surge_fit import _core, discrepancy
from surge_fit.law import LAWS, Law
from surge_fit.observations import Observations, Runs
from surge_fit.priors import Priors
from surge_fit.typing import FloatArray


def can_sample(law: Law) -> bool:
    """Whether the law is one that is compiled: built in, and not a variation of it under the same name."""
    return LAWS.get(law.name) is law


def model(observations: Observations, law: Law, priors: Priors) -> _core.PosteriorModel:
    """Build the native model; the counterpart of `surge_fit.model.assemble`.

    Parameters
    ----------
    observations : Observations
    law : Law
        For which `can_sample` holds.
    priors : Priors

    Returns
    -------
    PosteriorModel
        With ``variables()`` and ``log_density(positions)``, on the unconstrained scale.

    Raises
    ------
    InputError
        If a prior of the model is missing.
    """
    rows = discrepancy.Rows.of(observations.log_batch_size, observations.cell_group)
    cells = {
        "log_batch_size": observations.log_batch_size,
        "group": observations.cell_group,
        "log_reference": observations.log_reference_batch_size,
        "covariates": observations.covariates.centred.ravel() if observations.groups else np.empty(0),
        "factor": rows.factor.ravel(),
        "whitening": rows.whitening.ravel(),
        "log_determinant": rows.log_determinant,
        "best_loss": observations.scales.best_loss,
        "gap": observations.scales.gap,
    }
    names = ("finished", "censored", "wall", "optimum", "steps", "censored_steps")
    seen: dict[str, Any] = {name: _columns(getattr(observations, name)) for name in names}
    described = [(name, prior.family, list(astuple(prior))) for name, prior in priors.items()]
    built: _core.PosteriorModel = _core.PosteriorModel(law.name, {"cells": cells, **seen}, described)
    return built


def _columns(runs: Runs) -> dict[str, Any]:
    return {
        "cell": runs.cell_index,
        "log_learning_rate": runs.log_learning_rate,
        "value": runs.value,
        "se": runs.se,
    }


def sample(
    models: Sequence[_core.PosteriorModel],
    seeds: Sequence[int],
    *,
    chains: int,
    tune: int,
    draws: int,
    target_accept: float,
    progress: Callable[[int], None] | None = None,
) -> list[tuple[dict[str, FloatArray], dict[str, np.ndarray]]]:
    """Sample every model with NUTS, all chains in parallel.

    Parameters
    ----------
    models : sequence of PosteriorModel
    seeds : sequence of int
        One for each model; a chain's draws depend on model, seed and its number alone.
    chains, tune, draws : int
        Of every model; tuning and kept draws of each chain.
    target_accept : float
    progress : callable, optional
        Called with the number of draws made so far, tuning included.

    Returns
    -------
    list of tuple
        Of every model the free variables on the constrained scale, each of shape (chain, draw) or (chain,
        draw, entry), and the sampler's statistics, each of shape (chain, draw).

    Raises
    ------
    InputError
        If no chain can start.
    KeyboardInterrupt
        Within 50 ms of Ctrl-C.
    """
    found = _core.sample_posteriors(
        list(models),
        list(seeds),
        chains=chains,
        tune=tune,
        draws=draws,
        target_accept=target_accept,
        threads=os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0)),
        progress=progress,
    )
    return [_named(model, result) for model, result in zip(models, found, strict=True)]


def _named(
    model: _core.PosteriorModel, result: dict[str, np.ndarray]
) -> tuple[dict[str, FloatArray], dict[str, np.ndarray]]:
    draws = result.pop("draws")
    free: dict[str, FloatArray] = {}
    for name, start, entries, positive in model.variables():
        values = draws[:, :, start] if entries is None else draws[:, :, start : start + entries]
        free[name] = np.exp(values) if positive else values
    return free, result
