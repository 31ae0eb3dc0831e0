"""Sweep → posterior: sample the model, check the chains, keep everything together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from surge_fit._support.allocator import keep_freed_memory
from surge_fit.errors import InputError, UntrustworthyFitError
from surge_fit.law import Law, get_law
from surge_fit.model.default_priors import default_priors
from surge_fit.model.definition import require_enough_runs
from surge_fit.model.observations import Observations, observe
from surge_fit.posterior.assembly import infer
from surge_fit.posterior.effort import CHAINS, EFFORTS, VERY_LARGE, Effort, SamplerKind
from surge_fit.posterior.measured_priors import with_measured_noise_scale
from surge_fit.posterior.value import Posterior
from surge_fit.priors import Prior, Priors
from surge_fit.sampling import native
from surge_fit.sampling.diagnostics import FOR_MEANS, Diagnostics, diagnose
from surge_fit.sweep import Sweep
from surge_fit.typing import Engine, FloatArray, Path

if TYPE_CHECKING:
    import pymc as pm

    from surge_fit._core import PosteriorModel
    from surge_fit.gradients.curve import LearningRateCurve
    from surge_fit.gradients.noise import GradientStatistics

Progress: TypeAlias = Callable[[str, float | None], None]
"""Called with the stage and the share of it that is done, or None where that is not known."""

Draws: TypeAlias = tuple[dict[str, FloatArray], dict[str, np.ndarray]]
"""Free variables and statistics of the sampler, by name."""


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
    from surge_fit.model.in_pymc import assemble

    law = get_law(law)
    observations = observe(sweep, covariates)
    return assemble(observations, law, _priors(observations, law, priors))


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
) -> Posterior:
    """Fit a law to a sweep.

    Steps to a target, where the sweep has them, are fitted as well: alone, or together with the law, whose
    noise scale is then loosely tied to the critical batch size (`surge_fit.default_priors`).

    Several groups are pooled: what each has of its own comes from one population, so that groups with few
    runs borrow from the others. Ask the result for one of them, or for one never run, with
    `Posterior.group`; to fit one group by itself, pass ``sweep.select(label)``.

    Samples the model of `surge_fit.model.definition` with NUTS (4 chains, target acceptance 0.95; natively
    1,000 kept draws each, with PyMC 1,500) and checks R-hat, effective sample size and divergences. Where
    they do not pass, the fit is repeated: natively with 3,000 draws, unless too many diverged; and where that
    does not do, in smaller steps (target acceptance 0.99) with more tuning. Models of more than 100 entries,
    of many groups or batch sizes, take 3,000 or 4,000 draws natively, and 6,000 where these do not do.

    Parameters
    ----------
    sweep : Sweep
        Runs, optimum points, or steps to a target; of one group or of several.
    law : str or Law
        Name of a built-in law (`surge_fit.LAWS`) or a law of one's own; of no effect where the sweep has no
        learning rates.
    priors : mapping of str to Prior, optional
        Priors that replace the default ones, by name.
    gradients : GradientStatistics or path-like, optional
        Gradient noise measured on a dump, or a file that ``surge-fit gradients … -o`` saved: its noise scale
        becomes a weak prior of ``log_noise_scale`` (`surge_fit.posterior.measured_priors`).
    curve : LearningRateCurve or path-like, optional
        From `surge_fit.learning_rate_curve`, or a file that ``surge-fit curve … -o`` saved: where it bends
        becomes a weak prior of ``log_noise_scale`` (`surge_fit.posterior.measured_priors`).
    covariates : sequence of str
        Group columns with a positive number in every group, such as the parameters of the model and the
        tokens of the run: learning rates, noise scales, steps and curvatures may follow them, log-linearly.
    engine : {"auto", "native", "pymc"}
        What samples. ``auto`` takes the native engine for built-in laws and PyMC for others; both sample the
        same density. ``posterior.diagnostics.engine`` tells which it was.
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
        If the law, the engine or a prior's name is unknown, the native engine is asked for a law that is not
        built in, the seed is not a non-negative integer, or gradients or a curve cannot serve: the law has no
        noise scale, its prior is given as well, or they count another unit than the sweep.
    UntrustworthyFitError
        If the chains do not pass after the last attempt either; carries the posterior.
    """
    priors = with_measured_noise_scale(
        priors, get_law(law), sweep.batch_unit, gradients=gradients, curve=curve
    )
    (posterior,) = fit_many(
        [sweep],
        law=law,
        priors=priors,
        covariates=covariates,
        engine=engine,
        random_seed=random_seed,
        progress=progress,
    )
    if not posterior.diagnostics.trustworthy:
        raise UntrustworthyFitError(posterior, posterior.diagnostics.problems)
    return posterior


def fit_many(
    sweeps: Sequence[Sweep],
    *,
    law: str | Law | Sequence[str | Law] = "broken_power",
    priors: Mapping[str, Prior] | None = None,
    covariates: Sequence[str] = (),
    engine: Literal["auto", "native", "pymc"] = "auto",
    random_seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Posterior, ...]:
    """Fit many sweeps at once; natively all chains of all sweeps run in parallel.

    Parameters
    ----------
    sweeps : sequence of Sweep
        Such as the same sweep without one batch size after another.
    law : str, Law, or a sequence of them
        For all sweeps, or one for each.
    priors, covariates, engine, random_seed, progress
        As for `fit`, for all sweeps; each posterior is the one that `fit` would give.

    Returns
    -------
    tuple of Posterior
        In the order of the sweeps. One whose chains do not pass after the last attempt either is among them:
        look at ``posterior.diagnostics.trustworthy``.

    Raises
    ------
    SweepError, InputError
        As for `fit`, and if there is not one law for each sweep.
    """
    laws = [get_law(law)] * len(sweeps) if isinstance(law, str | Law) else [get_law(name) for name in law]
    if len(laws) != len(sweeps):
        msg = (
            f"There must be one law for all sweeps or one for each; got {len(laws)} laws for "
            f"{len(sweeps)} sweeps."
        )
        raise InputError(msg)
    tasks = [
        _task(sweep, law, priors, tuple(covariates), engine, random_seed)
        for sweep, law in zip(sweeps, laws, strict=True)
    ]
    return _fit(tasks, progress)


def fit_for_means(
    sweeps: Sequence[Sweep], *, law: Sequence[Law], random_seed: int, progress: Progress | None
) -> tuple[Posterior, ...]:
    """Fit many sweeps at once for means over their draws, with fewer draws than intervals take.

    Parameters
    ----------
    sweeps : sequence of Sweep
    law : sequence of Law
        One for each.
    random_seed, progress
        As for `fit`.

    Returns
    -------
    tuple of Posterior
        Held to `surge_fit.sampling.diagnostics.FOR_MEANS`: ``posterior.diagnostics.beyond(FOR_MEANS)`` tells
        which do not pass.

    Raises
    ------
    SweepError, InputError
        As for `fit`.
    """
    tasks = [
        _task(sweep, law, None, (), "auto", random_seed, for_means=True)
        for sweep, law in zip(sweeps, law, strict=True)
    ]
    return _fit(tasks, progress)


def _fit(tasks: Sequence[_Task], progress: Progress | None) -> tuple[Posterior, ...]:
    keep_freed_memory()
    report = progress or _silent
    for chosen, efforts in EFFORTS.items():
        mine = [task for task in tasks if task.sampler == chosen]
        for effort in efforts:
            careful = effort.target_accept > efforts[0].target_accept
            todo = [task for task in mine if task.needs(careful)]
            again = "sampling again, in smaller steps" if careful else "sampling again, longer"
            _sample(todo, effort, "sampling" if effort is efforts[0] else again, report)
    report("drawing predictions", None)
    return tuple(task.posterior() for task in tasks)


@dataclass
class _Task:
    """One fit on its way."""

    sweep: Sweep
    observations: Observations
    law: Law
    priors: Priors
    covariates: tuple[str, ...]
    engine: Engine
    seed: int
    for_means: bool
    attempts: int = 0
    draws: Draws = ({}, {})

    def needs(self, careful: bool) -> bool:
        """Whether to sample (again): more draws do not help against divergences, smaller steps do."""
        if self.attempts == 0:
            return True
        told = self.diagnostics.beyond(FOR_MEANS) if self.for_means else self.diagnostics.problems
        return bool(told) and (careful or not self.diagnostics.diverged)

    @cached_property
    def model(self) -> PosteriorModel:
        """The native one."""
        return native.model(self.observations, self.law, self.priors)

    @property
    def sampler(self) -> SamplerKind:
        """What takes which effort."""
        if self.engine == "pymc":
            return "pymc"
        if self.model.is_small():
            return "native, for means" if self.for_means else "native"
        return "native, large" if len(self.model.group_of_entries()) <= VERY_LARGE else "native, very large"

    @cached_property
    def diagnostics(self) -> Diagnostics:
        return diagnose(self.draws[0], self.draws[1]["diverging"], self.engine)

    def take(self, draws: Draws) -> None:
        self.draws = draws
        self.attempts += 1
        self.__dict__.pop("diagnostics", None)

    def posterior(self) -> Posterior:
        free, statistics = self.draws
        data = infer(self.observations, self.law, self.priors, free, statistics, self.seed)
        return Posterior(
            inference_data=data,
            sweep=self.sweep,
            law=self.law,
            priors=self.priors,
            random_seed=self.seed,
            diagnostics=self.diagnostics,
            covariates=self.covariates,
        )


def _task(
    sweep: Sweep,
    law: Law,
    priors: Mapping[str, Prior] | None,
    covariates: tuple[str, ...],
    engine: str,
    seed: int,
    for_means: bool = False,
) -> _Task:
    if not (isinstance(seed, int | np.integer) and 0 <= seed < 2**32):
        msg = f"'random_seed' must be an integer from 0 to 2**32 - 1; got {seed!r}."
        raise InputError(msg)
    observations = observe(sweep, covariates)
    require_enough_runs(observations, law)
    chosen = _priors(observations, law, priors)
    return _Task(sweep, observations, law, chosen, covariates, _engine(engine, law), int(seed), for_means)


def _engine(asked: str, law: Law) -> Engine:
    if asked not in ("auto", "native", "pymc"):
        msg = f"'engine' must be 'auto', 'native' or 'pymc'; got {asked!r}."
        raise InputError(msg)
    if asked == "native" and not native.can_sample(law):
        msg = (
            f"The native engine samples the built-in laws (`surge-fit laws`); {law.name!r} is not one of "
            "them. Take engine='pymc', or 'auto'."
        )
        raise InputError(msg)
    return "native" if asked != "pymc" and native.can_sample(law) else "pymc"


def _silent(stage: str, share: float | None) -> None:
    """Report nothing."""


def _priors(observations: Observations, law: Law, replacements: Mapping[str, Prior] | None) -> Priors:
    return default_priors(observations, law).replace(**dict(replacements or {}))


def _sample(tasks: Sequence[_Task], effort: Effort, stage: str, report: Progress) -> None:
    """Sample tasks of one engine, and leave the draws with them."""
    if not tasks:
        return
    each = CHAINS * (effort.tune + effort.draws)
    settings = {"chains": CHAINS, **asdict(effort)}
    # An attempt must not begin like the one before.
    seeds = [task.seed + task.attempts for task in tasks]

    def told(before: int) -> Callable[[int], None] | None:
        return (
            None if report is _silent else lambda made: report(stage, (before + made) / (each * len(tasks)))
        )

    if tasks[0].engine == "native":
        found = native.sample([task.model for task in tasks], seeds, **settings, progress=told(0))
    else:
        from surge_fit.sampling.pymc_engine import Sampler

        found = []
        for number, (task, seed) in enumerate(zip(tasks, seeds, strict=True)):
            sampler = Sampler(task.observations, task.law, task.priors, report)
            report(stage, number / len(tasks))
            found.append(sampler.sample(seed, **settings, progress=told(number * each)))
    for task, draws in zip(tasks, found, strict=True):
        task.take(draws)
