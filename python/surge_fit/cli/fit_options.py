"""How a sweep is to be fitted: the options of every command that fits one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from surge_fit.cli.options import option, takes
from surge_fit.cli.parameters import FILE, LAW, NAMES, SEED
from surge_fit.errors import UntrustworthyFitError

if TYPE_CHECKING:
    from surge_fit.posterior.value import Posterior
    from surge_fit.sweep import Sweep

ENGINES = ("auto", "native", "pymc")


@dataclass(frozen=True)
class FitOptions:
    """What `surge_fit.fit` takes beside the sweep, by the same names and with the same defaults.

    Each field is an option of every command that fits: a new field is a new option of them all.

    Attributes
    ----------
    law : str
    covariates : tuple of str
    gradients, curve : Path, optional
        Files that measured the noise scale.
    engine : {"auto", "native", "pymc"}
    random_seed : int
    """

    law: str = option(
        type=LAW, default="broken_power", metavar="NAME", help="Law to fit; `surge-fit laws` lists them."
    )
    covariates: tuple[str, ...] = option(
        type=NAMES,
        default=(),
        metavar="N,D,…",
        help="Fit all groups together, with trends over these columns of positive numbers, such as model "
        "size. The columns define the groups unless --group-by does.",
    )
    gradients: Path | None = option(
        type=FILE,
        metavar="FILE.json",
        help="Gradient noise saved by `surge-fit gradients -o`, as a weak prior on the noise scale.",
    )
    curve: Path | None = option(
        type=FILE,
        metavar="FILE.json",
        help="Learning-rate curve saved by `surge-fit curve -o`; the batch size where it bends is a weak "
        "prior on the noise scale.",
    )
    engine: Literal["auto", "native", "pymc"] = option(
        type=click.Choice(ENGINES),
        default="auto",
        help="Sampler: native (Rust, every built-in law) or pymc.",
    )
    random_seed: int = option("--seed", type=SEED, default=0, metavar="N", help="Seed of the sampler.")

    def fit(self, sweep: Sweep) -> Posterior:
        """Fit with progress on stderr; a fit that cannot be trusted is returned all the same."""
        from surge_fit.posterior.fitting import fit
        from surge_fit.report.progress import progress_bar

        with progress_bar() as progress:
            try:
                return fit(sweep, **vars(self), progress=progress)
            except UntrustworthyFitError as error:
                return error.posterior  # type: ignore[return-value]


fit_options = takes(FitOptions, "fit_options")
