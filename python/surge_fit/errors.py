"""Every way surge_fit refuses, as one small family of exceptions, and the one warning.

A message says what must hold, what was found and where, and what to do. This module imports
nothing: the Rust core raises these very classes.
"""


class SurgeFitError(Exception):
    """The root of all exceptions that surge_fit raises on purpose."""


class InputError(SurgeFitError, ValueError):
    """An argument, option or value cannot be used as it was given."""


class SweepError(InputError):
    """A table of runs cannot be read or does not hold what a sweep must hold."""


class DumpError(InputError):
    """A gradient dump cannot be read or does not hold what it must hold."""


class FitError(SurgeFitError, RuntimeError):
    """A fit could not be carried out."""


class UntrustworthyFitError(FitError):
    """The chains of a fit did not agree, even in a second and longer attempt.

    Attributes
    ----------
    posterior : surge_fit.Posterior
        What was sampled all the same, to look at; do not act on it. Of several fits, the first that failed.
    problems : tuple of str
        A sentence for each check that failed.
    posteriors : tuple of surge_fit.Posterior
        Of `fit_many`, all posteriors in the order of the sweeps, those that passed among them.
    """

    def __init__(
        self, posterior: object, problems: tuple[str, ...], posteriors: tuple[object, ...] = ()
    ) -> None:
        self.posterior = posterior
        self.problems = problems
        self.posteriors = posteriors or (posterior,)
        super().__init__(
            "The fit cannot be trusted. "
            + " ".join(problems)
            + " Add runs, choose a law with fewer parameters or narrower priors, or try another seed."
        )


class UntrustworthyFitWarning(UserWarning):
    """What `UntrustworthyFitError` says, where `fit` or `fit_many` was told to warn instead."""
