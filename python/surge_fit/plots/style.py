"""The style of every figure: the colours of Okabe and Ito, which colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#6E6E6E"
BEYOND = "#EFEFEF"
WIDE, NARROW = 0.18, 0.32
"""Opacity of a 90 % and of a 50 % band."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Ends of the 90 % band, ends of the 50 % band, and the median between them."""

STYLE: Any = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "surge_fit",
}
"""Settings for `matplotlib.rc_context`."""


@contextmanager
def styled(ax: Axes | None) -> Iterator[Axes]:
    """The axes given, or those of a new figure, to be drawn on in this style."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        if ax is None:
            _, ax = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
        yield ax
