"""Models → posteriors: each is sampled, and sampled again harder where its chains do not pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from surge_fit.model.spec import Model
from surge_fit.posterior.assembly import infer
from surge_fit.posterior.effort import CHAINS, EFFORTS, VERY_LARGE, Effort, SamplerKind
from surge_fit.posterior.value import Posterior
from surge_fit.sampling import native
from surge_fit.sampling.diagnostics import FOR_MEANS, Diagnostics, diagnose
from surge_fit.typing import Engine, FloatArray, Progress

if TYPE_CHECKING:
    from surge_fit._core import PosteriorModel

Draws: TypeAlias = tuple[dict[str, FloatArray], dict[str, np.ndarray]]
"""Free variables and statistics of the sampler, by name."""


@dataclass
class Task:
    """One fit, attempt by attempt."""

    model: Model
    engine: Engine
    seed: int
    for_means: bool
    attempts: int = 0
    draws: Draws = ({}, {})

    def needs(self, careful: bool) -> bool:
        """Whether to sample (again): more draws do not help against divergences, smaller steps do."""
        if self.attempts == 0:
            return True
        problems = self.diagnostics.beyond(FOR_MEANS) if self.for_means else self.diagnostics.problems
        return bool(problems) and (careful or not self.diagnostics.diverged)

    @cached_property
    def native_model(self) -> PosteriorModel:
        """The same model, built for the native engine."""
        return native.assemble(self.model)

    @property
    def sampler(self) -> SamplerKind:
        """Kind of sampler, by which the effort is chosen."""
        if self.engine == "pymc":
            return "pymc"
        if self.native_model.is_small():
            return "native, for means" if self.for_means else "native"
        entries = len(self.native_model.group_of_entries())
        return "native, large" if entries <= VERY_LARGE else "native, very large"

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Diagnostics of the last attempt."""
        return diagnose(self.draws[0], self.draws[1]["diverging"], self.engine)

    def take(self, draws: Draws) -> None:
        """Keep the draws of an attempt in place of those before."""
        self.draws = draws
        self.attempts += 1
        self.__dict__.pop("diagnostics", None)

    def posterior(self) -> Posterior:
        """Make the posterior of the last attempt."""
        return Posterior(
            draw_groups=infer(self.model, *self.draws, self.seed),
            model=self.model,
            random_seed=self.seed,
            diagnostics=self.diagnostics,
        )


def carry_out(tasks: Sequence[Task], progress: Progress | None) -> tuple[Posterior, ...]:
    """Sample every task until its chains pass or no attempt is left; natively all of them at once."""
    report = progress or _silent
    for chosen, efforts in EFFORTS.items():
        of_kind = [task for task in tasks if task.sampler == chosen]
        for effort in efforts:
            careful = effort.target_accept > efforts[0].target_accept
            todo = [task for task in of_kind if task.needs(careful)]
            again = "sampling again, in smaller steps" if careful else "sampling again, longer"
            _sample(todo, effort, "sampling" if effort is efforts[0] else again, report)
    report("drawing predictions", None)
    return tuple(task.posterior() for task in tasks)


def _silent(stage: str, share: float | None) -> None:
    """Report nothing."""


def _sample(tasks: Sequence[Task], effort: Effort, stage: str, report: Progress) -> None:
    """Sample tasks of one engine, and leave the draws with them."""
    if not tasks:
        return
    draws_per_task = CHAINS * (effort.tune + effort.draws)
    settings = {"chains": CHAINS, **asdict(effort)}
    # An attempt must not begin like the one before.
    seeds = [task.seed + task.attempts for task in tasks]

    def counted_from(drawn_before: int) -> Callable[[int], None] | None:
        return (
            None
            if report is _silent
            else lambda drawn: report(stage, (drawn_before + drawn) / (draws_per_task * len(tasks)))
        )

    if tasks[0].engine == "native":
        results = native.sample(
            [task.native_model for task in tasks], seeds, **settings, progress=counted_from(0)
        )
    else:
        from surge_fit.sampling.pymc_engine import Sampler

        results = []
        for number, (task, seed) in enumerate(zip(tasks, seeds, strict=True)):
            sampler = Sampler(task.model, report)
            report(stage, number / len(tasks))
            results.append(sampler.sample(seed, **settings, progress=counted_from(number * draws_per_task)))
    for task, draws in zip(tasks, results, strict=True):
        task.take(draws)
