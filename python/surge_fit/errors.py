"""All exceptions that surge_fit raises on purpose, as one small family, and its one warning.

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
        The draws all the same, for inspection; do not act on them. With several fits, the first that failed.
    problems : tuple of str
        A sentence for each check that failed.
    posteriors : tuple of surge_fit.Posterior
        All posteriors of `fit_many`, in the order of the sweeps, including those that passed.
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
    """`UntrustworthyFitError` as a warning, for `fit` and `fit_many` with ``on_failure="warn"``."""
