"""surge_fit: the learning rate for a batch size, and how sure we are.

Data flows one way: read → observe → law → model → posterior → recommendation → report.

>>> import numpy as np
>>> import surge_fit as sf
>>> sweep = sf.read_sweep("examples/digits_adam/sweep.csv")
>>> posterior = sf.fit(sweep)
>>> for r in sf.recommend(posterior, batch_size=[64, 512, 4096]):
...     print(f"batch size {r.batch_size:4.0f}: learning rate about {r.learning_rate:.0e}")
batch size   64: learning rate about 3e-03
batch size  512: learning rate about 1e-02
batch size 4096: learning rate about 3e-02

The examples of this package start from these lines, at the root of the repository.

Importing the package loads neither PyMC nor matplotlib; a fit with PyMC and the plots do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surge_fit._support.results import to_frame
    from surge_fit._version import __version__
    from surge_fit.decisions.comparison import LawComparison, compare
    from surge_fit.decisions.estimates import ParameterEstimate, estimate_parameters
    from surge_fit.decisions.planning import NextRun, NextRuns, next_runs
    from surge_fit.decisions.recommendation import Recommendation, recommend
    from surge_fit.decisions.steps_prediction import StepsPrediction, predict_steps
    from surge_fit.errors import (
        DumpError,
        FitError,
        InputError,
        SurgeFitError,
        SweepError,
        UntrustworthyFitError,
    )
    from surge_fit.gradients.curve import LearningRateCurve, learning_rate_curve
    from surge_fit.gradients.dump import Dump, open_dump
    from surge_fit.gradients.noise import GradientStatistics, gradient_statistics
    from surge_fit.law import LAWS, Law, Parameter, get_law
    from surge_fit.model.default_priors import default_priors
    from surge_fit.model.observations import observe
    from surge_fit.posterior.fitting import build_model, fit, fit_many
    from surge_fit.posterior.loading import load_posterior
    from surge_fit.posterior.value import Posterior
    from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, Priors, StudentT
    from surge_fit.report.progress import progress_bar
    from surge_fit.sampling.diagnostics import Diagnostics
    from surge_fit.simulate import simulate_sweep
    from surge_fit.sweep import Run, Sweep, read_sweep
    from surge_fit.sweep.checks import Finding

_HOME = {
    "Diagnostics": "sampling.diagnostics",
    "Dump": "gradients.dump",
    "DumpError": "errors",
    "Finding": "sweep.checks",
    "FitError": "errors",
    "GradientStatistics": "gradients.noise",
    "HalfNormal": "priors",
    "InputError": "errors",
    "LAWS": "law",
    "Law": "law",
    "LawComparison": "decisions.comparison",
    "LogNormal": "priors",
    "LearningRateCurve": "gradients.curve",
    "NextRun": "decisions.planning",
    "NextRuns": "decisions.planning",
    "Normal": "priors",
    "Parameter": "law",
    "ParameterEstimate": "decisions.estimates",
    "Posterior": "posterior.value",
    "Prior": "priors",
    "Priors": "priors",
    "Recommendation": "decisions.recommendation",
    "Run": "sweep",
    "StepsPrediction": "decisions.steps_prediction",
    "StudentT": "priors",
    "SurgeFitError": "errors",
    "Sweep": "sweep",
    "SweepError": "errors",
    "UntrustworthyFitError": "errors",
    "build_model": "posterior.fitting",
    "compare": "decisions.comparison",
    "default_priors": "model.default_priors",
    "estimate_parameters": "decisions.estimates",
    "fit": "posterior.fitting",
    "fit_many": "posterior.fitting",
    "get_law": "law",
    "gradient_statistics": "gradients.noise",
    "learning_rate_curve": "gradients.curve",
    "load_posterior": "posterior.loading",
    "next_runs": "decisions.planning",
    "observe": "model.observations",
    "open_dump": "gradients.dump",
    "predict_steps": "decisions.steps_prediction",
    "progress_bar": "report.progress",
    "read_sweep": "sweep",
    "recommend": "decisions.recommendation",
    "simulate_sweep": "simulate",
    "to_frame": "_support.results",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    home = "_version" if name == "__version__" else _HOME.get(name)
    if home is None:
        msg = f"module 'surge_fit' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"surge_fit.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
