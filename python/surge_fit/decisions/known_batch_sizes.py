"""Batch sizes that a posterior can be asked for."""

from __future__ import annotations

import numpy as np

from surge_fit._support.wording import number
from surge_fit.errors import InputError
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray


def require_known_batch_sizes(posterior: Posterior, batch_size: FloatArray) -> None:
    """Refuse batch sizes that nothing is known of, where all runs share another one.

    Parameters
    ----------
    posterior : Posterior
    batch_size : ndarray, shape (batch_size,)

    Raises
    ------
    InputError
    """
    tried = posterior.observations.batch_size[0]
    others = batch_size[~np.isclose(batch_size, tried)]
    if posterior.has_one_batch_size and len(others):
        msg = (
            f"All runs of {posterior.sweep.source} have batch size {number(tried)}: nothing shows how the "
            f"best learning rate changes with it, so none can be recommended at {number(others[0])}. Ask for "
            f"{number(tried)}, or add runs at other batch sizes."
        )
        raise InputError(msg)
