"""A law, the learning rate as a function of the batch size, as a value.

Every law has the anatomy ``log learning rate = scale + shape(log batch size; parameters)``. Its formula is
written once, over an array namespace: `numpy`, or `pytensor.tensor` inside a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from surge_fit.errors import InputError
from surge_fit.law.draws import Draws, LawDraws
from surge_fit.priors import Prior
from surge_fit.typing import FloatArray, Namespace

Role: TypeAlias = Literal["learning_rate_scale", "batch_size_scale", "shape"]
"""Role of a parameter: it moves the law up, moves it sideways, or bends it."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    Parameters
    ----------
    name : str
        Its public name.
    symbol : str
        Its symbol in the formula.
    unit : str
        Its unit; scales are natural logarithms.
    role : {"learning_rate_scale", "batch_size_scale", "shape"}
        Its effect: it moves the law up, moves it sideways, or bends it.
    prior : Prior or None
        Prior of a shape parameter. The two scales have none: the data set it.
    description : str
        Its meaning, in one sentence.

    Raises
    ------
    InputError
        If a shape parameter has no prior, or a scale has one.

    Examples
    --------
    >>> sf.Parameter(
    ...     name="exponent",
    ...     symbol="α",
    ...     unit="",
    ...     role="shape",
    ...     prior=sf.Normal(mean=0.5, sd=0.25),
    ...     description="Exponent of the batch size.",
    ... ).prior
    Normal(mean=0.5, sd=0.25)
    """

    name: str
    symbol: str
    unit: str
    role: Role
    prior: Prior | None
    description: str

    def __post_init__(self) -> None:
        if self.role == "shape" and self.prior is None:
            msg = (
                f"A shape parameter must have a prior; {self.name!r} has none. "
                "Give it one of surge_fit.priors."
            )
            raise InputError(msg)
        if self.role != "shape" and self.prior is not None:
            msg = (
                f"A scale has no prior of its own (the data set it); {self.name!r} has {self.prior}. "
                "Pass None."
            )
            raise InputError(msg)


def learning_rate_scale(name: str, symbol: str, description: str) -> Parameter:
    """Describe the additive scale of a law [natural log of a learning rate]."""
    return Parameter(name, symbol, "log learning rate", "learning_rate_scale", None, description)


def noise_scale(symbol: str, description: str) -> Parameter:
    """Describe `log_noise_scale`, the log batch size where a law's two regimes meet."""
    return Parameter("log_noise_scale", symbol, "log batch size", "batch_size_scale", None, description)


@dataclass(frozen=True)
class Law:
    """A hypothesis about the optimal learning rate as a function of the batch size.

    Parameters
    ----------
    name : str
        Short name, as in `surge_fit.LAWS`.
    title : str
        Name to print.
    parameters : tuple of Parameter
        The learning-rate scale first.
    shape : callable
        ``shape(xp, log_batch_size, **theta)``: log learning rate minus its scale, with `xp` an array
        namespace, `log_batch_size` an array and `theta` all parameters but the first. It may use the
        functions that NumPy and PyTensor share (exp, log, log1p, abs, where, maximum, …).
    formula : str
        The formula, to print.
    reference : str
        Source of the law, such as an arXiv number.
    regime : str
        Optimizers and batch sizes for which it holds, in one sentence.
    peak, supremum, slopes : callable, optional
        For a law of your own: functions of all parameters (keyword arguments, arrays of shape (draw,)) that
        return the log batch size of the peak, the least upper bound of the log learning rate, and the log-log
        slopes at small and at large batch sizes.
    compiled : str, optional
        Name of the compiled form of `shape`; for built-in laws alone.

    Raises
    ------
    InputError
        If the first parameter is not the only learning-rate scale, or two parameters share a name.

    Examples
    --------
    >>> scale = sf.Parameter(
    ...     name="log_unit_learning_rate",
    ...     symbol="log ε₁",
    ...     unit="log learning rate",
    ...     role="learning_rate_scale",
    ...     prior=None,
    ...     description="Log of the learning rate at batch size 1.",
    ... )
    >>> cube_root = sf.Law(
    ...     name="cube_root",
    ...     title="Cube root",
    ...     parameters=(scale,),
    ...     shape=lambda xp, log_batch_size: log_batch_size / 3,
    ...     formula="log ε = log ε₁ + ⅓·log B",
    ...     reference="",
    ...     regime="",
    ... )
    >>> rate = np.exp(cube_root.log_learning_rate(np, np.log(8.0), log_unit_learning_rate=np.log(1e-3)))
    >>> print(f"{rate:.3g}")
    0.002
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    shape: Callable[..., Any]
    formula: str
    reference: str
    regime: str
    peak: Callable[..., FloatArray] | None = None
    supremum: Callable[..., FloatArray] | None = None
    slopes: Callable[..., tuple[FloatArray, FloatArray]] | None = None
    compiled: str | None = None

    def __post_init__(self) -> None:
        scales = [p.role == "learning_rate_scale" for p in self.parameters]
        if not scales or not scales[0] or any(scales[1:]):
            roles = ", ".join(f"{p.name}: {p.role}" for p in self.parameters) or "none"
            msg = (
                f"The first parameter of law {self.name!r}, and no other, must be its learning-rate scale; "
                f"got {roles}. Reorder the parameters."
            )
            raise InputError(msg)
        names = [p.name for p in self.parameters]
        if len(set(names)) < len(names):
            msg = (
                f"The parameters of law {self.name!r} must have distinct names; got {', '.join(names)}. "
                "Rename one."
            )
            raise InputError(msg)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, the scale first."""
        return tuple(p.name for p in self.parameters)

    @property
    def has_noise_scale(self) -> bool:
        """Whether the law has a batch size at which its regimes meet."""
        return any(p.role == "batch_size_scale" for p in self.parameters)

    def log_learning_rate(self, xp: Namespace, log_batch_size: Any, **parameters: Any) -> Any:
        """Evaluate the law.

        Parameters
        ----------
        xp : module
            `numpy` or `pytensor.tensor`.
        log_batch_size : array
            Natural log of the batch size.
        **parameters : array
            All parameters by name, in shapes that broadcast with `log_batch_size`.

        Returns
        -------
        array
            Natural log of the learning rate.
        """
        theta = dict(parameters)
        return theta.pop(self.parameters[0].name) + self.shape(xp, log_batch_size, **theta)

    def peak_batch_size(self, draws: Draws) -> FloatArray:
        """Find the batch size with the highest learning rate.

        Parameters
        ----------
        draws : mapping of str to array of shape (draw,)
            Draws of the parameters.

        Returns
        -------
        ndarray of float64, shape (draw,)
            Batch sizes; inf where the curve never stops rising, 0 where it only falls, NaN where it is flat.

        Raises
        ------
        InputError
            If a parameter is missing or not finite, or a law of your own declares no peak.
        """
        with np.errstate(over="ignore"):
            return np.exp(LawDraws.of(self, draws).peak())

    def log_supremum(self, draws: Draws) -> FloatArray:
        """Find the least upper bound of the log learning rate over all batch sizes.

        Parameters
        ----------
        draws : mapping of str to array of shape (draw,)
            Draws of the parameters.

        Returns
        -------
        ndarray of float64, shape (draw,)
            Natural log of the learning rate; inf where there is no bound.

        Raises
        ------
        InputError
            If a parameter is missing or not finite, or a law of your own declares no supremum.
        """
        return LawDraws.of(self, draws).supremum()

    def asymptotic_slopes(self, draws: Draws) -> tuple[FloatArray, FloatArray]:
        """Find the log-log slopes in the limits of small and of large batch sizes.

        Parameters
        ----------
        draws : mapping of str to array of shape (draw,)
            Draws of the parameters.

        Returns
        -------
        tuple of two ndarrays of float64, each of shape (draw,)
            d log(learning rate) / d log(batch size) for batch size → 0 and → ∞.

        Raises
        ------
        InputError
            If a parameter is missing or not finite, or a law of your own declares no slopes.
        """
        return LawDraws.of(self, draws).slopes()

    def __str__(self) -> str:
        return f"{self.title}: {self.formula}"

    def __repr__(self) -> str:
        return f"Law({self.name}: {self.formula}; parameters {', '.join(self.parameter_names)})"
