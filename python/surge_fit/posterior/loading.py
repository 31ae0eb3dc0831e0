"""A posterior from the file that `Posterior.save` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as _Path
from typing import Any

from surge_fit.errors import InputError
from surge_fit.law import Law, get_law
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.model.observations import Observations, observe, sort_runs
from surge_fit.model.spec import Model
from surge_fit.posterior import storage
from surge_fit.posterior.population import ChosenGroup
from surge_fit.posterior.value import Posterior
from surge_fit.priors import Priors
from surge_fit.sampling.diagnostics import Diagnostics
from surge_fit.sweep import Sweep
from surge_fit.typing import Path


def load_posterior(path: Path, *, law: Law | None = None) -> Posterior:
    """Read a posterior that `Posterior.save` wrote.

    Parameters
    ----------
    path : path-like
    law : Law, optional
        Required if the posterior was fitted with a law that is not built in.

    Returns
    -------
    Posterior

    Raises
    ------
    InputError
        If the file is missing, is not a posterior of surge_fit, or needs the law it was fitted with.

    Examples
    --------
    >>> posterior.save("posterior.nc")
    >>> again = sf.load_posterior("posterior.nc")
    >>> again.law.name, again.sweep
    ('broken_power', Sweep(13 runs, 3 batch sizes 8…512 [examples], 1 diverged))
    """
    file = _Path(path)
    tree, attributes = storage.read(file)
    if law is not None and law.name != attributes["law"]:
        msg = f"{file} was fitted with the law {attributes['law']!r}, not with {law.name!r}."
        raise InputError(msg)
    sweep = Sweep.from_dict(json.loads(attributes["sweep"]))
    # Files written before 0.1.0 call it otherwise.
    chosen = _chosen_group(
        json.loads(attributes["group_meant" if "group_meant" in attributes else "speaks_of"])
    )
    return Posterior(
        draw_groups=DrawGroups.of_tree(tree),
        model=Model(
            sweep=sweep,
            observations=_observations(sweep, json.loads(attributes["covariates"]), chosen),
            law=law or get_law(str(attributes["law"])),
            priors=Priors.from_dict(json.loads(attributes["priors"])),
        ),
        random_seed=int(attributes["random_seed"]),
        diagnostics=Diagnostics(**json.loads(attributes["diagnostics"])),
        chosen_group=chosen,
    )


def _observations(sweep: Sweep, covariates: Sequence[str], chosen: ChosenGroup | None) -> Observations:
    if chosen is None:
        return observe(sweep, covariates)
    return sort_runs(sweep) if chosen.tried else sort_runs(sweep).merged()


def _chosen_group(stored: dict[str, Any] | None) -> ChosenGroup | None:
    if stored is None:
        return None
    e_folds = tuple((str(name), float(outside)) for name, outside in stored["covariate_e_folds"])
    return ChosenGroup(str(stored["label"]), bool(stored["tried"]), e_folds)
