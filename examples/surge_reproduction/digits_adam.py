"""The example that this one builds on: its data, its first network, and the optima of its grid."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "digits_adam"))

import optimum
import train

__all__ = ["optimum", "train"]
