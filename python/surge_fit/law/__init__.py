"""The hypotheses: how the optimal learning rate depends on the batch size.

>>> import numpy as np
>>> from surge_fit.law import get_law
>>> surge = get_law("surge")
>>> print(surge)
Surge law: log ε = log ε_max − log cosh(½·log(B_noise/B))
>>> draws = {"log_max_learning_rate": np.log([1e-3]), "log_noise_scale": np.log([256.0])}
>>> float(surge.peak_batch_size(draws)[0].round(6))
256.0
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from surge_fit.errors import InputError
from surge_fit.law.base import Law, Parameter, Role
from surge_fit.law.broken_power import BROKEN_POWER
from surge_fit.law.constant import CONSTANT
from surge_fit.law.draws import Draws, LawDraws
from surge_fit.law.landscape import Landscape
from surge_fit.law.large_batch import LARGE_BATCH_HALF, SGD
from surge_fit.law.power import LINEAR, POWER, SQUARE_ROOT
from surge_fit.law.saturating_surge import SATURATING_SURGE
from surge_fit.law.surge import SURGE, SURGE_FREE_EXPONENT

__all__ = ["LAWS", "Draws", "Landscape", "Law", "LawDraws", "Parameter", "Role", "get_law"]

LAWS: Mapping[str, Law] = MappingProxyType(
    {
        law.name: law
        for law in (
            CONSTANT,
            POWER,
            LINEAR,
            SQUARE_ROOT,
            SGD,
            LARGE_BATCH_HALF,
            SURGE,
            SURGE_FREE_EXPONENT,
            SATURATING_SURGE,
            BROKEN_POWER,
        )
    }
)
"""The built-in laws by name."""


def get_law(law: str | Law) -> Law:
    """Look a law up by name; a law itself is returned as it is.

    Parameters
    ----------
    law : str or Law
        Name of a built-in law, or a law.

    Returns
    -------
    Law

    Raises
    ------
    InputError
        If no built-in law has that name.

    Examples
    --------
    >>> print(sf.get_law("square_root"))
    Square-root rule: log ε = log c + ½·log B
    """
    if isinstance(law, Law):
        return law
    if isinstance(law, str) and law in LAWS:
        return LAWS[law]
    close = difflib.get_close_matches(law, LAWS, n=1) if isinstance(law, str) else []
    hint = f"Did you mean {close[0]!r}?" if close else "Use one of these names, or pass a Law."
    msg = f"'law' must be the name of a built-in law or a Law; got {law!r}. Known: {', '.join(LAWS)}. {hint}"
    raise InputError(msg)
