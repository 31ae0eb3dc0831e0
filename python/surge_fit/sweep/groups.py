"""Which groups of a sweep are meant, and what is known of them in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit._support.arguments import positive_number
from surge_fit._support.wording import listing
from surge_fit.errors import SweepError
from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """Numbers that describe groups, such as the parameters of a model or the tokens of a run.

    Attributes
    ----------
    names : tuple of str
        Group columns.
    log_value : ndarray, shape (group, covariate)
        Natural logarithms.
    """

    names: tuple[str, ...]
    log_value: FloatArray

    @property
    def log_centre(self) -> FloatArray:
        """Mean over the groups of `log_value`, shape (covariate,)."""
        return np.asarray(self.log_value.mean(axis=0))

    @property
    def centred(self) -> FloatArray:
        """`log_value` less its mean over the groups: e-folds from the typical group."""
        return self.log_value - self.log_centre


def covariates_of(
    names: Sequence[str], group_values: Mapping[str, Mapping[str, str]], source: str
) -> Covariates:
    """Read the covariates of all groups; see `Sweep.covariates`."""
    values = np.empty((max(len(group_values), 1), len(names)))
    for column, name in enumerate(names):
        for row, (label, held) in enumerate(group_values.items()):
            values[row, column] = _positive(name, held, label, source)
        if not group_values or len(np.unique(values[:, column])) < 2:
            msg = (
                f"The covariate {name!r} must differ between the groups of {source}; there is one value "
                "or none. Read the sweep with group_by=… of that column, or leave the covariate out."
            )
            raise SweepError(msg)
    if len(set(names)) < len(names):
        msg = f"Every covariate must be named once; got {', '.join(names)}."
        raise SweepError(msg)
    return Covariates(tuple(names), np.log(values))


def _positive(name: str, held: Mapping[str, str], label: str, source: str) -> float:
    if name not in held:
        msg = (
            f"A covariate must be a group column of {source}; {name!r} is none of {', '.join(held)}. "
            "Read the sweep with group_by=… of that column too."
        )
        raise SweepError(msg)
    value = positive_number(held[name])
    if value is None:
        msg = (
            f"The covariate {name!r} must be a positive number in every group; the group {label!r} of "
            f"{source} has {held[name]!r}. Correct it, or leave the covariate out."
        )
        raise SweepError(msg)
    return value


def labels_meant(
    group: str | Mapping[str, object], group_values: Mapping[str, Mapping[str, str]], source: str
) -> tuple[str, ...]:
    """Find the groups that are asked for.

    Parameters
    ----------
    group : str or mapping
        A label, or group column → value; values are compared as numbers where both are, else as text.
    group_values : mapping of str to mapping of str to str
        Group label → group column → value.
    source : str
        Where the groups came from, for the message.

    Returns
    -------
    tuple of str
        Their labels, at least one.

    Raises
    ------
    SweepError
        If no group is meant.
    """
    if isinstance(group, str):
        chosen = tuple(label for label in group_values if label == group)
    else:
        chosen = tuple(
            label
            for label, held in group_values.items()
            if all(name in held and _same(held[name], value) for name, value in group.items())
        )
    if not chosen:
        known = (
            f"The groups are {listing([repr(label) for label in group_values], 10)}."
            if group_values
            else "The sweep has no groups: read it with group_by=… to make some."
        )
        msg = f"'group' must mean a group of {source}; {group!r} means none. {known}"
        raise SweepError(msg)
    return chosen


def _same(held: str, value: object) -> bool:
    try:
        return float(held) == float(str(value))
    except ValueError:
        return held == str(value)
