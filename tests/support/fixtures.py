"""Where the repository keeps files for its tests."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_GRADIENTS = ROOT / "tests" / "fixtures" / "not_gradients"
