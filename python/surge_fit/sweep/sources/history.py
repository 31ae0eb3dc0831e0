"""From what a run logged along its way to one number for each metric."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

History = Mapping[str, Sequence[float]]
"""Metric → its values in the order in which they were logged."""

_RATE = re.compile(r"(?<![a-z])(lr|learning[_ ]?rate)(?![a-z])", re.IGNORECASE)
_NOT_A_RATE = re.compile(r"(sched|warm|decay|anneal|mult|factor|scale|ratio|min|final|end)", re.IGNORECASE)
_CLOCK = re.compile(r"(^|[/_])_?(step|steps|iter|iters|iteration|iterations|epoch)$", re.IGNORECASE)


def is_rate(key: str) -> bool:
    """Tell whether a metric or setting is a learning rate by its name: ``train/lr``, ``lr-AdamW/pg1``."""
    return _RATE.search(key) is not None and _NOT_A_RATE.search(key) is None


def reduced(history: History, config: Iterable[str] = ()) -> dict[str, float]:
    """Reduce every metric of a run to one number.

    Parameters
    ----------
    history : mapping of str to sequence of float
    config : iterable of str
        The names of what was set before the run.

    Returns
    -------
    dict of str to float
        A logged learning rate follows a schedule: its peak is told, as ``peak …``, and only where none was
        set. Of steps and epochs it is the greatest, of everything else the last value, NaN included: a loss
        that ended as NaN has diverged.
    """
    is_set = any(is_rate(key) for key in config)
    numbers: dict[str, float] = {}
    for key, values in history.items():
        if not values:
            continue
        if not is_rate(key):
            numbers[key] = max(values) if _CLOCK.search(key) else values[-1]
        elif not is_set:
            finite = [value for value in values if math.isfinite(value)]
            numbers[f"peak {key}"] = max(finite, default=math.nan)
    return numbers
