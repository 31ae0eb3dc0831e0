"""Sweep → posterior: sample the model, check the chains, keep everything together.

PyMC and nutpie are imported here and in `surge_fit.model` only, and this module is imported only when
something is fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surge_fit._compat import as_datatree, replaceable_data
from surge_fit.diagnostics import diagnose
from surge_fit.errors import InputError, UntrustworthyFitError
from surge_fit.law import Law, get_law
from surge_fit.observations import Observations, observe
from surge_fit.posterior import Posterior
from surge_fit.predictive import assemble_tree
from surge_fit.prior_scales import default_priors
from surge_fit.priors import Prior, Priors
from surge_fit.sweep import Sweep

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

Progress: TypeAlias = Callable[[str, float | None], None]
"""Called with the stage and the share of it that is done, or None where that is not known."""

CHAINS = 4


@dataclass(frozen=True, slots=True)
class _Effort:
    """How hard to sample: steps of tuning and kept draws of each chain, and target acceptance."""

    tune: int
    draws: int
    target_accept: float


_USUAL = _Effort(tune=800, draws=1500, target_accept=0.95)
"""Lower targets let chains stick without a single divergence on these models."""

_CAREFUL = _Effort(tune=3200, draws=3000, target_accept=0.99)
"""The second attempt: smaller steps enter the corners that the first one could not."""

_REPORT_SECONDS = 0.5
_COMPILED_MODELS = 8
_compiled: dict[tuple[object, ...], Any] = {}


def build_model(
    sweep: Sweep,
    *,
    law: str | Law = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    covariates: Sequence[str] = (),
) -> pm.Model:
    """Build the PyMC model of a sweep, to look at it or to change it.

    Parameters
    ----------
    sweep : Sweep
    law : str or Law
        Name of a built-in law (`surge_fit.LAWS`) or a law of one's own.
    priors : mapping of str to Prior, optional
        Priors that replace the default ones, by name.
    covariates : sequence of str
        As for `fit`.

    Returns
    -------
    pymc.Model

    Raises
    ------
    SweepError
        If the sweep cannot be fitted: one batch size, no usable run, too few runs, an unusable covariate.
    InputError
        If the law or a prior's name is unknown.
    """
    from surge_fit.model import assemble

    law = get_law(law)
    observations = observe(sweep, covariates)
    return assemble(observations, law, _priors(observations, law, priors))


def fit(
    sweep: Sweep,
    *,
    law: str | Law = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    covariates: Sequence[str] = (),
    random_seed: int = 0,
    progress: Progress | None = None,
) -> Posterior:
    """Fit a law to a sweep.

    Steps to a target, where the sweep has them, are fitted as well: alone, or together with the law, whose
    noise scale is then loosely tied to the critical batch size (`surge_fit.default_priors`).

    Several groups are pooled: what each has of its own comes from one population, so that groups with few
    runs borrow from the others. Ask the result for one of them, or for one never run, with
    `Posterior.group`; to fit one group by itself, pass ``sweep.select(label)``.

    Samples the model of `surge_fit.model` with NUTS (nutpie; 4 chains, 1,500 kept draws each, target
    acceptance 0.95) and checks R-hat, effective sample size and divergences. Where they do not pass, the fit
    is repeated once in smaller steps (target acceptance 0.99) with four times the tuning and twice the draws.

    Parameters
    ----------
    sweep : Sweep
        Runs, optimum points, or steps to a target; of one group or of several.
    law : str or Law
        Name of a built-in law (`surge_fit.LAWS`) or a law of one's own; of no effect where the sweep has no
        learning rates.
    priors : mapping of str to Prior, optional
        Priors that replace the default ones, by name.
    covariates : sequence of str
        Group columns with a positive number in every group, such as the parameters of the model and the
        tokens of the run: learning rates, noise scales, steps and curvatures may follow them, log-linearly.
    random_seed : int
        The same seed gives the same posterior on the same machine and versions.
    progress : callable, optional
        Called with the stage and the share of it that is done; see `surge_fit.progress_bar`.

    Returns
    -------
    Posterior

    Raises
    ------
    SweepError
        If the sweep cannot be fitted: one batch size, no usable run, too few runs, an unusable covariate.
    InputError
        If the law or a prior's name is unknown, or the seed is not a non-negative integer.
    UntrustworthyFitError
        If the chains still do not pass after the second attempt; carries the posterior.
    """
    law = get_law(law)
    if not (isinstance(random_seed, int | np.integer) and 0 <= random_seed < 2**32):
        raise InputError(f"'random_seed' must be an integer from 0 to 2**32 - 1; got {random_seed!r}.")
    observations = observe(sweep, covariates)
    chosen = _priors(observations, law, priors)
    report = progress or _silent
    report("preparing the model", None)
    from surge_fit import model as definition

    model = definition.assemble(observations, law, chosen)
    compiled = _compile(model, definition.structure(observations, law, chosen), report)
    tree = _sample(compiled, _USUAL, int(random_seed), report)
    diagnostics = diagnose(tree)
    if not diagnostics.trustworthy:
        report("sampling again, in smaller steps", None)
        tree = _sample(compiled, _CAREFUL, int(random_seed) + 1, report)
        diagnostics = diagnose(tree)
    report("drawing predictions", None)
    free = {variable.name: np.asarray(tree["posterior"][variable.name]) for variable in model.free_RVs}
    stats = {str(name): np.asarray(values) for name, values in tree["sample_stats"].data_vars.items()}
    tree = assemble_tree(observations, law, chosen, free, stats, int(random_seed))
    posterior = Posterior(
        tree=tree,
        sweep=sweep,
        law=law,
        priors=chosen,
        random_seed=int(random_seed),
        diagnostics=diagnostics,
        covariates=tuple(covariates),
    )
    if not diagnostics.trustworthy:
        raise UntrustworthyFitError(posterior, diagnostics.problems)
    return posterior


def _silent(stage: str, share: float | None) -> None:
    """Report nothing."""


def _priors(observations: Observations, law: Law, replacements: Mapping[str, Prior] | None) -> Priors:
    return default_priors(observations, law).replace(**dict(replacements or {}))


def _compile(model: pm.Model, structure: tuple[object, ...], report: Progress) -> Any:
    """Compile the model's log density, or take the compiled one of an equal structure."""
    from surge_fit.model import model_data

    if structure not in _compiled:
        report("compiling the model", None)
        import nutpie

        if len(_compiled) >= _COMPILED_MODELS:
            _compiled.pop(next(iter(_compiled)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _compiled[structure] = nutpie.compile_pymc_model(model)
    compiled = _compiled[structure]
    data = model_data(model)
    return compiled.with_data(**{name: data[name] for name in replaceable_data(compiled)})


def _sample(compiled: Any, effort: _Effort, seed: int, report: Progress) -> xr.DataTree:
    import nutpie

    sampler = nutpie.sample(
        compiled,
        draws=effort.draws,
        tune=effort.tune,
        chains=CHAINS,
        seed=seed,
        target_accept=effort.target_accept,
        progress_bar=False,
        blocking=False,
    )
    report("sampling", 0.0)
    try:
        while True:
            try:
                return as_datatree(sampler.wait(timeout=_REPORT_SECONDS))
            except TimeoutError:
                if report is not _silent:
                    report("sampling", _drawn(sampler) / (CHAINS * (effort.tune + effort.draws)))
    except BaseException:
        sampler.cancel()
        raise


def _drawn(sampler: Any) -> int:
    """How many draws, tuning included, the chains have made so far."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ArviZ wonders at chains without draws
        so_far = as_datatree(sampler.inspect())
    groups = [so_far[name] for name in ("warmup_sample_stats", "sample_stats") if name in so_far.children]
    return sum(int(np.isfinite(group["energy"]).sum()) for group in groups)
