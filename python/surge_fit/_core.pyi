"""The compiled kernels. Private: the stages of surge_fit are the interface."""

from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import Any, ClassVar, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from surge_fit.typing import FloatArray, Path

__version__: str

__all__ = [
    "BatchSums",
    "DirectionSums",
    "GradientFile",
    "PosteriorModel",
    "TensorSums",
    "__version__",
    "bilinear_forms",
    "estimate_noise",
    "estimate_resolvable",
    "estimate_two_batch_noise",
    "evaluate_law",
    "index_files",
    "integrate_floor",
    "law_expected_regret",
    "law_gradient",
    "law_limits",
    "law_parameters",
    "law_peak",
    "law_quantiles",
    "law_supremum",
    "merge_moments",
    "sample_posteriors",
    "scan_directions",
    "scan_gradients",
    "valley",
    "values_of_blocks",
    "write_directions",
]

def law_parameters() -> list[tuple[str, list[str]]]:
    """List every compiled law with the names of its parameters."""

def evaluate_law(
    name: str, parameters: FloatArray, log_batch_size: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Evaluate log learning rates, shape (draw, batch_size), of parameters of shape (draw, parameter)."""

def law_gradient(name: str, parameters: FloatArray, log_batch_size: FloatArray) -> FloatArray:
    """Differentiate with respect to the parameters, shape (draw, batch_size, parameter)."""

def law_peak(name: str, parameters: FloatArray) -> FloatArray:
    """Find the log batch size of the peak, shape (draw,): inf on a mere rise, -inf on a fall, NaN if flat."""

def law_supremum(name: str, parameters: FloatArray) -> FloatArray:
    """Find the least upper bound of the log learning rate, shape (draw,); inf if there is none."""

def law_limits(name: str, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the log-log slopes in the limits of small and of large batch sizes, each of shape (draw,)."""

def law_quantiles(
    name: str,
    parameters: FloatArray,
    log_batch_size: FloatArray,
    probabilities: FloatArray,
    offset: FloatArray | None = None,
) -> FloatArray:
    """Reduce to quantiles over draws, shape (probability, batch_size), as `numpy.quantile` does."""

def law_expected_regret(
    name: str,
    parameters: FloatArray,
    log_batch_size: FloatArray,
    log_learning_rate: FloatArray,
    *,
    log_curvature: FloatArray,
    curvature_slope: FloatArray,
    reference_log_batch_size: float,
    rate: FloatArray,
    asymmetry: FloatArray,
    wall: FloatArray,
    wall_width: FloatArray,
    divergence_cost: float,
    offset: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Reduce to expected regret [nats] and probability of divergence, each (batch_size, candidate)."""

def valley(u: FloatArray, rate: float, asymmetry: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Evaluate the loss valley h(u) and its first and second derivatives, each of the shape of `u`."""

@final
class GradientFile:
    """The arrays of one file, mapped and never copied into memory, or one array that Python holds.

    The file must not be cut or written to, nor the array, while this object lives.
    """

    @staticmethod
    def open(path: Path, void_dtype: str | None = None) -> GradientFile:
        """Map a file and read what it says about itself; no number is touched.

        Parameters
        ----------
        path : str or path-like
            A safetensors, .npy, .npz or PyTorch file; or numbers alone with a description beside them, of the
            same name with ``.json`` behind it: ``{"dtype": "float32", "shape": [256, 1000], "offset": 0}`` or
            ``{"tensors": [...]}`` with such descriptions and a ``"name"`` in each; or bergson's
            ``gradients.bin`` with its ``info.json``.
        void_dtype : str, optional
            What untyped numbers are: NumPy writes bfloat16 and float8 without their names.

        Returns
        -------
        GradientFile

        Raises
        ------
        DumpError
            The file is not there, of no known format, or damaged.
        """

    @staticmethod
    def from_array(name: str, array: object, dtype: str | None = None) -> GradientFile:
        """Share the memory of an array, without a copy.

        Parameters
        ----------
        name : str
            The name of its only entry.
        array : object with the buffer protocol
            C-contiguous, of one axis or more.
        dtype : str, optional
            What its numbers are, where the array has them as integers or untyped bytes: bfloat16 or a float8.

        Returns
        -------
        GradientFile

        Raises
        ------
        DumpError
            The array shares no memory, is not contiguous, or has numbers of another type.
        """

    @property
    def path(self) -> str:
        """The file as it was named, or the name of the array."""

    @property
    def format(self) -> str:
        """One of safetensors, npy, npz, torch, raw, bergson and memory."""

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says about itself beside the arrays."""

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Arrays that hold no gradients and were left out: name, and why."""

    @property
    def entries(self) -> list[tuple[str, str, tuple[int, ...], int | None]]:
        """Name, type, shape and first byte of each array; no byte for what is packed or strided."""

    def read(self, index: int, start: int, count: int) -> FloatArray:
        """Convert a few numbers, to look at.

        Parameters
        ----------
        index : int
            Which of the entries.
        start, count : int
            The first number, in row-major order, and how many at most.

        Returns
        -------
        numpy.ndarray
            One axis, float64, which holds numbers of every type exactly.

        Raises
        ------
        DumpError
            There is no such entry or number, or a packed array does not hold what the file claims.
        """

def index_files(path: Path, void_dtype: str | None = None) -> list[FilePath]:
    """List the shards of an index such as ``model.safetensors.index.json``.

    Parameters
    ----------
    path : str or path-like
        The index; its shards must stand beside it.
    void_dtype : str, optional
        As for `GradientFile.open`.

    Returns
    -------
    list of pathlib.Path
        Sorted; each was opened and holds the tensors that the index promises of it.

    Raises
    ------
    DumpError
        The index is none, a shard is not beside it, or lacks a tensor.
    """

_Rows: TypeAlias = Sequence[int] | NDArray[np.int64]
_Quantity: TypeAlias = tuple[float, float, float, float]

@final
class TensorSums:
    """Sums of one pass over the gradients of one tensor; rows are those kept, in the order of the dump.

    Frozen, equal bit by bit, and picklable. Arrays are read-only views.

    Parameters
    ----------
    **fields
        Every attribute below.

    Attributes
    ----------
    name, dtype : str
    parameters : int
    rows : ndarray of int, shape (row,)
        Rows of the dump that the tensor has.
    mean_norm_squared : float
        |ḡ|², of the mean over examples.
    norms, projections : ndarray, shape (row,)
        s_k = |g_k|² and d_k = g_k·ḡ; the latter NaN where examples were merged.
    group_norms : ndarray, shape (group,)
        |Σ b_k g_k|² over the rows of each group; empty without groups.
    signal : float
        Σ over parameters of the debiased (μ/σ)².
    signal_parameters : int
        Parameters with a positive variance, which `signal` counts.
    elements, zeros, subnormals, non_finite : int
        Stored numbers, all rows included.
    standardized_mean_norm_squared : float
        |ḡ/s|², each parameter in units of its standard deviation; NaN where it was not asked for.
    standardized_norms, standardized_projections : ndarray, shape (row,)
        As above, in these units; empty where they were not asked for.
    skewness_squared, excess_kurtosis : float
        Sums over parameters; NaN where they were not asked for.

    Raises
    ------
    InputError
        If the arrays over rows differ in length, or a row is negative.
    """

    def __new__(
        cls,
        *,
        name: str,
        dtype: str,
        parameters: int,
        rows: NDArray[np.int64],
        mean_norm_squared: float,
        norms: FloatArray,
        projections: FloatArray,
        group_norms: FloatArray,
        signal: float,
        signal_parameters: int,
        elements: int,
        zeros: int,
        subnormals: int,
        non_finite: int,
        standardized_mean_norm_squared: float,
        standardized_norms: FloatArray,
        standardized_projections: FloatArray,
        skewness_squared: float,
        excess_kurtosis: float,
    ) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    @property
    def rows(self) -> NDArray[np.int64]: ...
    @property
    def mean_norm_squared(self) -> float: ...
    @property
    def norms(self) -> FloatArray: ...
    @property
    def projections(self) -> FloatArray: ...
    @property
    def group_norms(self) -> FloatArray: ...
    @property
    def signal(self) -> float: ...
    @property
    def signal_parameters(self) -> int: ...
    @property
    def elements(self) -> int: ...
    @property
    def zeros(self) -> int: ...
    @property
    def subnormals(self) -> int: ...
    @property
    def non_finite(self) -> int: ...
    @property
    def standardized_mean_norm_squared(self) -> float: ...
    @property
    def standardized_norms(self) -> FloatArray: ...
    @property
    def standardized_projections(self) -> FloatArray: ...
    @property
    def skewness_squared(self) -> float: ...
    @property
    def excess_kurtosis(self) -> float: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def merge(self, other: TensorSums) -> TensorSums:
        """Add the sums over other parameters of the same tensor and rows.

        Parameters
        ----------
        other : TensorSums
            From the same rows, groups and request.

        Returns
        -------
        TensorSums
            Rounded once per sum: a fixed order of merges gives the same bits.

        Raises
        ------
        InputError
            If both do not belong together.
        """

    def with_counts_of(self, other: TensorSums) -> TensorSums:
        """Take the counts of stored numbers (elements, zeros, subnormals, non-finite) from other sums.

        Parameters
        ----------
        other : TensorSums
            Of the same tensor, over more rows.

        Returns
        -------
        TensorSums
        """

def scan_gradients(
    tensors: Sequence[
        tuple[str, str, Sequence[int], Sequence[tuple[GradientFile | None, int, int]], _Rows | None]
    ],
    keep: NDArray[np.bool_],
    *,
    weights: FloatArray,
    groups: NDArray[np.int64] | None,
    shape: bool,
    scale: float,
    output: str | None,
    progress: Callable[[int], None],
) -> tuple[list[TensorSums], NDArray[np.int64]]:
    """Sum what the noise statistics need, in one pass over the bytes.

    Parameters
    ----------
    tensors : sequence of tuple
        Name, dtype, shape of the parameter, segments (file or None for zeros, entry, rows), and the rows of
        the dump that are there (None: all).
    keep : ndarray of bool, shape (row,)
    weights : ndarray, shape (row,)
        Examples behind each row.
    groups : ndarray of int, shape (row,), or None
    shape : bool
        Third and fourth moments and standardised sums too.
    scale : float
        What turns a stored number into a gradient.
    output : str or None
        File for the moments of every parameter.
    progress : callable
        Called with the bytes done; what it raises stops the scan.

    Returns
    -------
    sums : list of TensorSums
        One per tensor.
    non_finite_rows : ndarray of int
        Rows with numbers that are not finite; where there are any, scan again without them.

    Raises
    ------
    DumpError
        A packed array does not hold what its file claims, or the output cannot be written.
    """

def estimate_noise(
    sums: Sequence[TensorSums],
    microbatch_size: FloatArray,
    groups: NDArray[np.int64] | None,
    probability: float,
) -> dict[str, Any]:
    """Estimate |G|², tr Σ and their ratio with jackknife intervals, from the sums of some tensors.

    Parameters
    ----------
    sums : sequence of TensorSums
    microbatch_size : ndarray, shape (row,)
        Examples in each row of the dump.
    groups : ndarray of int, shape (row,), or None
    probability : float
        Of the intervals.

    Returns
    -------
    dict
        Every estimate is a tuple of value, standard error, lower and upper end; all but the value is NaN
        where a tensor has no projections.

    Raises
    ------
    InputError
        If there are fewer than three rows or groups, or a sum is not finite.
    """

def merge_moments(
    parts: Sequence[tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]],
) -> list[FloatArray]:
    """Merge moments of disjoint examples: count, means, and sums of second to fourth powers of deviations.

    Returns the means and the sums of powers of all examples together, one number per parameter.
    """

def estimate_resolvable(
    sums: Sequence[TensorSums], microbatch_size: FloatArray, probability: float
) -> _Quantity:
    """Estimate the mean of (μ/σ)² over parameters, from standardised sums.

    Parameters
    ----------
    sums : sequence of TensorSums
        Those without standardised sums are left out.
    microbatch_size : ndarray, shape (row,)
    probability : float
        Of the interval.

    Returns
    -------
    tuple of float
        Value, standard error, lower and upper end.
    """

def estimate_two_batch_noise(
    small: FloatArray,
    small_norm_squared: FloatArray,
    big: FloatArray,
    big_norm_squared: FloatArray,
    probability: float,
) -> dict[str, Any]:
    """Estimate the noise from squared gradient norms at two batch sizes, one pair per step."""

@final
class PosteriorModel:
    """The model of one sweep: the log density of its free variables on the unconstrained scale.

    Priors are given by name, family and numbers.
    """

    def __new__(
        cls, law: str, observed: dict[str, Any], priors: Sequence[tuple[str, str, Sequence[float]]]
    ) -> Self: ...
    def variables(self) -> list[tuple[str, int, int | None, str]]:
        """Name, first entry, number of entries (None: a scalar), and what is sampled.

        That is the variable itself (``plain``), its logarithm (``log``) or a number whose magnitude it is
        (``signed``).
        """

    def group_of_entries(self) -> list[int | None]:
        """The group of each entry; None for those of the model as a whole."""

    def is_small(self) -> bool:
        """Whether it has so few entries that a geometry of one block pays."""

    def log_density(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log density, all constants included, and its gradient, at each row of `positions`."""

def sample_posteriors(
    models: Sequence[PosteriorModel],
    seeds: Sequence[int],
    geometries: Sequence[dict[str, NDArray[Any]] | None],
    *,
    chains: int,
    tune: int,
    draws: int,
    target_accept: float,
    threads: int,
    progress: Callable[[int], object] | None,
) -> list[dict[str, NDArray[Any]]]:
    """Sample every model with NUTS.

    In the variables of the model, or in the coordinates of a `surge_fit.sampling.transform.Geometry`, as a
    dict with its arrays. Of each, unconstrained ``draws`` of shape (chain, draw, entry), and the sampler's
    statistics of shape (chain, draw).
    """

def integrate_floor(
    finished: FloatArray,
    finished_sd: FloatArray,
    censored: FloatArray,
    censored_sd: FloatArray,
    censored_logit: FloatArray,
    prior: tuple[float, float, float],
) -> FloatArray:
    """Integrate the floor f out of the density of runs: log of ∫ prior(f) Π p(run | f) df, shape (draw,).

    Within 0.05 for one draw at worst; errors of many draws cancel.

    Parameters
    ----------
    finished, finished_sd : ndarray, shape (draw, finished run)
        Losses less their valleys, and the scales of their residuals.
    censored, censored_sd, censored_logit : ndarray, shape (draw, censored run)
        Thresholds of huge losses less their valleys, the scales of their residuals, and the log odds that
        the run diverged.
    prior : tuple of float
        Degrees of freedom, centre and scale of the floor's Student t.
    """

@final
class BatchSums:
    """Sums over the parameters of one tensor at every batch size of the theory.

    E is the expected sign, A its approximation, S the mean sign over resamples. Frozen, equal bit by bit, and
    picklable.

    Parameters
    ----------
    **fields
        Every attribute below.

    Attributes
    ----------
    parameters, constant : int
        Parameters, and those whose gradient does not vary.
    curvature, absolute_curvature : float
        Σ Hᵢᵢ and Σ |Hᵢᵢ|.
    unresolved_parameters, unresolved_curvature : float
        Parameters whose mean lies within two standard errors of zero, and Σ |Hᵢᵢ| over them.
    drift : float
        Σ of the unbiased μ²/σ.
    ratio_curvature : float
        Σ Hᵢᵢ times the mean over pairs of thirds of (μ/σ)(μ/σ).
    overlaps : ndarray, shape (resample, size)
        V · V of the next resample, the last meeting the first.
    independent, independent_split, independent_approximate : ndarray, shape (batch,)
        Σ (1 − E²) Hᵢᵢ, with E² from pairs of thirds, and with A for E.
    saturated_parameters, saturated_curvature : ndarray, shape (batch,)
        Parameters with B ≥ πσ²/(2μ²), without bias, and Σ |Hᵢᵢ| over them.
    overlap_variance, mean_expected, expected_squared : ndarray, shape (batch,)
        Σ (1 − E⁴), Σ S E and Σ E².
    disagreement, scatter : ndarray, shape (batch,)
        Σ (S − E)², and the part of it that the scatter of single signs explains times the resamples.

    Raises
    ------
    InputError
        If the arrays over batch sizes differ in length.
    """

    def __new__(
        cls,
        *,
        parameters: int,
        constant: int,
        curvature: float,
        absolute_curvature: float,
        unresolved_parameters: float,
        unresolved_curvature: float,
        drift: float,
        ratio_curvature: float,
        overlaps: FloatArray,
        independent: FloatArray,
        independent_split: FloatArray,
        independent_approximate: FloatArray,
        saturated_parameters: FloatArray,
        saturated_curvature: FloatArray,
        overlap_variance: FloatArray,
        mean_expected: FloatArray,
        expected_squared: FloatArray,
        disagreement: FloatArray,
        scatter: FloatArray,
    ) -> Self: ...
    @property
    def parameters(self) -> int: ...
    @property
    def constant(self) -> int: ...
    @property
    def curvature(self) -> float: ...
    @property
    def absolute_curvature(self) -> float: ...
    @property
    def unresolved_parameters(self) -> float: ...
    @property
    def unresolved_curvature(self) -> float: ...
    @property
    def drift(self) -> float: ...
    @property
    def ratio_curvature(self) -> float: ...
    @property
    def overlaps(self) -> FloatArray: ...
    @property
    def independent(self) -> FloatArray: ...
    @property
    def independent_split(self) -> FloatArray: ...
    @property
    def independent_approximate(self) -> FloatArray: ...
    @property
    def saturated_parameters(self) -> FloatArray: ...
    @property
    def saturated_curvature(self) -> FloatArray: ...
    @property
    def overlap_variance(self) -> FloatArray: ...
    @property
    def mean_expected(self) -> FloatArray: ...
    @property
    def expected_squared(self) -> FloatArray: ...
    @property
    def disagreement(self) -> FloatArray: ...
    @property
    def scatter(self) -> FloatArray: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def merge(self, other: BatchSums) -> BatchSums:
        """Add the sums over other parameters.

        Parameters
        ----------
        other : BatchSums
            From the same minibatches and batch sizes.

        Returns
        -------
        BatchSums
            Rounded once per sum: a fixed order of merges gives the same bits.

        Raises
        ------
        InputError
            If both do not belong together.
        """

@final
class DirectionSums:
    """Products of the rows of a pass's matrix with gradients, summed over all parameters.

    The matrix has the directions of minibatches, and after them the rows of the theory. Frozen, equal bit by
    bit, and picklable; arrays are read-only views.

    Parameters
    ----------
    own, groups, rows : ndarray

    Attributes
    ----------
    own : ndarray, shape (resample, size)
        Each direction times the sum of the gradients of its minibatch.
    groups : ndarray, shape (matrix row, group)
        Each row of the matrix times the sum of the gradients of a group.
    rows : ndarray, shape (matrix row, position)
        Each row of the matrix times every gradient; empty unless asked for.
    """

    def __new__(cls, *, own: FloatArray, groups: FloatArray, rows: FloatArray) -> Self: ...
    @property
    def own(self) -> FloatArray: ...
    @property
    def groups(self) -> FloatArray: ...
    @property
    def rows(self) -> FloatArray: ...
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def merge(self, other: DirectionSums) -> DirectionSums:
        """Add the sums over other parameters.

        Parameters
        ----------
        other : DirectionSums
            From the same minibatches and batch sizes.

        Returns
        -------
        DirectionSums

        Raises
        ------
        InputError
            If the shapes differ.
        """

def scan_directions(
    tensors: list[Any], request: dict[str, Any], progress: Callable[[int], None]
) -> tuple[DirectionSums, list[BatchSums]]:
    """Sum over all parameters what the directions of minibatches say.

    Parameters
    ----------
    tensors : list of tuple
        As for `scan_gradients`; every tensor has every row.
    request : dict
        ``order`` (rows that take part), ``groups``, ``permutations`` (resample, largest size) of positions in
        ``order``, ``sizes`` [rows], ``theory`` batch sizes [rows] (``sizes`` first), ``optimizer`` and its
        ``constants``, its state ``first``, ``second`` and ``weights`` (parameter,) times ``decay``, the
        Hessian ``diagonal`` (empty: mean squares of gradients), ``scale`` of the stored numbers,
        ``fisher``: whether products with every gradient are asked for.
    progress : callable
        Hears how many bytes are done.

    Returns
    -------
    DirectionSums
        Over all tensors.
    list of BatchSums
        One per tensor.

    Raises
    ------
    InputError
        For a malformed request.
    """

def write_directions(
    tensors: list[Any],
    request: dict[str, Any],
    target: NDArray[np.float32],
    progress: Callable[[int], None],
) -> None:
    """Write the matrix of all parameters to `target`: directions, then the rows of the theory."""

def bilinear_forms(
    left: NDArray[np.float32], right: NDArray[np.float32], hessian: NDArray[np.float32]
) -> FloatArray:
    """Give leftᵀ H right of every pair of rows, shape (vector,), H symmetric."""

def values_of_blocks(
    known: dict[str, NDArray[np.float32]],
    prospects: list[dict[str, NDArray[Any]]],
    blocks: Sequence[Sequence[int]],
    regrets: Sequence[NDArray[np.float32]],
) -> list[float]:
    """Value blocks of runs at one batch size, after what is known.

    Parameters
    ----------
    known : dict
        ``log_likelihood`` (outcome, draw); ``floor_mean``, ``floor_variance`` (outcome, draw) or (1, draw).
    prospects : list of dict
        Of each run ``loss`` and ``survived`` (outcome,), ``depth``, ``noise_variance``, ``log_survival`` and
        ``log_divergence`` (draw,).
    blocks : sequence of sequence of int
        Positions in `prospects`.
    regrets : sequence of ndarray
        One table (draw, action) for each decision.
    """
