"""The sampler's statistics of every draw, under ArviZ's names, whichever engine drew."""

from collections.abc import Mapping
from typing import Any

import numpy as np

ARVIZ_NAMES = {
    "logp": "lp",
    "depth": "tree_depth",
    "mean_tree_accept": "acceptance_rate",
    "diverging": "diverging",
    "energy": "energy",
    "step_size": "step_size",
    "n_steps": "n_steps",
    "maxdepth_reached": "reached_max_treedepth",
}
"""ArviZ's name of a statistic by that of nuts-rs, which both engines run."""


def named_for_arviz(statistics: Mapping[Any, Any]) -> dict[str, np.ndarray]:
    """Take the statistics that ArviZ knows, under its names.

    Parameters
    ----------
    statistics : mapping of str to array_like, each of shape (chain, draw)
        Under the names of nuts-rs; others, such as those of its adaptation, are left out.

    Returns
    -------
    dict of str to ndarray, each of shape (chain, draw)
    """
    return {
        ours: np.asarray(statistics[theirs]) for theirs, ours in ARVIZ_NAMES.items() if theirs in statistics
    }
