"""Curvature of the loss: explicit, its diagonal, a Hessian-vector product, or the dump's empirical Fisher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.gradients.curve.state import SingleArray, flat
from surge_fit.gradients.dump import Dump, read_arrays
from surge_fit.typing import FloatArray, Path

HessianVectorProduct: TypeAlias = Callable[[SingleArray], Any]
"""Takes directions of shape (vector, parameter), in the order of the dump, and gives H times each."""

CurvatureLike: TypeAlias = Path | NDArray[Any] | HessianVectorProduct | None
"""Forms of curvature that `learning_rate_curve` takes."""

Kind: TypeAlias = Literal["hessian", "product", "diagonal", "fisher"]

_ASYMMETRY = 1e-3
_PROBES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """The Hessian, as far as it is known.

    Attributes
    ----------
    kind : {"hessian", "product", "diagonal", "fisher"}
    source : str
    diagonal : ndarray of float32, shape (parameter,)
        Empty where it is the Fisher's.
    hessian : ndarray of float32, shape (parameter, parameter), or None
    product : callable or None
    notes : tuple of str
        What was assumed of it.
    """

    kind: Kind
    source: str
    diagonal: SingleArray
    hessian: SingleArray | None = None
    product: HessianVectorProduct | None = None
    notes: tuple[str, ...] = ()

    @property
    def scale_known(self) -> bool:
        """Whether its scale is that of the loss; an empirical Fisher has only the shape."""
        return self.kind in ("hessian", "product")

    def forms(self, left: SingleArray, right: SingleArray) -> FloatArray:
        """Give vᵀHw of every pair of rows.

        Parameters
        ----------
        left, right : ndarray of float32, shape (vector, parameter)

        Returns
        -------
        ndarray, shape (vector,)

        Raises
        ------
        InputError
            If the user's product gives another shape, or numbers that are not finite.
        """
        if not len(left):
            return np.zeros(0)
        if self.hessian is not None:
            return _core.bilinear_forms(left, right, self.hessian)
        times = self.diagonal * right if self.product is None else _checked(self.product, right)
        forms: FloatArray = np.einsum("vp,vp->v", left, times, dtype=np.float64)
        return forms


def read_curvature(curvature: CurvatureLike, dump: Dump, seed: int) -> Curvature:
    """Understand what a caller gives for curvature.

    Parameters
    ----------
    curvature : path-like, ndarray, callable, "fisher" or None
        A file with ``hessian`` of shape (parameter, parameter), whose metadata ``order`` lists the tensors
        that its rows follow, or with ``<tensor>.hessian_diagonal``; an array of one or two axes in the
        order of the dump; a Hessian-vector product; None or ``"fisher"`` for the empirical Fisher.
    dump : Dump
    seed : int
        Seed of the ±1 probes that estimate the diagonal from products.

    Returns
    -------
    Curvature

    Raises
    ------
    InputError
        If the shape, the order, the symmetry or a number is not what it must be.
    """
    empty = np.empty(0, dtype=np.float32)
    if curvature is None or (isinstance(curvature, str) and curvature == "fisher"):
        return Curvature("fisher", "the empirical Fisher of the dump", empty)
    if isinstance(curvature, str | PathLike):
        return _from_file(curvature, dump)
    if callable(curvature):
        diagonal = _probed(curvature, dump.parameters, seed)
        return Curvature("product", "a Hessian-vector product", diagonal, product=curvature)
    array = np.asarray(curvature)
    if array.ndim == 1:
        return Curvature("diagonal", "a Hessian diagonal", _vector(array, dump.parameters))
    return _explicit(array, dump.parameters, "a Hessian", ())


def _from_file(path: Path, dump: Dump) -> Curvature:
    arrays, metadata = read_arrays(path)
    if "hessian" in arrays:
        order = [name.strip() for name in metadata.get("order", "").split(",") if name.strip()]
        notes: tuple[str, ...] = ()
        array = np.asarray(arrays["hessian"])
        _require_square(array, dump.parameters, f"'{path}'")
        if order:
            index = _index(order, dump, path)
            array = array[np.ix_(index, index)]
        elif len(dump.tensors) > 1:
            names = listing([tensor.name for tensor in dump.tensors], 4)
            notes = (f"The rows of '{path}' are taken to follow the order of the dump, {names}.",)
        return _explicit(array, dump.parameters, f"'{path}'", notes)
    return Curvature("diagonal", f"'{path}'", flat(dump, arrays, ".hessian_diagonal", path))


def _index(order: list[str], dump: Dump, path: object) -> NDArray[np.int64]:
    """Where the rows of each tensor of the dump lie in a Hessian of another order."""
    sizes = {tensor.name: tensor.parameters for tensor in dump.tensors}
    if sorted(order) != sorted(sizes):
        msg = (
            f"The order of '{path}' must name the tensors of the dump, {listing(sizes, 4)}; it names "
            f"{listing(order, 4)}. Take both from one model."
        )
        raise InputError(msg)
    ends = np.cumsum([sizes[name] for name in order])
    rows = {
        name: np.arange(end - sizes[name], end, dtype=np.int64) for name, end in zip(order, ends, strict=True)
    }
    return np.concatenate([rows[name] for name in sizes])


def _require_square(array: NDArray[Any], parameters: int, what: str) -> None:
    if array.shape != (parameters, parameters):
        msg = (
            f"The Hessian must have the shape ({parameters}, {parameters}) of the dump's parameters; {what} "
            f"has {array.shape}. Take both from one model."
        )
        raise InputError(msg)


def _explicit(array: NDArray[Any], parameters: int, what: str, notes: tuple[str, ...]) -> Curvature:
    _require_square(array, parameters, what)
    if not np.isfinite(array).all():
        msg = f"The Hessian must be finite; {what} is not. Compute it again."
        raise InputError(msg)
    largest = float(np.abs(array).max(initial=0.0))
    if float(np.abs(array - array.T).max(initial=0.0)) > _ASYMMETRY * largest:
        msg = f"The Hessian must be symmetric; {what} is not. Check the order of its rows."
        raise InputError(msg)
    held = np.ascontiguousarray(array, dtype=np.float32)
    return Curvature("hessian", what, np.ascontiguousarray(np.diag(held)), hessian=held, notes=notes)


def _vector(array: NDArray[Any], parameters: int) -> SingleArray:
    if array.shape != (parameters,):
        msg = (
            f"A Hessian diagonal must have the shape ({parameters},) of the dump's parameters; got "
            f"{array.shape}. Take both from one model."
        )
        raise InputError(msg)
    if not np.isfinite(array).all():
        msg = "A Hessian diagonal must be finite; this one is not. Compute it again."
        raise InputError(msg)
    return np.ascontiguousarray(array, dtype=np.float32)


def _checked(product: HessianVectorProduct, directions: SingleArray) -> NDArray[Any]:
    found = np.asarray(product(directions))
    if found.shape != directions.shape:
        msg = (
            "A Hessian-vector product must give one vector for each direction, of shape "
            f"{directions.shape}; got {found.shape}. Map it over the first axis."
        )
        raise InputError(msg)
    if not np.isfinite(found).all():
        msg = "A Hessian-vector product must give finite numbers; it does not."
        raise InputError(msg)
    return found


def _probed(product: HessianVectorProduct, parameters: int, seed: int) -> SingleArray:
    """Estimate the diagonal by z ∘ Hz over random signs z (Hutchinson), without bias."""
    signs = np.random.default_rng(seed).integers(0, 2, (_PROBES, parameters), dtype=np.int8)
    probes = (2 * signs - 1).astype(np.float32)
    found: SingleArray = (probes * _checked(product, probes)).mean(axis=0).astype(np.float32)
    return found
