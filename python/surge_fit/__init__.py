"""surge_fit: the learning rate for a batch size, and how sure we are.

Data flows one way: read → observe → law → model → posterior → recommendation → report.

>>> import surge_fit as sf
>>> sweep = sf.read_sweep("sweep.csv", batch_unit="examples")  # doctest: +SKIP
>>> posterior = sf.fit(sweep, random_seed=0)  # doctest: +SKIP
>>> sf.recommend(posterior, batch_size=[64, 512, 4096])  # doctest: +SKIP

Importing the package loads neither PyMC nor matplotlib; `fit` and the plots do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surge_fit._version import __version__
    from surge_fit.checks import Check
    from surge_fit.comparison import LawComparison, compare
    from surge_fit.curve import LearningRateCurve, learning_rate_curve
    from surge_fit.diagnostics import Diagnostics
    from surge_fit.dump import Dump, open_dump
    from surge_fit.errors import (
        DumpError,
        FitError,
        InputError,
        SurgeFitError,
        SweepError,
        UntrustworthyFitError,
    )
    from surge_fit.estimates import ParameterEstimate, estimate_parameters
    from surge_fit.fitting import build_model, fit, fit_many
    from surge_fit.law import LAWS, Law, Parameter, get_law
    from surge_fit.observations import observe
    from surge_fit.planning import NextRun, NextRuns, next_runs
    from surge_fit.posterior import Posterior, load_posterior
    from surge_fit.prediction import StepsPrediction, predict_steps
    from surge_fit.prior_scales import default_priors
    from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, Priors, StudentT
    from surge_fit.recommendation import Recommendation, recommend
    from surge_fit.report.progress import progress_bar
    from surge_fit.simulate import simulate_sweep
    from surge_fit.statistics import GradientStatistics, gradient_statistics
    from surge_fit.sweep import Run, Sweep, read_sweep

_HOME = {
    "Check": "checks",
    "Diagnostics": "diagnostics",
    "Dump": "dump",
    "DumpError": "errors",
    "FitError": "errors",
    "GradientStatistics": "statistics",
    "HalfNormal": "priors",
    "InputError": "errors",
    "LAWS": "law",
    "Law": "law",
    "LawComparison": "comparison",
    "LogNormal": "priors",
    "LearningRateCurve": "curve",
    "NextRun": "planning",
    "NextRuns": "planning",
    "Normal": "priors",
    "Parameter": "law",
    "ParameterEstimate": "estimates",
    "Posterior": "posterior",
    "Prior": "priors",
    "Priors": "priors",
    "Recommendation": "recommendation",
    "Run": "sweep",
    "StepsPrediction": "prediction",
    "StudentT": "priors",
    "SurgeFitError": "errors",
    "Sweep": "sweep",
    "SweepError": "errors",
    "UntrustworthyFitError": "errors",
    "build_model": "fitting",
    "compare": "comparison",
    "default_priors": "prior_scales",
    "estimate_parameters": "estimates",
    "fit": "fitting",
    "fit_many": "fitting",
    "get_law": "law",
    "gradient_statistics": "statistics",
    "learning_rate_curve": "curve",
    "load_posterior": "posterior",
    "next_runs": "planning",
    "observe": "observations",
    "open_dump": "dump",
    "predict_steps": "prediction",
    "progress_bar": "report.progress",
    "read_sweep": "sweep",
    "recommend": "recommendation",
    "simulate_sweep": "simulate",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    home = "_version" if name == "__version__" else _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'surge_fit' has no attribute {name!r}")
    return getattr(import_module(f"surge_fit.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
