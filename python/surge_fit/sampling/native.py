"""The native engine: built-in models, compiled ahead of time and sampled in Rust.

Nothing here imports PyMC. The density is that of `surge_fit.model.in_pymc` to the last few digits, all
constants included; a test compares the two for every law and likelihood.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from typing import Any

import numpy as np

from surge_fit import _core
from surge_fit.law import LAWS, Law
from surge_fit.model import discrepancy
from surge_fit.model.definition import is_scale, is_spread
from surge_fit.model.observations import Runs
from surge_fit.model.spec import Model
from surge_fit.sampling.block_transform import learn_blocks
from surge_fit.sampling.sample_stats import named_for_arviz
from surge_fit.sampling.transform import Geometry, learn
from surge_fit.typing import FloatArray

_FROM_SCALE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "plain": np.asarray,
    "log": np.exp,
    "signed": np.abs,
}
"""From what is sampled to the variable."""

_PILOTS = ((0.5, 0.25),)
"""Walks whose draws show the geometry and are not kept: shares of the tuning that tune and draw them."""

_PILOTS_OF_LARGE = ((0.3, 0.1), (0.2, 0.25))
"""Of large models: the first finds where the posterior is, the second, in a first geometry, how wide."""

_PILOT_ACCEPT = 0.9
"""Acceptance that pilots aim at."""


def can_sample(law: Law) -> bool:
    """Whether the law is one that is compiled: built in, and not a variation of it under the same name."""
    return LAWS.get(law.name) is law


def assemble(model: Model) -> _core.PosteriorModel:
    """Build the native model; the counterpart of `surge_fit.model.in_pymc.assemble`.

    Parameters
    ----------
    model : Model
        With a law for which `can_sample` holds.

    Returns
    -------
    PosteriorModel
        With ``variables()`` and ``log_density(positions)``, on the unconstrained scale.

    Raises
    ------
    InputError
        If a prior of the model is missing.
    """
    observations = model.observations
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
    described = [(name, prior.family, list(astuple(prior))) for name, prior in model.priors.items()]
    built: _core.PosteriorModel = _core.PosteriorModel(model.law.name, {"cells": cells, **seen}, described)
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

    Most of the tuning goes into a pilot: from its draws the geometry of the posterior is learnt
    (`surge_fit.sampling.transform`, of large models `surge_fit.sampling.block_transform`), in which the
    chains go on.

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
    threads = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
    found: dict[int, dict[str, np.ndarray]] = {}
    made_before = 0

    def walk(which: list[int], tune: int, draws: int, accept: float) -> None:
        """Sample some of the models, in coordinates that the draws found before show."""
        nonlocal made_before
        before = made_before
        geometries = [_geometry(models[i], found[i]["draws"]) if i in found else None for i in which]
        results = _core.sample_posteriors(
            [models[i] for i in which],
            [seeds[i] for i in which],
            [None if geometry is None else _flat(geometry) for geometry in geometries],
            chains=chains,
            tune=tune,
            draws=draws,
            target_accept=accept,
            threads=threads,
            progress=None if progress is None else lambda made: progress(before + made),
        )
        made_before += len(which) * chains * (tune + draws)
        found.update(zip(which, results, strict=True))

    small = [i for i, model in enumerate(models) if model.is_small()]
    large = [i for i, model in enumerate(models) if not model.is_small()]
    for which, pilots in ((small, _PILOTS), (large, _PILOTS_OF_LARGE)):
        if not which:
            continue
        rest = tune
        for share, share_of_draws in pilots:
            walk(which, int(share * tune), int(share_of_draws * tune), _PILOT_ACCEPT)
            rest -= int(share * tune) + int(share_of_draws * tune)
        walk(which, rest, draws, target_accept)
    return [_named(model, found[i]) for i, model in enumerate(models)]


def _flat(geometry: Geometry) -> dict[str, np.ndarray]:
    return {name: np.ravel(values) for name, values in asdict(geometry).items()}


def _geometry(model: _core.PosteriorModel, draws: FloatArray) -> Geometry:
    scales = {
        name: (first, scale)
        for name, first, entries, scale in model.variables()
        if entries is None and is_scale(name) and scale != "plain"
    }
    if model.is_small():
        signed = [scale == "signed" for _, scale in scales.values()]
        first = [first for first, _ in scales.values()]
        return learn(draws, np.array(first, dtype=np.intp), np.array(signed, dtype=bool))
    # Many groups know the noise too well for anything to follow it.
    spreads = {name: kind for name, kind in scales.items() if is_spread(name)} or scales
    logs = np.array([first for first, scale in spreads.values() if scale == "log"], dtype=np.intp)
    group_of = np.array([-1 if group is None else group for group in model.group_of_entries()])
    return learn_blocks(draws, group_of, logs, model.log_density)


def _named(
    model: _core.PosteriorModel, result: dict[str, np.ndarray]
) -> tuple[dict[str, FloatArray], dict[str, np.ndarray]]:
    draws = result.pop("draws")
    free: dict[str, FloatArray] = {}
    for name, start, entries, scale in model.variables():
        values = draws[:, :, start] if entries is None else draws[:, :, start : start + entries]
        free[name] = _FROM_SCALE[scale](values)
    return free, named_for_arviz(result)
