"""Where a reader tries what is written: at the root of the repository, as far as examples go."""

from pathlib import Path

import pytest
import surge_fit as sf


@pytest.fixture
def reading_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working directory with the repository's ``examples``, so that files written stay out of it."""
    (tmp_path / "examples").symlink_to(root / "examples", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def posterior(root: Path) -> sf.Posterior:
    """The posterior of README's first command, which docstrings call ``posterior``."""
    return sf.fit(sf.read_sweep(root / "examples/digits_adam/sweep.csv"))
