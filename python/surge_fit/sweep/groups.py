"""Which groups of a sweep are meant."""

from collections.abc import Mapping

from surge_fit.errors import SweepError
from surge_fit.importers.wording import listing


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
        raise SweepError(f"'group' must mean a group of {source}; {group!r} means none. {known}")
    return chosen


def _same(held: str, value: object) -> bool:
    try:
        return float(held) == float(str(value))
    except ValueError:
        return held == str(value)
