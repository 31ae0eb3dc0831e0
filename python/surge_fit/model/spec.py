"""The model of one sweep as a value: its runs, sorted, and the law and the priors they are fitted under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surge_fit.errors import SweepError
from surge_fit.law import Law, get_law
from surge_fit.model.default_priors import default_priors
from surge_fit.model.observations import Observations, observe
from surge_fit.priors import Prior, Priors
from surge_fit.sweep import Sweep


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A sweep with the law and the priors that it is fitted under, made once and carried by the fit.

    Attributes
    ----------
    sweep : Sweep
    observations : Observations
        The runs of the sweep, sorted by the likelihood that each enters.
    law : Law
        Law of the learning rate; of no effect where the sweep has no learning rates. Where it has one batch
        size alone, the constant law, whatever was asked for.
    priors : Priors
        All priors of the model.
    """

    sweep: Sweep
    observations: Observations
    law: Law
    priors: Priors

    @classmethod
    def of(
        cls,
        sweep: Sweep,
        law: str | Law,
        *,
        priors: Mapping[str, Prior] | None = None,
        covariates: Sequence[str] = (),
        observations: Observations | None = None,
    ) -> Model:
        """Sort and check the runs of a sweep, and scale the priors by them.

        Parameters
        ----------
        sweep : Sweep
        law : str or Law
            Name of a built-in law (`surge_fit.LAWS`) or a law of one's own.
        priors : mapping of str to Prior, optional
            Priors that replace the default ones, by name.
        covariates : sequence of str
            Group columns that the groups' parameters may follow.
        observations : Observations, optional
            From `surge_fit.observe` of this sweep and these covariates, where they are known already.

        Returns
        -------
        Model

        Raises
        ------
        SweepError
            If the sweep cannot be fitted: one batch size, no usable run, fewer runs than the law has
            parameters, or an unusable covariate.
        InputError
            If the law or a prior's name is unknown.
        """
        if observations is None:
            observations = observe(sweep, covariates)
        law = _law_of(observations, get_law(law))
        require_enough_runs(observations, law)
        all_priors = default_priors(observations, law).replace(**dict(priors or {}))
        return cls(sweep, observations, law, all_priors)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Group columns that the groups' parameters may follow."""
        return self.observations.covariates.names


def _law_of(observations: Observations, law: Law) -> Law:
    """The law that is fitted: where one batch size was tried, one rate, since nothing shows how it moves."""
    one = observations.has_learning_rates and len(set(observations.batch_size.tolist())) == 1
    return get_law("constant") if one else law


def require_enough_runs(observations: Observations, law: Law) -> None:
    """Refuse observations that are fewer than the parameters of the law.

    Raises
    ------
    SweepError
    """
    if observations.has_learning_rates and observations.count < len(law.parameters):
        msg = (
            f"The law {law.name!r} has {len(law.parameters)} parameters and needs at least as many usable "
            f"runs; found {observations.count}. Add runs, or choose a law with fewer parameters "
            "(`surge-fit laws`)."
        )
        raise SweepError(msg)
