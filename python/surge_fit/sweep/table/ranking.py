"""Which of several columns that may be the same thing is the likelier: the example of the question."""

from collections.abc import Sequence

import numpy as np

from surge_fit.sweep.table.cells import NumberColumn
from surge_fit.sweep.table.headers import Header

_VALIDATION = frozenset(
    ["val", "valid", "validation", "dev", "heldout", "held", "holdout", "eval", "evaluation"]
)
_LOGGED = frozenset(["train", "metrics", "metric", "summary", "logged", "logs", "log"])
_CONFIGURED = frozenset(
    ["config", "cfg", "params", "param", "hparams", "hyperparameters", "args", "optimizer", "optim", "opt"]
)
_PEAK = frozenset(["peak", "max", "maximum", "base", "init", "initial", "start"])
_GLOBAL = frozenset(["global", "total", "effective", "overall", "gbs", "gbsz"])
_METRIC_CLASSES = ({"", "nats"}, {"bits per byte", "bits per character", "bits per dimension", "perplexity"})


def metric_class(header: Header) -> int:
    """Return how far the metric is from a loss: 0 for a loss, 1 for what is one in other units, 2 else."""
    return next((level for level, kinds in enumerate(_METRIC_CLASSES) if header.metric in kinds), 2)


def rank_loss(header: Header) -> tuple[int, int]:
    """Order losses: of validation, of test, smoothed, plain, of training; the last before the best."""
    words = header.words
    if words & _VALIDATION:
        place = 0
    elif "test" in words:
        place = 1
    elif words & {"smooth", "smoothed", "ema"}:
        place = 2
    else:
        place = 4 if words & {"train", "training"} else 3
    return place, int(bool(words & {"best", "min", "minimum"}))


def rank_rate(header: Header, columns: dict[str, NumberColumn]) -> tuple[int, int, int, int]:
    """Order learning rates: nowhere below another, peak, configured, written out, logged while training."""
    own = columns[header.text].values
    with np.errstate(invalid="ignore"):
        below = any(bool((own < other.values).any()) for other in columns.values())
    words = header.words
    return (
        int(below),
        int(not words & _PEAK),
        int(bool(words & _LOGGED)) - int(bool(words & _CONFIGURED)),
        int("learning" not in words and "learningrate" not in words),
    )


def rank_batch(header: Header) -> int:
    """Order batch sizes: those that say they are global first."""
    return int(not header.words & _GLOBAL)


def says_global(header: Header) -> bool:
    """Whether a header says that it is the whole batch."""
    return bool(header.words & _GLOBAL)


def first_by_rank(headers: Sequence[Header], ranks: Sequence[object]) -> Header:
    """Return the header of the least rank; of equals the last, which is the one written later."""
    order = sorted(range(len(headers)), key=lambda index: (ranks[index], -index))
    return headers[order[0]]
