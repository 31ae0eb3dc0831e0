"""Gradient dumps and their statistics as dicts for strict JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from surge_fit.gradients.dump import Dump
from surge_fit.gradients.noise import GradientStatistics, TensorStatistics, cautions
from surge_fit.gradients.noise.value import PROBABILITY
from surge_fit.report.records import strict_dict


def checkpoints_to_json(checkpoints: Sequence[GradientStatistics]) -> dict[str, Any]:
    """Tell the statistics of one checkpoint as a dict of JSON types; of several, as a list of them.

    Parameters
    ----------
    checkpoints : sequence of GradientStatistics

    Returns
    -------
    dict
        Of one: ``source, step, loss, unit, probability, total, tensors, groups, dropped_examples, skipped,
        notes``; of several: ``checkpoints``.
    """
    told = [_checkpoint(held) for held in checkpoints]
    return told[0] if len(told) == 1 else {"checkpoints": told}


def _checkpoint(held: GradientStatistics) -> dict[str, Any]:
    return strict_dict(
        {
            "source": held.source,
            "step": held.step,
            "loss": held.loss,
            "unit": held.unit,
            "probability": PROBABILITY,
            "batch_size": held.batch_size,
            "total": _row(held.total, held.batch_size),
            "tensors": [_row(row, held.batch_size) for row in held.tensors],
            "groups": [_row(row, held.batch_size) for row in held.groups],
            "dropped_examples": held.dropped_examples,
            "skipped": [{"name": name, "reason": why} for name, why in held.skipped],
            "notes": cautions(held),
        }
    )


def _row(row: TensorStatistics, batch_size: float | None) -> dict[str, Any]:
    told = asdict(row)
    for name in ("gradient_norm_squared", "gradient_covariance_trace", "inverse_noise_scale"):
        told[f"{name}_interval"] = told[name]["interval"]
        told[name] = told[name]["value"]
    if batch_size is not None and row.skewness is not None and row.excess_kurtosis is not None:
        told["skewness_of_batch_mean"] = row.skewness / math.sqrt(batch_size)
        told["excess_kurtosis_of_batch_mean"] = row.excess_kurtosis / batch_size
    return told


def dumps_to_json(dumps: Sequence[Dump]) -> dict[str, Any]:
    """Tell what gradient dumps hold as a dict of JSON types.

    Parameters
    ----------
    dumps : sequence of Dump

    Returns
    -------
    dict
        Of one dump its fields; of several: ``checkpoints``, a list of them.
    """
    told = [_dump(dump) for dump in dumps]
    return told[0] if len(told) == 1 else {"checkpoints": told}


def _dump(dump: Dump) -> dict[str, Any]:
    return strict_dict(
        {
            "source": dump.source,
            "layout": dump.layout,
            "rows": dump.rows,
            "examples": dump.examples,
            "parameters": dump.parameters,
            "bytes": dump.bytes,
            "microbatch_known": dump.microbatch_known,
            "loss_reduction": dump.loss_reduction,
            "loss_scale": dump.loss_scale,
            "clipped": dump.clipped,
            "step": dump.step,
            "loss": dump.loss,
            "tensors": [
                {
                    "name": tensor.name,
                    "dtype": tensor.dtype,
                    "shape": tensor.shape,
                    "rows": tensor.rows,
                    "parameters": tensor.parameters,
                }
                for tensor in dump.tensors
            ],
            "skipped": [{"name": name, "reason": why} for name, why in dump.skipped],
            "assumptions": dump.assumptions,
        }
    )
