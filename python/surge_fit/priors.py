"""Priors as values: printable, comparable, replaceable by name.

A prior is a frozen description of a distribution. It knows no PyMC: `surge_fit.model.in_pymc` turns it into a
random variable, and NumPy draws from it here. Its numbers are given by name, for their order differs between
libraries: the first number of a log-normal is a median here, a mean of logarithms in PyMC and PreliZ.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from surge_fit.errors import InputError
from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior(ABC):
    """A one-dimensional distribution, described by its numbers.

    Raises
    ------
    TypeError
        If a number is given without its name.
    """

    family: ClassVar[str]

    def __new__(cls, *numbers: float, **_: float) -> Self:
        """Refuse numbers without names; a dataclass's own refusal would not name them."""
        if numbers:
            names = ", ".join(f"{field.name}=…" for field in fields(cls))
            msg = (
                f"{cls.__name__} takes its numbers by name; got {', '.join(map(repr, numbers))} without one. "
                f"Write {cls.__name__}({names})."
            )
            raise TypeError(msg)
        return object.__new__(cls)  # `super()` would mean the class without slots

    @property
    @abstractmethod
    def widths(self) -> tuple[float, ...]:
        """All numbers but the location."""

    @property
    @abstractmethod
    def centre(self) -> float | None:
        """Location of the distribution, in logarithms for log-normal ones; None for half-normal ones."""

    @abstractmethod
    def log_density(self, x: FloatArray | float) -> FloatArray:
        """Log of the density.

        Parameters
        ----------
        x : array_like
            −inf where the distribution has no values.

        Returns
        -------
        ndarray of float64, shape of `x`
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """Draw independent values.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        size : int or tuple of int
            Shape of the result.

        Returns
        -------
        ndarray of float64, shape `size`
        """


_LOG_SQRT_2_PI = 0.5 * math.log(2 * math.pi)


def _require_positive(family: str, name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        msg = f"{family}: {name!r} must be a positive number; got {value!r}. Give a positive one."
        raise InputError(msg)


def _require_finite(family: str, name: str, value: float) -> None:
    if not math.isfinite(value):
        msg = f"{family}: {name!r} must be finite; got {value!r}. Give a finite number."
        raise InputError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal(Prior):
    """Normal distribution with mean `mean` and standard deviation `sd`.

    Examples
    --------
    >>> print(sf.Normal(mean=0.0, sd=2.0))
    Normal(0, 2)
    """

    mean: float
    sd: float
    family: ClassVar[str] = "Normal"

    def __post_init__(self) -> None:
        _require_finite(self.family, "mean", self.mean)
        _require_positive(self.family, "sd", self.sd)

    @property
    def widths(self) -> tuple[float, ...]:
        """See `Prior.widths`."""
        return (self.sd,)

    @property
    def centre(self) -> float:
        """See `Prior.centre`."""
        return self.mean

    def log_density(self, x: FloatArray | float) -> FloatArray:
        """See `Prior.log_density`."""
        return np.asarray(-0.5 * ((x - self.mean) / self.sd) ** 2 - math.log(self.sd) - _LOG_SQRT_2_PI)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return rng.normal(self.mean, self.sd, size)

    def __str__(self) -> str:
        return f"Normal({self.mean:.4g}, {self.sd:.3g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal(Prior):
    """Log-normal distribution: exp(x) with x ~ Normal(log `median`, `log_sd`).

    Examples
    --------
    >>> print(sf.LogNormal(median=0.1, log_sd=0.5))
    LogNormal(median 0.1, log-sd 0.5)
    """

    median: float
    log_sd: float
    family: ClassVar[str] = "LogNormal"

    def __post_init__(self) -> None:
        _require_positive(self.family, "median", self.median)
        _require_positive(self.family, "log_sd", self.log_sd)

    @property
    def widths(self) -> tuple[float, ...]:
        """See `Prior.widths`."""
        return (self.log_sd,)

    @property
    def centre(self) -> float:
        """See `Prior.centre`."""
        return math.log(self.median)

    def log_density(self, x: FloatArray | float) -> FloatArray:
        """See `Prior.log_density`."""
        positive = np.asarray(x, dtype=np.float64) > 0
        log_x = np.log(np.where(positive, x, 1.0))
        z = (log_x - math.log(self.median)) / self.log_sd
        density = -0.5 * z**2 - log_x - math.log(self.log_sd) - _LOG_SQRT_2_PI
        return np.where(positive, density, -np.inf)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return self.median * np.exp(rng.normal(0.0, self.log_sd, size))

    def __str__(self) -> str:
        return f"LogNormal(median {self.median:.4g}, log-sd {self.log_sd:.3g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfNormal(Prior):
    """Half-normal distribution: |x| with x ~ Normal(0, `sd`).

    Examples
    --------
    >>> print(sf.HalfNormal(sd=0.25))
    HalfNormal(0.25)
    """

    sd: float
    family: ClassVar[str] = "HalfNormal"

    def __post_init__(self) -> None:
        _require_positive(self.family, "sd", self.sd)

    @property
    def widths(self) -> tuple[float, ...]:
        """See `Prior.widths`."""
        return (self.sd,)

    @property
    def centre(self) -> float | None:
        """See `Prior.centre`."""
        return None

    def log_density(self, x: FloatArray | float) -> FloatArray:
        """See `Prior.log_density`."""
        constant = math.log(2.0) - math.log(self.sd) - _LOG_SQRT_2_PI
        return np.where(np.asarray(x) < 0, -np.inf, constant - 0.5 * (np.asarray(x) / self.sd) ** 2)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return np.abs(rng.normal(0.0, self.sd, size))

    def __str__(self) -> str:
        return f"HalfNormal({self.sd:.3g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentT(Prior):
    """Student's t with `degrees` of freedom: a normal with heavy tails, for values that may be far off.

    Examples
    --------
    >>> print(sf.StudentT(degrees=4.0, location=0.5, scale=1.0))
    StudentT(4, 0.5, 1)
    """

    degrees: float
    location: float
    scale: float
    family: ClassVar[str] = "StudentT"

    def __post_init__(self) -> None:
        _require_positive(self.family, "degrees", self.degrees)
        _require_finite(self.family, "location", self.location)
        _require_positive(self.family, "scale", self.scale)

    @property
    def widths(self) -> tuple[float, ...]:
        """See `Prior.widths`."""
        return (self.degrees, self.scale)

    @property
    def centre(self) -> float:
        """See `Prior.centre`."""
        return self.location

    def log_density(self, x: FloatArray | float) -> FloatArray:
        """See `Prior.log_density`."""
        half = 0.5 * (self.degrees + 1.0)
        constant = math.lgamma(half) - math.lgamma(0.5 * self.degrees)
        constant -= 0.5 * math.log(self.degrees * math.pi) + math.log(self.scale)
        t = (np.asarray(x) - self.location) / self.scale
        return np.asarray(constant - half * np.log1p(t**2 / self.degrees))

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return self.location + self.scale * rng.standard_t(self.degrees, size)

    def __str__(self) -> str:
        return f"StudentT({self.degrees:.3g}, {self.location:.4g}, {self.scale:.3g})"


_SHOWN = 8
"""Priors in the short form; ``print`` shows all."""


class Priors(Mapping[str, Prior]):
    """The priors of one model, by the name of the variable; immutable.

    Parameters
    ----------
    priors : mapping of str to Prior
        In the order in which they are to be printed.
    """

    __slots__ = ("_priors",)

    def __init__(self, priors: Mapping[str, Prior]) -> None:
        self._priors: dict[str, Prior] = dict(priors)

    def __getitem__(self, name: str) -> Prior:
        return self._priors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._priors)

    def __len__(self) -> int:
        return len(self._priors)

    def replace(self, **changes: Prior) -> Priors:
        """Give some variables another prior.

        Parameters
        ----------
        **changes : Prior
            New priors by name.

        Returns
        -------
        Priors

        Raises
        ------
        InputError
            If a name is not one of these priors, or a value is not a `Prior`.
        """
        for name, prior in changes.items():
            if name not in self._priors:
                msg = f"There is no prior named {name!r} in this model; its priors are: {', '.join(self)}."
                raise InputError(msg)
            if not isinstance(prior, Prior):
                msg = f"The prior of {name!r} must be a Prior such as Normal(mean=0, sd=1); got {prior!r}."
                raise InputError(msg)
        return Priors({**self._priors, **changes})

    def to_dict(self) -> dict[str, dict[str, object]]:
        """Return plain numbers and names, for JSON; `from_dict` reads them back."""
        return {name: {"family": prior.family, **asdict(prior)} for name, prior in self.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Mapping[str, Any]]) -> Priors:
        """Rebuild priors from `to_dict`."""
        families = {family.family: family for family in (Normal, LogNormal, HalfNormal, StudentT)}
        return cls(
            {
                name: families[entry["family"]](**{k: v for k, v in entry.items() if k != "family"})
                for name, entry in data.items()
            }
        )

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}} ~ {prior}" for name, prior in self.items())

    def __repr__(self) -> str:
        lines = str(self).splitlines()
        shown = lines if len(lines) <= _SHOWN else [*lines[: _SHOWN - 1], f"… {len(lines) - _SHOWN + 1} more"]
        return "\n".join(["Priors(", *shown, ")"])
