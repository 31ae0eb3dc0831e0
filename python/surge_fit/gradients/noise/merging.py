"""Statistics of parts of a dump → statistics of all of it, without reading a gradient again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path as _Path
from typing import Any

import numpy as np

from surge_fit import _core
from surge_fit._core import TensorSums
from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.gradients.noise.summary import summarize
from surge_fit.gradients.noise.value import GradientStatistics
from surge_fit.typing import FloatArray, Path

_BLOCK = 1 << 20
_MOMENTS = ("mean", "variance", "third_moment", "fourth_moment")


def merge_statistics(
    parts: Sequence[GradientStatistics], *, per_parameter: Sequence[Path] = ()
) -> GradientStatistics:
    """Merge the statistics of disjoint parameters, or of disjoint examples.

    Parameters
    ----------
    parts : sequence of GradientStatistics
        Parts with the same examples and different tensors, or the same tensors and different examples.
    per_parameter : sequence of path-like
        For different examples: the ``.safetensors`` file of moments that was written beside each part.

    Returns
    -------
    GradientStatistics
        Over parameters, sums add up and nothing is lost. Over examples, the estimates are those of one pass
        (to the single precision of the files), but there are no intervals: how each gradient projects on the
        new mean is not in any part.

    Raises
    ------
    InputError
        If the parts overlap or do not belong together.
    """
    if len(parts) < 2:
        msg = f"At least 2 parts must be given to merge; got {len(parts)}."
        raise InputError(msg)
    names = [[held.name for held in part.sums] for part in parts]
    if len({name for part in names for name in part}) == sum(map(len, names)):
        return _over_parameters(parts)
    if any(part != names[0] for part in names):
        msg = (
            "Parts to merge must have all tensors in common, or none; found some. Measure them from the "
            "files together."
        )
        raise InputError(msg)
    if len(per_parameter) != len(parts):
        msg = (
            "To merge different examples, 'per_parameter' must name the file of moments of each of the "
            f"{len(parts)} "
            f"parts; got {len(per_parameter)}. Write them with per_parameter=… when measuring."
        )
        raise InputError(msg)
    return _over_examples(parts, [_core.GradientFile.open(_Path(path)) for path in per_parameter])


def _over_parameters(parts: Sequence[GradientStatistics]) -> GradientStatistics:
    first = parts[0]
    for part in parts[1:]:
        for name in ("microbatch_size", "kept", "row_groups"):
            if not np.array_equal(getattr(part, name), getattr(first, name)):
                msg = (
                    f"Parts with different tensors must rest on the same rows; {name} of {part.source} "
                    "differs from that "
                    f"of {first.source}. Measure them from the files together."
                )
                raise InputError(msg)
    return summarize(
        [held for part in parts for held in part.sums],
        microbatch_size=first.microbatch_size,
        row_groups=first.row_groups,
        kept=first.kept,
        **_facts(parts),
    )


def _over_examples(
    parts: Sequence[GradientStatistics], files: Sequence[_core.GradientFile]
) -> GradientStatistics:
    starts = [0, *accumulate(len(part.microbatch_size) for part in parts)]
    labels = [part.row_groups for part in parts if part.row_groups is not None]
    groups = None
    if len(labels) == len(parts):
        counts = accumulate((1 + int(held.max()) for held in labels), initial=0)
        groups = np.concatenate([held + start for held, start in zip(labels, counts, strict=False)])
    sums = []
    for tensor, members in enumerate(zip(*(part.sums for part in parts), strict=True)):
        sizes = [part.microbatch_size[held.rows] for part, held in zip(parts, members, strict=True)]
        moments = _merge_moments(members, sizes, files)
        rows = np.concatenate([held.rows + start for held, start in zip(members, starts, strict=False)])
        sums.append(
            TensorSums(
                name=members[0].name,
                dtype=parts[0].sums[tensor].dtype,
                parameters=members[0].parameters,
                rows=rows,
                mean_norm_squared=moments.mean_norm_squared,
                norms=np.concatenate([held.norms for held in members]),
                projections=np.full(len(rows), np.nan),
                group_norms=np.concatenate([held.group_norms for held in members]),
                signal=moments.signal,
                signal_parameters=moments.varying,
                elements=sum(held.elements for held in members),
                zeros=sum(held.zeros for held in members),
                subnormals=sum(held.subnormals for held in members),
                non_finite=sum(held.non_finite for held in members),
                standardized_mean_norm_squared=np.nan,
                standardized_norms=np.empty(0),
                standardized_projections=np.empty(0),
                skewness_squared=moments.skewness_squared,
                excess_kurtosis=moments.excess_kurtosis,
            )
        )
    return summarize(
        sums,
        microbatch_size=np.concatenate([part.microbatch_size for part in parts]),
        row_groups=groups,
        kept=np.concatenate([part.kept for part in parts]),
        **_facts(parts),
    )


@dataclass
class _Merged:
    """Sums over the parameters of one tensor, of all its examples together."""

    mean_norm_squared: float = 0.0
    signal: float = 0.0
    varying: int = 0
    skewness_squared: float = field(default=np.nan)
    excess_kurtosis: float = field(default=np.nan)

    def add(self, rows: int, examples: float, merged: Sequence[FloatArray], shape: bool) -> None:
        """Add a block of parameters: means and sums of powers of deviations."""
        mean, second, third, fourth = merged
        self.mean_norm_squared += float(mean @ mean)
        there = second > 0
        variance = second[there] / (rows - 1)
        ratio = mean[there] ** 2 / variance
        self.varying += int(there.sum())
        self.signal += float(((rows - 3) / (rows - 1) * ratio - 1 / examples).sum())
        if shape:
            skewness = np.sqrt(rows) * third[there] / second[there] ** 1.5
            kurtosis = rows * fourth[there] / second[there] ** 2 - 3
            skewness *= np.sqrt(rows * (rows - 1)) / (rows - 2)
            kurtosis = (rows - 1) / ((rows - 2) * (rows - 3)) * ((rows + 1) * kurtosis + 6)
            self.skewness_squared = np.nan_to_num(self.skewness_squared) + float((skewness**2).sum())
            self.excess_kurtosis = np.nan_to_num(self.excess_kurtosis) + float(kurtosis.sum())


def _merge_moments(
    members: Sequence[TensorSums], sizes: Sequence[FloatArray], files: Sequence[_core.GradientFile]
) -> _Merged:
    """Merge the moments of one tensor, a block of its parameters at a time.

    Third and fourth moments are those of √b (g − ḡ), so they merge where all rows have one size b.
    """
    name, rows = members[0].name, [len(held.rows) for held in members]
    examples = [float(size.sum()) for size in sizes]
    common = float(sizes[0][0])
    alike = all((size == common).all() for size in sizes)
    entries = [_entries(file, name) for file in files]
    shape = alike and all(moment in entry for entry in entries for moment in _MOMENTS)
    merged = _Merged()
    for start in range(0, members[0].parameters, _BLOCK):
        parts = []
        for part, (file, entry) in enumerate(zip(files, entries, strict=True)):
            held = [
                file.read(entry[moment], start, _BLOCK) if moment in entry else None for moment in _MOMENTS
            ]
            mean, variance = held[0], held[1]
            if mean is None or variance is None:
                msg = f"'{file.path}' must hold '{name}.mean' and '{name}.variance'; it does not."
                raise InputError(msg)
            # Sums of powers of √b (g − ḡ): the first two with weights, so that they merge for any sizes.
            second = variance * (rows[part] - 1)
            powers = [np.zeros_like(mean) if not shape or p is None else p * rows[part] for p in held[2:]]
            parts.append((examples[part] / common, np.sqrt(common) * mean, second, *powers))
        mean, *powers = _core.merge_moments(parts)
        merged.add(sum(rows), sum(examples), [mean / np.sqrt(common), *powers], shape)
    return merged


def _entries(file: _core.GradientFile, tensor: str) -> dict[str, int]:
    """Where the moments of one tensor are."""
    names = [name for name, *_ in file.entries]
    return {moment: names.index(key) for moment in _MOMENTS if (key := f"{tensor}.{moment}") in names}


def _facts(parts: Sequence[GradientStatistics]) -> dict[str, Any]:
    """What the whole says of itself: what all parts say alike, and what any of them left out."""
    first = parts[0]

    def alike(name: str) -> Any:
        values = {getattr(part, name) for part in parts}
        return values.pop() if len(values) == 1 else None

    return {
        "source": listing([part.source for part in parts], 3),
        "step": alike("step"),
        "loss": alike("loss"),
        "dropped_examples": tuple(dict.fromkeys(name for part in parts for name in part.dropped_examples)),
        "clipped": any(part.clipped for part in parts),
        "microbatch_known": all(part.microbatch_known for part in parts),
        "batch_size": alike("batch_size"),
        "patterns": first.patterns,
        "skipped": tuple(entry for part in parts for entry in part.skipped),
        "assumptions": tuple(dict.fromkeys(said for part in parts for said in part.assumptions)),
    }
