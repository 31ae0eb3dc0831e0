"""Draws of a law's parameters as one checked matrix, and everything that is computed from them.

A built-in law is evaluated in Rust, which reads the matrix where it lies. A law of one's own has no compiled
form: NumPy evaluates its formula, and the reductions over the draws are compiled all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from surge_fit import _core
from surge_fit._support.arguments import require_batch_sizes
from surge_fit.errors import InputError
from surge_fit.law.landscape import Landscape
from surge_fit.typing import FloatArray, IndexArray, Namespace

Draws: TypeAlias = Mapping[str, Any]
"""Draws of a law's parameters by name, each an array of shape (draw,) or one number."""


class Formula(Protocol):
    """The side of a `Law` that its draws need: the formula, its compiled form and its declared properties."""

    @property
    def name(self) -> str:
        """Its short name."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the columns."""

    @property
    def compiled(self) -> str | None:
        """Name of the compiled form, if there is one."""

    @property
    def peak(self) -> Callable[..., FloatArray] | None:
        """Log batch size of the peak, as a function of the parameters."""

    @property
    def supremum(self) -> Callable[..., FloatArray] | None:
        """Least upper bound of the log learning rate, as a function of the parameters."""

    @property
    def slopes(self) -> Callable[..., tuple[FloatArray, FloatArray]] | None:
        """Log-log slopes at small and at large batch sizes, as a function of the parameters."""

    def log_learning_rate(self, xp: Namespace, log_batch_size: Any, **parameters: Any) -> Any:
        """Evaluate the formula over an array namespace."""


@dataclass(frozen=True, eq=False)
class LawDraws(Mapping[str, FloatArray]):
    """Draws of a law's parameters: a mapping of names to columns of one matrix.

    Parameters
    ----------
    law : Law
        The law.
    parameters : ndarray of shape (draw, parameter)
        In the order of `Law.parameters`. Kept as a read-only view, without a copy if it is C-contiguous
        and of float64.

    Raises
    ------
    InputError
        If the shape does not fit the law, or a number is not finite.

    Examples
    --------
    >>> from surge_fit.law import get_law
    >>> draws = LawDraws.of(get_law("power"), {"log_learning_rate_scale": [-7.0, -6.5], "slope": 0.5})
    >>> draws.optimum([1.0, np.exp(2.0)])
    array([[-7. , -6. ],
           [-6.5, -5.5]])
    """

    law: Formula
    parameters: FloatArray

    def __post_init__(self) -> None:
        names = self.law.parameter_names
        matrix = np.ascontiguousarray(self.parameters, dtype=np.float64).view()
        if matrix.ndim != 2 or matrix.shape[1] != len(names):
            msg = (
                f"'parameters' of law {self.law.name!r} must have shape (draw, {len(names)}), one column for "
                f"each of {', '.join(names)}; got {matrix.shape}. Stack the parameters as columns."
            )
            raise InputError(msg)
        for draw, column in np.argwhere(~np.isfinite(matrix)):
            msg = (
                f"Draws of {names[column]!r} must be finite; got {matrix[draw, column]} at draw {draw}. "
                "Drop that draw."
            )
            raise InputError(msg)
        matrix.flags.writeable = False
        object.__setattr__(self, "parameters", matrix)

    @classmethod
    def of(cls, law: Formula, draws: Draws) -> LawDraws:
        """Stack draws by name.

        Parameters
        ----------
        law : Law
            The law.
        draws : mapping of str to array of shape (draw,)
            Draws of its parameters; single numbers hold for all draws, other names are ignored.

        Returns
        -------
        LawDraws

        Raises
        ------
        InputError
            If a parameter is missing, a shape does not fit, or a number is not finite.
        """
        if isinstance(draws, LawDraws) and draws.law is law:
            return draws
        names = law.parameter_names
        missing = [name for name in names if name not in draws]
        if missing:
            msg = (
                f"'draws' must hold every parameter of law {law.name!r}; missing: {', '.join(missing)}, "
                f"found: {', '.join(draws) or 'none'}. Add them."
            )
            raise InputError(msg)
        columns = [np.atleast_1d(np.asarray(draws[name], np.float64)) for name in names]
        shapes = {name: column.shape for name, column in zip(names, columns, strict=True)}
        if any(column.ndim > 1 for column in columns) or len(set(shapes.values()) - {(1,)}) > 1:
            msg = (
                f"'draws' must hold arrays of one shape (draw,) for law {law.name!r}; "
                f"got {', '.join(f'{name}: {shape}' for name, shape in shapes.items())}. "
                "Flatten chains into draws."
            )
            raise InputError(msg)
        return cls(law, np.stack(np.broadcast_arrays(*columns), axis=1))

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self.law.parameter_names:
            raise KeyError(name)
        return self.parameters[:, self.law.parameter_names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.law.parameter_names)

    def __len__(self) -> int:
        return len(self.law.parameter_names)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def count(self) -> int:
        """Number of draws."""
        return len(self.parameters)

    def take(self, index: slice | IndexArray) -> LawDraws:
        """Return some of the draws; a slice with a step thins them."""
        return LawDraws(self.law, self.parameters[index])

    def optimum(self, batch_size: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Evaluate the law for every draw at every batch size.

        Parameters
        ----------
        batch_size : array_like of shape (batch_size,)
            Batch sizes.
        out : ndarray of float64, shape (draw, batch_size), optional
            C-contiguous array to write to and return; saves the allocation of a large table.

        Returns
        -------
        ndarray of float64, shape (draw, batch_size)
            Natural log of the learning rate.

        Raises
        ------
        InputError
            If a batch size is not a positive finite number, or `out` is not such an array.
        """
        log_batch_size = np.log(require_batch_sizes(batch_size))
        if self.law.compiled is not None:
            return _core.evaluate_law(self.law.compiled, self.parameters, log_batch_size, out)
        log_learning_rate = self._formula(log_batch_size)
        if out is None:
            return log_learning_rate
        out[...] = log_learning_rate
        return out

    def gradient(self, batch_size: ArrayLike) -> FloatArray:
        """Differentiate the log learning rate with respect to the parameters.

        Parameters
        ----------
        batch_size : array_like of shape (batch_size,)

        Returns
        -------
        ndarray of float64, shape (draw, batch_size, parameter)
            In the order of `Law.parameters`. Exact for a built-in law; for a law of one's own by differences
            of fourth order, good to about ten digits.

        Raises
        ------
        InputError
            If a batch size is not a positive finite number.
        """
        log_batch_size = np.log(require_batch_sizes(batch_size))
        if self.law.compiled is not None:
            return _core.law_gradient(self.law.compiled, self.parameters, log_batch_size)
        columns = []
        for index in range(len(self)):
            step = np.zeros_like(self.parameters)
            step[:, index] = 1e-3 * np.maximum(1.0, np.abs(self.parameters[:, index]))

            def value_at(multiple: int, step: FloatArray = step) -> FloatArray:
                return LawDraws(self.law, self.parameters + multiple * step)._formula(log_batch_size)

            near, far = value_at(1) - value_at(-1), value_at(2) - value_at(-2)
            columns.append((8.0 * near - far) / (12.0 * step[:, index, None]))
        return np.stack(columns, axis=2)

    def quantiles(
        self, batch_size: ArrayLike, probabilities: ArrayLike, *, offset: ArrayLike | None = None
    ) -> FloatArray:
        """Quantiles of the log learning rate over the draws, without holding draws × batch sizes.

        Parameters
        ----------
        batch_size : array_like of shape (batch_size,)
        probabilities : array_like of shape (probability,)
            Between 0 and 1.
        offset : array_like of shape (draw, batch_size), optional
            Added to the log learning rate of each draw, such as its deviation from the law.

        Returns
        -------
        ndarray of float64, shape (probability, batch_size)
            As `numpy.quantile` gives them with its default method.

        Raises
        ------
        InputError
            If there are no draws, a batch size is not a positive finite number, a probability is outside
            [0, 1], or the shape of `offset` does not fit.
        """
        name, parameters, log_batch_size, shift = self._reducible(batch_size, offset)
        return _core.law_quantiles(
            name, parameters, log_batch_size, np.atleast_1d(np.asarray(probabilities, np.float64)), shift
        )

    def regret(
        self,
        batch_size: ArrayLike,
        log_learning_rate: ArrayLike,
        landscape: Landscape,
        *,
        offset: ArrayLike | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Average the loss above the optimum over the draws, for candidate learning rates.

        Parameters
        ----------
        batch_size : array_like of shape (batch_size,)
        log_learning_rate : array_like of shape (batch_size, candidate)
            Natural log of the candidates at each batch size.
        landscape : Landscape
            The loss around the optimum, for the same draws.
        offset : array_like of shape (draw, batch_size), optional
            See `quantiles`.

        Returns
        -------
        tuple of two ndarrays of float64, each of shape (batch_size, candidate)
            Expected regret [nats], and probability of divergence.

        Raises
        ------
        InputError
            If there are no draws, a batch size is not a positive finite number, a shape does not fit, or a
            number of the landscape is outside its range.
        """
        name, parameters, log_batch_size, shift = self._reducible(batch_size, offset)

        def per_draw(values: FloatArray) -> FloatArray:
            return np.full(self.count, values) if values.ndim == 0 else values

        return _core.law_expected_regret(
            name,
            parameters,
            log_batch_size,
            np.asarray(log_learning_rate, np.float64),
            log_curvature=per_draw(landscape.log_curvature),
            curvature_slope=per_draw(landscape.curvature_slope),
            reference_log_batch_size=landscape.reference_log_batch_size,
            rate=per_draw(landscape.rate),
            asymmetry=per_draw(landscape.asymmetry),
            wall=per_draw(landscape.wall),
            wall_width=per_draw(landscape.wall_width),
            divergence_cost=landscape.divergence_cost,
            offset=shift,
        )

    def peak(self) -> FloatArray:
        """Log batch size of the peak, shape (draw,); see `Law.peak_batch_size`."""
        if self.law.compiled is not None:
            return _core.law_peak(self.law.compiled, self.parameters)
        return np.asarray(self._declared("peak", self.law.peak)(**self), np.float64)

    def supremum(self) -> FloatArray:
        """Least upper bound of the log learning rate, shape (draw,); see `Law.log_supremum`."""
        if self.law.compiled is not None:
            return _core.law_supremum(self.law.compiled, self.parameters)
        return np.asarray(self._declared("supremum", self.law.supremum)(**self), np.float64)

    def slopes(self) -> tuple[FloatArray, FloatArray]:
        """Log-log slopes at small and at large batch sizes, each (draw,); see `Law.asymptotic_slopes`."""
        if self.law.compiled is not None:
            return _core.law_limits(self.law.compiled, self.parameters)
        small, large = self._declared("slopes", self.law.slopes)(**self)
        return np.asarray(small, np.float64), np.asarray(large, np.float64)

    def _formula(self, log_batch_size: FloatArray) -> FloatArray:
        """Evaluate the formula by NumPy, shape (draw, batch_size)."""
        columns = {name: column[:, None] for name, column in self.items()}
        log_learning_rate = self.law.log_learning_rate(np, log_batch_size[None, :], **columns)
        return np.ascontiguousarray(
            np.broadcast_to(log_learning_rate, (self.count, len(log_batch_size))), np.float64
        )

    def _reducible(
        self, batch_size: ArrayLike, offset: ArrayLike | None
    ) -> tuple[str, FloatArray, FloatArray, FloatArray | None]:
        """Arguments of a compiled reduction; a law without a compiled form is an offset from zero."""
        log_batch_size = np.log(require_batch_sizes(batch_size))
        shift = None if offset is None else np.asarray(offset, np.float64)
        if self.law.compiled is not None:
            return self.law.compiled, self.parameters, log_batch_size, shift
        formula = self._formula(log_batch_size)
        if shift is not None:
            if shift.shape != formula.shape:
                msg = (
                    f"'offset' must have shape (draw, batch_size) = {formula.shape}; got {shift.shape}. "
                    "Pass an array of that shape."
                )
                raise InputError(msg)
            formula = formula + shift
        return "constant", np.zeros((self.count, 1)), log_batch_size, formula

    def _declared(self, name: str, function: Callable[..., Any] | None) -> Callable[..., Any]:
        if function is None:
            msg = (
                f"Law {self.law.name!r} declares no {name}. "
                f"Construct it with {name}=<function of its parameters>."
            )
            raise InputError(msg)
        return function
