"""`gradient_statistics`: dump → statistics, in one pass over the files where all numbers are finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path as _Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit._core import TensorSums
from surge_fit._support.arguments import require_positive
from surge_fit._support.files import replacing
from surge_fit._support.wording import plural
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump import Dump, DumpTensor, open_dump
from surge_fit.gradients.noise.summary import summarize
from surge_fit.gradients.noise.value import GradientStatistics
from surge_fit.typing import CountProgress, Path

_MIN_ROWS = 3


def gradient_statistics(
    dump: Dump | Path | Sequence[Path] | Mapping[str, Any],
    *,
    batch_size: float | None = None,
    group: str | Sequence[str] = (),
    per_parameter: Path | None = None,
    progress: CountProgress | None = None,
) -> GradientStatistics:
    """Measure the gradient noise of a dump.

    Parameters
    ----------
    dump : Dump, path-like, sequence of path-like, or mapping of str to array
        Anything but a `Dump` is passed to `open_dump`.
    batch_size : float, optional
        Also measure how close to Gaussian the mean over this many examples is, from third and fourth moments.
    group : str or sequence of str
        Regular expressions: tensors whose matches are equal are also reported together.
    per_parameter : path-like, optional
        Write mean and variance (with `batch_size`, third and fourth central moment too) of every
        parameter: ``.safetensors`` with ``<tensor>.mean``, …, or ``.npy`` with the shape (moment,
        parameter). Single precision.
    progress : callable, optional
        Called repeatedly with the stage, the bytes read so far and the total.

    Returns
    -------
    GradientStatistics

    Raises
    ------
    DumpError
        If the files cannot be read, or fewer than three rows are finite.
    InputError
        If an option cannot be used as given.
    KeyboardInterrupt
        On Ctrl-C, at once.

    Notes
    -----
    Unbiased |G|² and tr Σ as in arXiv:1812.06162, appendix A.1; intervals by the delete-one jackknife (with
    row groups, delete-a-group). Rows with a number that is not finite are left out of all tensors. The
    result does not depend on the number of threads, nor on how rows and tensors are split over files.

    Examples
    --------
    >>> noise = sf.gradient_statistics("examples/digits_gradients/step00010.safetensors")
    >>> [round(value, 1) for value in noise.total.simple_noise_scale.interval]
    [56.2, 91.4]
    >>> max(noise.tensors, key=lambda tensor: tensor.parameters).name
    'hidden.weight'
    """
    opened = dump if isinstance(dump, Dump) else open_dump(dump)
    require_positive("batch_size", batch_size)
    patterns = (group,) if isinstance(group, str) else tuple(group)
    target = None if per_parameter is None else _Path(per_parameter)
    if target is not None and target.suffix not in (".safetensors", ".npy"):
        msg = f"'per_parameter' must end in .safetensors or .npy; got {str(target)!r}."
        raise InputError(msg)
    with nullcontext() if target is None else replacing(target) as draft:
        scan = _Scan(opened, batch_size is not None, draft, progress)
        sums, kept = scan.run()
    return summarize(
        sums,
        microbatch_size=opened.microbatch_size,
        row_groups=scan.groups,
        patterns=patterns,
        source=opened.source,
        step=opened.step,
        loss=opened.loss,
        kept=kept,
        dropped_examples=tuple(opened.row_name(int(row)) for row in np.flatnonzero(~kept)),
        clipped=opened.clipped,
        microbatch_known=opened.microbatch_known or opened.layout != "rows",
        batch_size=batch_size,
        skipped=opened.skipped,
        assumptions=opened.assumptions,
    )


class _Scan:
    """Passes over one dump: usually one; another without the rows that are not finite."""

    def __init__(self, dump: Dump, shape: bool, target: _Path | None, progress: CountProgress | None) -> None:
        self.dump, self.shape, self.target, self.progress = dump, shape, target, progress
        labels = dump.row_groups
        self.groups = None
        if labels is not None:
            numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
            self.groups = np.array([numbers[label] for label in labels], dtype=np.int64)

    def run(self) -> tuple[list[TensorSums], NDArray[np.bool_]]:
        kept = np.ones(self.dump.rows, dtype=np.bool_)
        stage = f"reading {self.dump.source}"
        counts: list[TensorSums] | None = None
        while True:
            sums, broken = self._pass(self.dump.tensors, kept, stage)
            counts = counts or sums
            if not len(broken):
                break
            kept[broken] = False
            if kept.sum() < _MIN_ROWS:
                msg = (
                    f"At least {_MIN_ROWS} rows must hold finite numbers only; in {self.dump.source} "
                    f"{plural(int(kept.sum()), 'row')} of {self.dump.rows} do. Look for the step that "
                    "overflowed."
                )
                raise DumpError(msg)
            stage = f"again without {plural(int((~kept).sum()), 'row')}"
        # Stored numbers are counted over all rows, those left out of the sums included.
        sums = [tensor.with_counts_of(of_all) for tensor, of_all in zip(sums, counts, strict=True)]
        if self.dump.absent == "missing":
            sums = self._without_zero_rows(sums, kept)
        return sums, kept

    def _without_zero_rows(self, sums: list[TensorSums], kept: NDArray[np.bool_]) -> list[TensorSums]:
        """Measure tensors again without the rows that are zero throughout, where that means missing."""
        found = []
        for tensor, measured in zip(self.dump.tensors, sums, strict=True):
            absent = measured.rows[measured.norms == 0]
            if len(absent):
                present = np.setdiff1d(measured.rows, absent)
                if len(present) < _MIN_ROWS:
                    msg = (
                        f"Tensor '{tensor.name}' must have at least {_MIN_ROWS} rows that are not zero "
                        "throughout; "
                        f"it has {len(present)}. Pass absent='zero' if its gradient is zero."
                    )
                    raise DumpError(msg)
                again, _ = self._pass([tensor], np.isin(np.arange(self.dump.rows), present) & kept, "again")
                measured = again[0].with_counts_of(measured)
            found.append(measured)
        return found

    def _pass(
        self, tensors: Sequence[DumpTensor], kept: NDArray[np.bool_], stage: str
    ) -> tuple[list[TensorSums], NDArray[np.int64]]:
        total = sum(tensor.bytes for tensor in tensors)

        def report(done: int) -> None:
            if self.progress is not None:
                self.progress(stage, done, total)

        # Rust loads NumPy's C interface when it first meets an array, which Ctrl-C must not find half done:
        # any small array will do, before anything is said.
        _core.law_peak("constant", np.zeros((1, 1)))
        report(0)
        return _core.scan_gradients(
            [
                (
                    tensor.name,
                    tensor.dtype,
                    tensor.shape,
                    [(s.file, s.entry, s.rows) for s in tensor.segments],
                    tensor.present,
                )
                for tensor in tensors
            ],
            kept,
            weights=self.dump.microbatch_size,
            groups=self.groups,
            shape=self.shape,
            scale=self.dump.scale,
            output=None if self.target is None else str(self.target),
            progress=report,
        )
