"""Learning-rate curves as immutable values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from surge_fit._support.results import Result
from surge_fit._support.wording import number, plural
from surge_fit.gradients.curve.state import Optimizer
from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True)
class TheoryPoint:
    """The prediction of a formula at one batch size.

    Attributes
    ----------
    learning_rate : float or None
        For SGD the exact optimum, from unbiased moments; else Theorem 2 at the moments of the dump. None
        where the mean gradient gives no descent or 𝔼[VᵀHV] is not positive.
    approximate_learning_rate : float or None
        Theorem 2 at the moments of the dump with the paper's approximate expected signs,
        (μ/σ)/√(π/(2B) + (μ/σ)²) for erf(√(B/2) μ/σ): what Theorem 3 was derived from, to be compared with
        `learning_rate`. None for SGD, and as there.
    debiased_learning_rate : float or None
        Without the bias of moments from few rows; None beyond a third of the rows.
    interval : tuple of float, or None
        95 % interval of `debiased_learning_rate`, or of `learning_rate` where there is none.
    loss_drop : float or None
        ½ 𝔼[V]ᵀG · ε [loss]; of unknown scale where the curvature's is.
    """

    learning_rate: float | None
    approximate_learning_rate: float | None
    debiased_learning_rate: float | None
    interval: tuple[float, float] | None
    loss_drop: float | None

    @property
    def best(self) -> float | None:
        """The value that the interval is about."""
        return self.learning_rate if self.debiased_learning_rate is None else self.debiased_learning_rate


@dataclass(frozen=True, slots=True)
class ResampledPoint:
    """The result of resampled minibatches at one batch size, without assuming independent parameters.

    Attributes
    ----------
    learning_rate : float or None
        mean(V·μ)/mean(VᵀHV).
    interval : tuple of float, or None
        95 % interval, over minibatches and over the rows that the mean gradient comes from.
    scale_known : bool
        Whether the number is a learning rate; otherwise only its shape over batch sizes is meaningful.
    loss_drop : float or None
        ½ mean(V·μ) · ε [loss].
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    scale_known: bool
    loss_drop: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One batch size.

    Attributes
    ----------
    batch_size : float
        [examples]
    theory : TheoryPoint
    resampled : ResampledPoint
    quadratic_form_ratio : float or None
        𝔼[VᵀHV] of the minibatches over that of the theory: 1 where independence holds.
    saturated_parameters, saturated_curvature : float
        Fractions of parameters and of Σ|Hᵢᵢ| with B ≥ πσ²/(2μ²), where the small-batch law does not hold.
    flags : tuple of str
        See `surge_fit.gradients.curve.verdict.FLAGS`.
    """

    batch_size: float
    theory: TheoryPoint
    resampled: ResampledPoint
    quadratic_form_ratio: float | None
    saturated_parameters: float
    saturated_curvature: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SignCheck:
    """How Gaussian the batch means of a tensor are, and how independent their signs.

    Attributes
    ----------
    name : str
    parameters : int
    batch_size : ndarray, shape (batch,)
        [examples]
    skewness, excess_kurtosis : ndarray, shape (batch,)
        Moments of batch means, pooled over parameters.
    agreement : ndarray, shape (batch,)
        Slope of the mean sign over 𝓔 = erf(√(B/2) μ/σ); 1 where signs are those of Gaussian means. NaN where
        nothing was resampled.
    disagreement : ndarray, shape (batch,)
        Root mean square difference of the two, without what the number of resamples gives.
    effective_signs : ndarray, shape (batch,)
        How many independent signs would make two minibatches agree as unequally as they do; the number of
        parameters where signs are independent. NaN where too few minibatches have no row in common.
    """

    name: str
    parameters: int
    batch_size: FloatArray
    skewness: FloatArray
    excess_kurtosis: FloatArray
    agreement: FloatArray
    disagreement: FloatArray
    effective_signs: FloatArray


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on the theory at this checkpoint.

    Attributes
    ----------
    agrees : bool or None
        None where there is nothing to compare.
    factor : float or None
        Theory over resampled, where they are farthest apart among the batch sizes compared.
    batch_size : float or None
        The batch size where that is.
    text : str
    """

    agrees: bool | None
    factor: float | None
    batch_size: float | None
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class LearningRateCurve(Result):
    """The best learning rate of the next step over the batch size, from one gradient dump.

    Attributes
    ----------
    source : str
        The files.
    optimizer : {"sgd", "sign", "adam"}
    curvature : str
        Where the curvature comes from.
    scale_known : bool
        Whether resampled numbers are learning rates; otherwise only their shape is meaningful.
    step, loss : float or None
        Step and loss of the checkpoint.
    unit : {"examples", "rows"}
        Unit of batch sizes; ``rows`` where the number of examples in a row is unknown.
    examples : float
    parameters, resamples, random_seed : int
    points : tuple of CurvePoint
        Ascending in batch size.
    noise_scale : float or None
        B_noise [examples]: of Theorem 3, or of SGD; None where its denominator is not positive.
    max_learning_rate : float or None
        ε_max of the same law.
    max_loss_drop : float or None
        ΔL_max of Theorem 5, ΔL = ΔL_max/(1 + B_noise/B) [loss].
    limit : float or None
        Theorem 4, in the limit of infinite batches; for SGD it is `max_learning_rate`.
    unresolved_parameters, unresolved_curvature : float
        Fractions of parameters and of Σ|Hᵢᵢ| whose mean lies within two standard errors of zero.
    signs : tuple of SignCheck
        Per tensor, the last over all.
    bend : tuple of float, or None
        Log of the batch size where the resampled curve bends, and its standard deviation.
    verdict : Verdict
    dropped_examples : tuple of str
        Rows left out because of a number that is not finite.
    notes : tuple of str
        Assumptions, and what else to know about the result.
    """

    source: str
    optimizer: Optimizer
    curvature: str
    scale_known: bool
    step: float | None
    loss: float | None
    unit: Literal["examples", "rows"]
    examples: float
    parameters: int
    resamples: int
    random_seed: int
    points: tuple[CurvePoint, ...]
    noise_scale: float | None
    max_learning_rate: float | None
    max_loss_drop: float | None
    limit: float | None
    unresolved_parameters: float
    unresolved_curvature: float
    signs: tuple[SignCheck, ...]
    bend: tuple[float, float] | None
    verdict: Verdict
    dropped_examples: tuple[str, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        noise = "none" if self.noise_scale is None else f"{self.noise_scale:.3g}"
        sizes = "…".join(number(point.batch_size) for point in (*self.points[:1], *self.points[-1:]))
        agrees = {True: "agree", False: "differ", None: "cannot be compared"}[self.verdict.agrees]
        return (
            f"LearningRateCurve({self.source}: {self.optimizer}, {plural(len(self.points), 'batch size')} "
            f"{sizes} [{self.unit}], noise scale {noise}; theory and resampling {agrees})"
        )

    def _record(self) -> dict[str, Any]:
        names = {"random_seed": "seed"}
        record = {names.get(name, name): getattr(self, name) for name in self.__dataclass_fields__}
        del record["points"]
        record |= {"signs": [asdict(check) for check in self.signs], "verdict": asdict(self.verdict)}
        return {**record, "curve": self._rows()}

    def _rows(self) -> list[dict[str, Any]]:
        return [asdict(point) for point in self.points]
