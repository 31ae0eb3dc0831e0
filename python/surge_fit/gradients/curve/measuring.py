"""`learning_rate_curve`: one checkpoint's gradient dump → the best learning rate over the batch size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surge_fit._support.wording import number
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.curve.bend import find_bend
from surge_fit.gradients.curve.curvature import Curvature, CurvatureLike, read_curvature
from surge_fit.gradients.curve.passes import CurvePass, Resampled
from surge_fit.gradients.curve.resampling import GROUPS, Ratio, draw_minibatches, resampled_ratio
from surge_fit.gradients.curve.signs import check_signs
from surge_fit.gradients.curve.state import Optimizer, UpdateRule, update_rule
from surge_fit.gradients.curve.theory import SmallBatchLaw, sgd_theory, sign_theory, small_batch_law
from surge_fit.gradients.curve.value import CurvePoint, LearningRateCurve, ResampledPoint, TheoryPoint
from surge_fit.gradients.curve.verdict import judge
from surge_fit.gradients.dump import Dump, open_dump
from surge_fit.gradients.noise import gradient_statistics
from surge_fit.typing import CountProgress, Path

_LEAST_RESAMPLES, _MOST_RESAMPLES = 64, 512
_SATURATED = 0.1


def learning_rate_curve(
    dump: Dump | Path | Sequence[Path] | Mapping[str, Any],
    optimizer: Optimizer = "sign",
    *,
    curvature: CurvatureLike = None,
    state: Path | None = None,
    weights: Path | None = None,
    weight_decay: float = 0.0,
    batch_size: float | Sequence[float] | None = None,
    resamples: int | None = None,
    random_seed: int = 0,
    progress: CountProgress | None = None,
) -> LearningRateCurve:
    """Predict the best learning rate of the next step at each batch size, by theory and by resampling.

    Parameters
    ----------
    dump : Dump, path-like, sequence of path-like, or mapping of str to array
        Gradients of one checkpoint; anything but a `Dump` is passed to `open_dump`. Rows are examples, or
        micro-batches of equal size.
    optimizer : {"sgd", "sign", "adam"}
        The update rule: V = g; V = sign(g), the paper's model of Adam; or Adam's own update.
    curvature : path-like, ndarray, callable, "fisher" or None
        The Hessian: a file with ``hessian`` (metadata ``order`` lists its tensors) or with
        ``<tensor>.hessian_diagonal``; an array of shape (parameter, parameter) or (parameter,); a function
        that takes directions of shape (vector, parameter), in the order of the dump's tensors, and returns H
        times each; by default the empirical Fisher of the dump, which gives the shape but not the scale.
    state : path-like, optional
        What the optimizer remembers: ``<tensor>.exp_avg`` and ``<tensor>.exp_avg_sq`` with ``beta1``,
        ``beta2``, ``eps`` and ``step`` in the metadata; of SGD ``<tensor>.momentum_buffer``, ``momentum``; or
        the ``state_dict`` of PyTorch's Adam, AdamW or SGD, as ``torch.save`` writes it.
    weights : path-like, optional
        ``<tensor>`` parameters, for `weight_decay`.
    weight_decay : float
        Decoupled, as AdamW's.
    batch_size : float or sequence of float, optional
        [examples]. By default powers of two up to the number of examples.
    resamples : int, optional
        Number of minibatches of each size. By default one per row, but from 64 to 512.
    random_seed : int
        Seed for drawing the minibatches.
    progress : callable, optional
        Called repeatedly with the stage, the bytes read so far and the total.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    DumpError
        If the files cannot be read, or fewer than nine rows are finite.
    InputError
        If the state is missing, curvature or state do not fit the dump, or an option cannot be used.
    KeyboardInterrupt
        On Ctrl-C, at once.

    Notes
    -----
    Theory: arXiv:1812.06162, Eq. 2.6 for SGD, exact; arXiv:2405.14578, Theorems 2 to 5 for sign descent and,
    as its model, for Adam; Theorem 2 with exact expected signs and with the approximate ones that Theorem 3
    follows from. Resampling: ε = mean(V·μ)/mean(VᵀHV) over minibatches drawn without replacement,
    with μ from rows that are not in the minibatch. Computed in single precision, summed in double; the result
    does not depend on the number of threads.

    Examples
    --------
    >>> curve = sf.learning_rate_curve(
    ...     "examples/digits_gradients/step00010.safetensors", "sgd", batch_size=[4, 16, 64]
    ... )
    >>> [point.batch_size for point in curve.points], curve.verdict.agrees
    ([4.0, 16.0, 64.0], True)
    """
    opened = dump if isinstance(dump, Dump) else open_dump(dump)
    _require_equal_rows(opened)
    if resamples is not None and (resamples < 2 or int(resamples) != resamples):
        msg = f"'resamples' must be a whole number, at least 2; got {resamples!r}."
        raise InputError(msg)
    rule = update_rule(optimizer, opened, state=state, weights=weights, weight_decay=weight_decay)
    known = read_curvature(curvature, opened, random_seed)
    statistics = gradient_statistics(opened, batch_size=1.0, progress=progress)
    rows = np.flatnonzero(statistics.kept)
    if len(rows) < GROUPS:
        msg = (
            f"A curve needs at least {GROUPS} rows that are finite; {opened.source} has {len(rows)}. Dump "
            "more examples."
        )
        raise DumpError(msg)
    per_row = float(opened.microbatch_size[0])
    sizes = _batch_sizes(batch_size, per_row, len(rows))
    whole = [size for size in sizes if size / per_row == int(size / per_row) and size / per_row < len(rows)]
    asked = [*whole, *(size for size in sizes if size not in whole)]
    in_rows = [size / per_row for size in asked]
    count = resamples or min(_MOST_RESAMPLES, max(_LEAST_RESAMPLES, len(rows)))
    drawn = draw_minibatches(rows, tuple(int(size / per_row) for size in whole), count, random_seed)
    mean_square = sum(float(held.norms.mean()) for held in statistics.sums)
    passes = CurvePass(opened, rule, known, mean_square, progress)
    sums = passes.minibatches(drawn, in_rows)
    resampled, total = sums.resampled, sums.total
    if optimizer == "sgd":
        exact = sgd_theory(passes.singles(rows), in_rows)
        theory, forms = exact.points, exact.forms
        law = SmallBatchLaw(
            exact.noise_scale, exact.max_learning_rate, exact.max_loss_drop, exact.max_learning_rate
        )
    else:
        theory, forms = sign_theory(sums.signs, in_rows)
        law = small_batch_law(sums.signs)
    ratios = [_ratio(resampled, index, drawn.sizes[index], len(rows)) for index in range(len(whole))]
    absolute = total.absolute_curvature or 1.0
    saturated = total.saturated_parameters / opened.parameters, total.saturated_curvature / absolute
    points = []
    for index, size in enumerate(asked):
        share = saturated[0][index], saturated[1][index]
        ratio = ratios[index] if index < len(whole) else None
        points.append(
            _point(
                size, theory[index], forms[index], ratio, known, share, in_rows[index], len(rows), optimizer
            )
        )
    points.sort(key=lambda point: point.batch_size)
    return LearningRateCurve(
        source=opened.source,
        optimizer=optimizer,
        curvature=known.source,
        scale_known=known.scale_known,
        step=opened.step,
        loss=opened.loss,
        unit="examples" if statistics.unit == "examples" else "rows",
        examples=len(rows) * per_row,
        parameters=opened.parameters,
        resamples=count,
        random_seed=random_seed,
        points=tuple(points),
        noise_scale=None if law.noise_scale is None else law.noise_scale * per_row,
        max_learning_rate=law.max_learning_rate,
        max_loss_drop=law.max_loss_drop,
        limit=law.limit,
        unresolved_parameters=total.unresolved_parameters / opened.parameters,
        unresolved_curvature=total.unresolved_curvature / absolute,
        signs=check_signs(
            statistics,
            sums.tensors,
            total,
            np.array(asked),
            resampled.apart if optimizer == "sign" and not rule.weight_decay else None,
        ),
        bend=find_bend(points),
        verdict=judge(points, optimizer),
        dropped_examples=statistics.dropped_examples,
        notes=_notes(opened, rule, known, law),
    )


def _require_equal_rows(dump: Dump) -> None:
    lacking = next((tensor.name for tensor in dump.tensors if tensor.present is not None), None)
    if lacking is not None:
        msg = (
            f"A curve needs every tensor in every row; '{lacking}' lacks some. Open the dump with "
            "absent='zero' if its gradient is zero there."
        )
        raise InputError(msg)
    sizes = dump.microbatch_size
    if sizes.min() != sizes.max():
        msg = (
            "A curve needs rows of equally many examples; the micro-batches of this dump have from "
            f"{number(float(sizes.min()))} to {number(float(sizes.max()))}. Pass those of one size."
        )
        raise InputError(msg)


def _batch_sizes(given: float | Sequence[float] | None, per_row: float, rows: int) -> list[float]:
    if given is None:
        return [per_row * 2.0**power for power in range(int(math.log2(rows)) + 1)]
    sizes = sorted({float(size) for size in np.atleast_1d(np.asarray(given, dtype=np.float64))})
    if not sizes or not all(math.isfinite(size) and size > 0 for size in sizes):
        msg = f"'batch_size' must be positive finite numbers; got {given!r}."
        raise InputError(msg)
    return sizes


def _ratio(found: Resampled, index: int, size: int, rows: int) -> Ratio:
    return resampled_ratio(
        size,
        found.numerators[:, index],
        found.forms[:, index],
        found.group_numerators[:, index],
        None if found.group_forms is None else found.group_forms[:, index],
        found.touched[:, index],
        rows,
    )


def _point(
    size: float,
    theory: TheoryPoint,
    form: float,
    ratio: Ratio | None,
    curvature: Curvature,
    share: tuple[float, float],
    in_rows: float,
    rows: int,
    optimizer: Optimizer,
) -> CurvePoint:
    flags = []
    if in_rows > rows / 4:
        flags.append("beyond_quarter_of_rows")
    if ratio is None:
        flags.append("no_disjoint_rows" if in_rows >= rows else "not_whole_rows")
    elif ratio.value is None:
        flags.append("negative_curvature" if ratio.denominator <= 0 else "no_descent")
    if theory.learning_rate is None:
        flags.append("theory_negative_curvature" if form <= 0 else "theory_no_descent")
    if optimizer != "sgd" and share[1] > _SATURATED:
        flags.append("small_batch_law_fails")
    value = None if ratio is None else ratio.value
    drop = None if ratio is None or value is None else 0.5 * ratio.numerator * value
    return CurvePoint(
        batch_size=size,
        theory=theory,
        resampled=ResampledPoint(
            value, None if ratio is None else ratio.interval, curvature.scale_known, drop
        ),
        quadratic_form_ratio=None if ratio is None or form <= 0 else ratio.denominator / form,
        saturated_parameters=share[0],
        saturated_curvature=share[1],
        flags=tuple(flags),
    )


def _notes(dump: Dump, rule: UpdateRule, curvature: Curvature, law: SmallBatchLaw) -> tuple[str, ...]:
    notes = [*curvature.notes, *rule.notes, *dump.assumptions]
    if not curvature.scale_known:
        notes.append(
            "The curvature is an empirical Fisher: trust the shape of the curve and not its height; a run or "
            "two give the height."
        )
    if curvature.kind == "diagonal":
        notes.append(
            "A Hessian diagonal knows nothing of how parameters act together: the theory takes them for "
            "uncoupled, and minibatches are weighed by the dump's Fisher, scaled to the diagonal's trace."
        )
    if rule.optimizer != "sgd" and law.noise_scale is None:
        notes.append(
            "Theorem 3 has no noise scale here: Σ (μᵢμⱼ/σᵢσⱼ) Hᵢⱼ over pairs of parameters is not positive, "
            "without the bias of its moments."
        )
    if rule.optimizer == "adam":
        notes.append(
            "Adam's momentum already averages batches, so its best rate moves less with the batch size than "
            "that of sign descent, which is what the theory describes."
        )
    if dump.clipped:
        notes.append("Gradients were clipped: the curve is that of clipped gradients.")
    return tuple(notes)
