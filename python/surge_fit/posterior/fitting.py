"""Sweep → posterior: the functions that fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from surge_fit.errors import InputError, UntrustworthyFitError, UntrustworthyFitWarning
from surge_fit.law import Law, get_law
from surge_fit.model.spec import Model
from surge_fit.posterior.attempts import Task, carry_out
from surge_fit.posterior.measured_priors import with_measured_noise_scale
from surge_fit.posterior.value import Posterior
from surge_fit.priors import Prior
from surge_fit.sampling import native
from surge_fit.sweep import Sweep
from surge_fit.typing import Engine, Path, Progress

if TYPE_CHECKING:
    import pymc as pm

    from surge_fit.gradients.curve import LearningRateCurve
    from surge_fit.gradients.noise import GradientStatistics


def build_model(
    sweep: Sweep,
    *,
    law: str | Law = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    covariates: Sequence[str] = (),
) -> pm.Model:
    """Build the PyMC model of a sweep, to inspect or change it.

    Parameters
    ----------
    sweep : Sweep
    law : str or Law
        Name of a built-in law (`surge_fit.LAWS`) or a law of your own.
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
        If the sweep cannot be fitted: no usable run, too few runs, an unusable covariate, or a single batch
        size without learning rates.
    InputError
        If the law or a prior's name is unknown.

    Examples
    --------
    >>> model = sf.build_model(sweep, law="surge")  # doctest: +SKIP
    >>> model.to_graphviz()  # doctest: +SKIP
    """
    from surge_fit.model.in_pymc import assemble

    return assemble(Model.of(sweep, law, priors=priors, covariates=covariates))


def fit(
    sweep: Sweep,
    *,
    law: str | Law = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    gradients: GradientStatistics | Path | None = None,
    curve: LearningRateCurve | Path | None = None,
    covariates: Sequence[str] = (),
    engine: Literal["auto", "native", "pymc"] = "auto",
    random_seed: int = 0,
    progress: Progress | None = None,
    on_failure: Literal["raise", "warn"] = "raise",
) -> Posterior:
    """Fit a law to a sweep.

    Steps to a target, where the sweep has them, are fitted as well: alone, or together with the law, whose
    noise scale is then loosely tied to the critical batch size (`surge_fit.default_priors`).

    Several groups are pooled: their parameters are draws from one population, so that groups with few runs
    borrow strength from the others. `Posterior.group` returns one of them, or one that was never run; to fit
    one group by itself, pass ``sweep.select(label)``.

    Samples the model of `surge_fit.model.definition` with NUTS (4 chains, target acceptance 0.95; natively
    1,000 kept draws each, with PyMC 1,500) and checks R-hat, effective sample size and divergences. Where
    they do not pass, the fit is repeated: natively with 3,000 draws, unless too many diverged; and if that is
    not enough, with smaller steps (target acceptance 0.99) and more tuning. Models of more than 100 entries,
    with many groups or batch sizes, take 3,000 or 4,000 draws natively, and 6,000 if those are not enough.

    Parameters
    ----------
    sweep : Sweep
        Runs, optimum points, or steps to a target; one group or several.
    law : str or Law
        Name of a built-in law (`surge_fit.LAWS`) or a law of your own; without effect where the sweep has no
        learning rates.
    priors : mapping of str to Prior, optional
        Priors that replace the default ones, by name.
    gradients : GradientStatistics or path-like, optional
        Gradient noise measured on a dump, or a file that ``surge-fit gradients … -o`` saved: its noise scale
        becomes a weak prior on ``log_noise_scale`` (`surge_fit.posterior.measured_priors`).
    curve : LearningRateCurve or path-like, optional
        From `surge_fit.learning_rate_curve`, or a file that ``surge-fit curve … -o`` saved: where it bends
        becomes a weak prior on ``log_noise_scale`` (`surge_fit.posterior.measured_priors`).
    covariates : sequence of str
        Group columns with a positive number in every group, such as the parameters of the model and the
        tokens of the run: learning rates, noise scales, steps and curvatures may follow them, log-linearly.
    engine : {"auto", "native", "pymc"}
        The sampler. ``auto`` takes the native engine for built-in laws and PyMC for others; both sample the
        same density. ``posterior.diagnostics.engine`` names the one that was used.
    random_seed : int
        The same seed gives the same posterior on the same machine and versions.
    progress : callable, optional
        Called with the stage and the fraction of it that is done; see `surge_fit.progress_bar`.
    on_failure : {"raise", "warn"}
        What to do if the chains still do not pass after the last attempt: raise, or return the posterior
        with a warning, `surge_fit.errors.UntrustworthyFitWarning`.

    Returns
    -------
    Posterior

    Raises
    ------
    SweepError
        If the sweep cannot be fitted: no usable run, too few runs, an unusable covariate, or a single batch
        size without learning rates.
    InputError
        If the law, the engine, a prior's name or `on_failure` is unknown, the native engine is requested for
        a law that is not built in, the seed is not a non-negative integer, or gradients or a curve cannot be
        used: the law has no noise scale, its prior is given as well, or their unit differs from the sweep's.
    UntrustworthyFitError
        If the chains do not pass, unless `on_failure` is ``"warn"``; carries the posterior.

    Examples
    --------
    >>> posterior = sf.fit(
    ...     sweep, law="surge", priors={"discrepancy_scale": sf.LogNormal(median=0.1, log_sd=0.5)}
    ... )
    >>> posterior.law.name, posterior.diagnostics.trustworthy
    ('surge', True)
    """
    _require_known(on_failure)
    priors = with_measured_noise_scale(
        priors, get_law(law), sweep.batch_unit, gradients=gradients, curve=curve
    )
    model = Model.of(sweep, law, priors=priors, covariates=covariates)
    fitted = fit_models([model], engine=engine, random_seed=random_seed, progress=progress)
    require_trustworthy(fitted, on_failure)
    return fitted[0]


def fit_many(
    sweeps: Sequence[Sweep],
    *,
    law: str | Law | Sequence[str | Law] = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    covariates: Sequence[str] = (),
    engine: Literal["auto", "native", "pymc"] = "auto",
    random_seed: int = 0,
    progress: Progress | None = None,
    on_failure: Literal["raise", "warn"] = "raise",
) -> tuple[Posterior, ...]:
    """Fit many sweeps at once; natively all chains of all sweeps run in parallel.

    Parameters
    ----------
    sweeps : sequence of Sweep
        For example, the same sweep without each batch size in turn.
    law : str, Law, or a sequence of them
        One for all sweeps, or one for each.
    priors, covariates, engine, random_seed, progress, on_failure
        As for `fit`, for all sweeps; each posterior is the one that `fit` would give.

    Returns
    -------
    tuple of Posterior
        In the order of the sweeps. ``posterior.diagnostics.trustworthy`` says which passed.

    Raises
    ------
    SweepError, InputError
        As for `fit`, and if there is not one law for each sweep.
    UntrustworthyFitError
        If the chains of a fit do not pass, unless `on_failure` is ``"warn"``; carries all posteriors.

    Examples
    --------
    >>> with_power, with_linear = sf.fit_many([sweep, sweep], law=["power", "linear"])
    >>> with_linear.law.name
    'linear'
    """
    _require_known(on_failure)
    laws = [get_law(law)] * len(sweeps) if isinstance(law, str | Law) else [get_law(name) for name in law]
    if len(laws) != len(sweeps):
        msg = (
            f"There must be one law for all sweeps or one for each; got {len(laws)} laws for "
            f"{len(sweeps)} sweeps."
        )
        raise InputError(msg)
    models = [
        Model.of(sweep, law, priors=priors, covariates=covariates)
        for sweep, law in zip(sweeps, laws, strict=True)
    ]
    fitted = fit_models(models, engine=engine, random_seed=random_seed, progress=progress)
    require_trustworthy(fitted, on_failure)
    return fitted


def fit_models(
    models: Sequence[Model],
    *,
    engine: Literal["auto", "native", "pymc"] = "auto",
    random_seed: int = 0,
    progress: Progress | None = None,
    for_means: bool = False,
) -> tuple[Posterior, ...]:
    """Fit models at once, and leave it to the caller whether to trust them.

    Parameters
    ----------
    models : sequence of Model
    engine, random_seed, progress
        As for `fit`.
    for_means : bool
        Whether only means over the draws are wanted, which take fewer of them than intervals: the chains
        then need only meet `surge_fit.sampling.diagnostics.FOR_MEANS`.

    Returns
    -------
    tuple of Posterior
        In the order of the models.

    Raises
    ------
    InputError
        As for `fit`.
    """
    if not (isinstance(random_seed, int | np.integer) and 0 <= random_seed < 2**32):
        msg = f"'random_seed' must be an integer from 0 to 2**32 - 1; got {random_seed!r}."
        raise InputError(msg)
    tasks = [Task(model, _engine(engine, model.law), int(random_seed), for_means) for model in models]
    return carry_out(tasks, progress)


def require_trustworthy(
    posteriors: tuple[Posterior, ...], on_failure: Literal["raise", "warn"] = "raise"
) -> None:
    """Raise, or warn the caller's caller, where the chains of some posterior do not pass.

    Raises
    ------
    UntrustworthyFitError
    """
    failed = [
        (i, posterior) for i, posterior in enumerate(posteriors) if not posterior.diagnostics.trustworthy
    ]
    if not failed:
        return
    problems = tuple(
        problem if len(posteriors) == 1 else f"Sweep {i} under the law {posterior.law.name!r}: {problem}"
        for i, posterior in failed
        for problem in posterior.diagnostics.problems
    )
    error = UntrustworthyFitError(failed[0][1], problems, posteriors)
    if on_failure == "raise":
        raise error
    warnings.warn(str(error), UntrustworthyFitWarning, stacklevel=3)


def _require_known(on_failure: str) -> None:
    if on_failure not in ("raise", "warn"):
        msg = f"'on_failure' must be 'raise' or 'warn'; got {on_failure!r}."
        raise InputError(msg)


def _engine(engine: str, law: Law) -> Engine:
    if engine not in ("auto", "native", "pymc"):
        msg = f"'engine' must be 'auto', 'native' or 'pymc'; got {engine!r}."
        raise InputError(msg)
    if engine == "native" and not native.can_sample(law):
        msg = (
            f"The native engine samples the built-in laws (`surge-fit laws`); {law.name!r} is not one of "
            "them. Take engine='pymc', or 'auto'."
        )
        raise InputError(msg)
    return "native" if engine != "pymc" and native.can_sample(law) else "pymc"
