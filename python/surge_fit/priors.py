"""Priors as values: printable, comparable, replaceable by name.

A prior is a frozen description of a distribution. It knows no PyMC: `surge_fit.model` turns it into a
random variable, and NumPy draws from it here.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from surge_fit.errors import InputError
from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Prior(ABC):
    """A one-dimensional distribution, described by its numbers."""

    family: ClassVar[str]

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


def _require_positive(family: str, name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{family}: {name!r} must be a positive number; got {value!r}. Give a positive one.")


def _require_finite(family: str, name: str, value: float) -> None:
    if not math.isfinite(value):
        raise InputError(f"{family}: {name!r} must be finite; got {value!r}. Give a finite number.")


@dataclass(frozen=True, slots=True)
class Normal(Prior):
    """Normal distribution with mean `mean` and standard deviation `sd`."""

    mean: float
    sd: float
    family: ClassVar[str] = "Normal"

    def __post_init__(self) -> None:
        _require_finite(self.family, "mean", self.mean)
        _require_positive(self.family, "sd", self.sd)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return rng.normal(self.mean, self.sd, size)

    def __str__(self) -> str:
        return f"Normal({self.mean:.4g}, {self.sd:.3g})"


@dataclass(frozen=True, slots=True)
class LogNormal(Prior):
    """Distribution of exp(x) with x ~ Normal(log `median`, `log_sd`)."""

    median: float
    log_sd: float
    family: ClassVar[str] = "LogNormal"

    def __post_init__(self) -> None:
        _require_positive(self.family, "median", self.median)
        _require_positive(self.family, "log_sd", self.log_sd)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return self.median * np.exp(rng.normal(0.0, self.log_sd, size))

    def __str__(self) -> str:
        return f"LogNormal(median {self.median:.4g}, log-sd {self.log_sd:.3g})"


@dataclass(frozen=True, slots=True)
class HalfNormal(Prior):
    """Distribution of the absolute value of x with x ~ Normal(0, `sd`)."""

    sd: float
    family: ClassVar[str] = "HalfNormal"

    def __post_init__(self) -> None:
        _require_positive(self.family, "sd", self.sd)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """See `Prior.draw`."""
        return np.abs(rng.normal(0.0, self.sd, size))

    def __str__(self) -> str:
        return f"HalfNormal({self.sd:.3g})"
