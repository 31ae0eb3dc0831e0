"""README's Python runs as it stands."""

import re
from pathlib import Path

import pytest
import surge_fit as sf

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(root: Path) -> list[str]:
    return PYTHON.findall((root / "README.md").read_text(encoding="utf-8"))


def test_blocks_are_the_sweep_and_two_captures(root: Path) -> None:
    needs_torch = ["surge_fit.integrations.torch" in block for block in _blocks(root)]
    assert needs_torch == [False, True, True]


@pytest.mark.usefixtures("reading_folder")
def test_sweep_is_fitted_and_saved(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(_blocks(root)[0], "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    recommended = [line for line in lines if re.match(r"(64|512|4096)\.0 ", line)]
    assert len(recommended) == 3
    saved, read = sf.load_posterior("posterior.nc").sweep, sf.read_sweep("examples/digits_adam/sweep.csv")
    assert saved.to_dict() == read.to_dict()


@pytest.fixture
def training() -> dict[str, object]:
    """A tiny network in training, under the names that README gives it."""
    torch = pytest.importorskip("torch", reason="README's capture needs PyTorch (group torch)")
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    inputs = torch.randn(512, 3, generator=generator)
    targets = torch.randint(0, 2, (512,), generator=generator)

    def loss_fn(model: object, batch: tuple[object, object]) -> object:
        return torch.nn.functional.cross_entropy(model(batch[0]), batch[1])

    loss_fn(model, (inputs, targets)).backward()
    optimizer.step()  # so that there are moments to write
    optimizer.zero_grad()
    batches = [(inputs[k : k + 8], targets[k : k + 8]) for k in range(0, 512, 8)]
    return locals() | {"sf": sf}


def test_gradients_are_captured(root: Path, reading_folder: Path, training: dict[str, object]) -> None:
    exec(compile(_blocks(root)[1], "README.md", "exec"), training)
    assert sf.open_dump(reading_folder / "step1000.safetensors").rows == 512


def test_micro_batches_are_recorded(root: Path, reading_folder: Path, training: dict[str, object]) -> None:
    exec(compile(_blocks(root)[2], "README.md", "exec"), training)
    assert sf.open_dump(reading_folder / "step1000.safetensors").rows == 64
