"""The version of the package: that of its compiled part, known without reading metadata from a disk."""

from surge_fit._core import __version__

__all__ = ["__version__"]
