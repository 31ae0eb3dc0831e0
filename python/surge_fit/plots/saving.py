"""Figures into files, without a display."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as _Path
from typing import TYPE_CHECKING

from surge_fit._support.files import replacing
from surge_fit.typing import Path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(draw: Callable[[], Figure], path: Path) -> None:
    """Draw a figure and write it to a file, whole or not at all.

    Parameters
    ----------
    draw : callable
        Makes the figure.
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    before = matplotlib.get_backend()
    plt.switch_backend("agg")
    try:
        figure = draw()
        with replacing(_Path(path)) as draft:
            figure.savefig(draft, dpi=160)
        plt.close(figure)
    finally:
        plt.switch_backend(before)
