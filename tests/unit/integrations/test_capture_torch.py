"""Captured gradients are PyTorch's own, example by example; what cannot be captured is refused."""

import importlib.util

import numpy as np
import pytest
from support.safetensors_files import read_safetensors
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump import open_dump

if importlib.util.find_spec("torch") is None:
    pytest.skip(
        "PyTorch is not installed; `uv run --group torch pytest` installs it", allow_module_level=True
    )

import torch
from surge_fit.integrations.torch import MicroBatchRecorder, capture_gradients

EXAMPLES = 12


class Network(torch.nn.Module):
    """One hidden layer, with a frozen tensor, one that takes no part, and one used twice."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(5, 4)
        self.output = torch.nn.Linear(4, 3)
        self.shift = torch.nn.Parameter(torch.zeros(4))
        self.unused = torch.nn.Parameter(torch.ones(2))
        self.frozen = torch.nn.Parameter(torch.ones(5), requires_grad=False)

    def forward(self, images):
        hidden = torch.tanh(self.hidden(images * self.frozen) + self.shift)
        return self.output(torch.tanh(hidden * (1 + self.shift)))


@pytest.fixture
def problem():
    torch.manual_seed(0)
    examples = {"images": torch.randn(EXAMPLES, 5), "labels": torch.randint(0, 3, (EXAMPLES,))}
    return Network(), examples


def mean_loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["images"]), batch["labels"])


def autograd(model, examples, start, stop):
    """Differentiate one slice of the examples by itself, with a backward pass, by name."""
    model.zero_grad()
    mean_loss(model, {key: value[start:stop] for key, value in examples.items()}).backward()
    found = {
        name: np.zeros(tuple(held.shape), "f4") if held.grad is None else held.grad.numpy().copy()
        for name, held in model.named_parameters()
        if held.requires_grad
    }
    model.zero_grad()
    return found


@pytest.mark.parametrize(("microbatch_size", "chunk_size"), [(1, None), (1, 5), (3, None), (3, 2)])
def test_every_row_is_the_gradient_of_its_examples(tmp_path, problem, microbatch_size, chunk_size):
    model, examples = problem
    captured = capture_gradients(
        mean_loss,
        model,
        examples,
        tmp_path / "g.safetensors",
        microbatch_size=microbatch_size,
        chunk_size=chunk_size,
        shard_bytes=800,  # 45 float32 numbers are 180 bytes: four rows a file
    )
    rows = EXAMPLES // microbatch_size
    assert (captured.rows, captured.parameters, len(captured.gradients)) == (rows, 45, rows // 4)
    assert all(held.grad is None for held in model.parameters())
    arrays, _ = read_safetensors(*captured.gradients)
    for row in range(rows):
        expected = autograd(model, examples, row * microbatch_size, (row + 1) * microbatch_size)
        assert arrays.keys() == expected.keys()
        for name, gradient in expected.items():
            np.testing.assert_allclose(arrays[name][row], gradient, rtol=1e-5, atol=1e-7)
    dump = open_dump(captured.gradients)
    assert (dump.rows, dump.examples, dump.assumptions) == (rows, EXAMPLES, ())
    assert dump.loss == pytest.approx(float(mean_loss(model, examples).detach()), rel=1e-6)


class Tied(torch.nn.Module):
    """Output weights that are the input weights."""

    def __init__(self):
        super().__init__()
        self.input = torch.nn.Linear(5, 3, bias=False)
        self.output = torch.nn.Linear(5, 3)
        self.output.weight = self.input.weight

    def forward(self, images):
        return self.output(torch.tanh(torch.nn.functional.linear(self.input(images), self.input.weight.T)))


def test_tied_weights_are_one_tensor_with_the_gradient_of_all_its_uses(tmp_path, problem):
    """Rows are PyTorch's own sums, which differ from the gradient of the output alone."""
    _, examples = problem
    model = Tied()
    captured = capture_gradients(mean_loss, model, examples, tmp_path / "g.safetensors")
    with MicroBatchRecorder(model, tmp_path / "m.safetensors", microbatch_size=2, rows=6) as recorder:
        accumulate(model, examples, 6, recorder)
    assert captured.parameters == 3 * 5 + 3
    for paths, size, scale in ((captured.gradients, 1, 1), (recorder.paths, 2, 6)):
        arrays, _ = read_safetensors(*paths)
        assert arrays.keys() == {"input.weight", "output.bias"}
        for row in range(EXAMPLES // size):
            for name, gradient in autograd(model, examples, size * row, size * (row + 1)).items():
                np.testing.assert_allclose(scale * arrays[name][row], gradient, rtol=1e-5, atol=1e-6)
    untied = Tied()
    untied.load_state_dict(model.state_dict())
    untied.output.weight = torch.nn.Parameter(model.input.weight.detach().clone())
    alone = autograd(untied, examples, 0, 2)["output.weight"]
    assert np.abs(alone - autograd(model, examples, 0, 2)["input.weight"]).max() > 1e-3


@pytest.mark.parametrize("microbatch_size", [1, 3])
def test_bfloat16_is_what_pytorch_rounds_to(tmp_path, problem, microbatch_size):
    options = {"microbatch_size": microbatch_size}
    short = capture_gradients(mean_loss, *problem, tmp_path / "s.safetensors", dtype="bfloat16", **options)
    exact = capture_gradients(mean_loss, *problem, tmp_path / "e.safetensors", **options)
    assert {tensor.dtype for tensor in open_dump(short.gradients).tensors} == {"bfloat16"}
    arrays, expected = (read_safetensors(*held.gradients)[0] for held in (short, exact))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, torch.tensor(expected[name]).bfloat16().float().numpy())


def test_a_float64_model_is_captured_too(tmp_path, problem):
    model, examples = problem
    examples["images"] = examples["images"].double()
    captured = capture_gradients(mean_loss, model.double(), examples, tmp_path / "g.safetensors")
    arrays, _ = read_safetensors(*captured.gradients)
    expected = autograd(model, examples, 4, 5)["hidden.weight"]
    np.testing.assert_allclose(arrays["hidden.weight"][4], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_the_state_of_adam_is_what_the_optimizer_holds(tmp_path, problem, kind):
    model, examples = problem
    decay = 0.05 if kind is torch.optim.AdamW else 0.0
    model.unused.requires_grad_(False)
    optimizer = kind(model.parameters(), lr=1e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay)
    for _ in range(3):
        optimizer.zero_grad()
        mean_loss(model, examples).backward()
        optimizer.step()
    captured = capture_gradients(mean_loss, model, examples, tmp_path / "g.safetensors", optimizer=optimizer)
    assert captured.state.name == "g.adam_state.safetensors"
    arrays, told = read_safetensors(captured.state)
    wanted = {
        "step": 3,
        "beta1": 0.8,
        "beta2": 0.95,
        "eps": 1e-6,
        "weight_decay": decay,
        "learning_rate": 0.01,
    }
    assert {key: float(value) for key, value in told.items()} == wanted
    assert open_dump(captured.gradients).step == 3
    held = optimizer.state[model.hidden.weight]
    np.testing.assert_array_equal(arrays["hidden.weight.exp_avg"], held["exp_avg"].numpy())
    np.testing.assert_array_equal(arrays["hidden.weight.exp_avg_sq"], held["exp_avg_sq"].numpy())
    assert len(arrays) == 2 * 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), "this SGD has no betas"),
        (lambda p: torch.optim.Adam(p, amsgrad=True), "this Adam has amsgrad set"),
        (lambda p: torch.optim.Adam(p, weight_decay=0.1), "Weight decay must be decoupled"),
        (lambda p: torch.optim.Adam(p), "has none of 'shift'. Capture after its first step"),
        (
            lambda p: torch.optim.Adam([{"params": p[:1]}, {"params": p[1:], "eps": 1e-6}]),
            "same eps; found 1e-08 and 1e-06",
        ),
    ],
)
def test_an_optimizer_whose_update_is_another_is_refused(tmp_path, problem, make, said):
    model, examples = problem
    with pytest.raises(InputError, match=said):
        capture_gradients(
            mean_loss, model, examples, tmp_path / "g.safetensors", optimizer=make([*model.parameters()])
        )
    assert list(tmp_path.iterdir()) == []


def test_hutchinson_is_exact_where_the_hessian_is_diagonal(tmp_path):
    # loss = ½ mean_n Σ_i a_i x_ni² w_i²: the Hessian is diagonal with entries a_i mean_n x_ni², and
    # z_i (Hz)_i = H_ii z_i² = H_ii for every sign vector.
    curvatures = torch.tensor([1.0, -2.0, 3.0])
    examples = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    model = torch.nn.Module()
    model.w = torch.nn.Parameter(torch.ones(3))
    captured = capture_gradients(
        lambda held, x: (0.5 * (curvatures * x**2 * held.w**2).sum(dim=-1)).mean(),
        model,
        examples,
        tmp_path / "g.safetensors",
        hessian_probes=1,
        chunk_size=2,
    )
    arrays, told = read_safetensors(captured.hessian_diagonal)
    expected = (curvatures * (examples**2).mean(dim=0)).numpy()
    np.testing.assert_allclose(arrays["w.hessian_diagonal"], expected, rtol=1e-5)
    assert told == {"probes": "1", "seed": "0"}


def test_the_same_seed_gives_the_same_files(tmp_path, problem):
    first, again, other = (
        capture_gradients(
            mean_loss, *problem, tmp_path / f"{k}.safetensors", hessian_probes=2, random_seed=k // 2
        )
        for k in range(3)
    )
    assert first.gradients[0].read_bytes() == again.gradients[0].read_bytes()
    assert first.hessian_diagonal.read_bytes() == again.hessian_diagonal.read_bytes()
    assert first.hessian_diagonal.read_bytes() != other.hessian_diagonal.read_bytes()


def test_a_gradient_that_is_not_finite_is_refused_by_row(tmp_path, problem):
    model, examples = problem
    examples["images"][7, 2] = torch.nan
    with pytest.raises(DumpError, match="row 7"):
        capture_gradients(mean_loss, model, examples, tmp_path / "g.safetensors", chunk_size=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": torch.zeros(5, 5)}, r"array 0 has 5, array 1 has 12. Pad ragged"),
        ({"images": torch.zeros(0, 5), "labels": torch.zeros(0)}, "at least one example; it holds none"),
        ({"weight": torch.tensor(2.0)}, "array 2 is a single number"),
        ({"images": np.zeros((12, 5))}, "must be tensors; found a ndarray"),
    ],
)
def test_ragged_empty_and_foreign_examples_are_refused(tmp_path, problem, change, said):
    model, examples = problem
    with pytest.raises(InputError, match=said):
        capture_gradients(mean_loss, model, examples | change, tmp_path / "g.safetensors")


def test_normalisation_over_the_batch_is_refused_until_it_is_frozen(tmp_path, problem):
    _, examples = problem
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3))
    with pytest.raises(InputError, match=r"module '1' does so. Call model.eval\(\)"):
        capture_gradients(mean_loss, model, examples, tmp_path / "g.safetensors")
    assert capture_gradients(mean_loss, model.eval(), examples, tmp_path / "g.safetensors").rows == EXAMPLES


def test_a_model_without_trained_tensors_is_refused(tmp_path, problem):
    model, examples = problem
    with pytest.raises(InputError, match="at least one trained tensor"):
        capture_gradients(mean_loss, model.requires_grad_(False), examples, tmp_path / "g.safetensors")


def accumulate(model, examples, microbatches, watched=None):
    """Run backward passes over consecutive micro-batches of two, each divided by their number."""
    for number in range(microbatches):
        batch = {key: value[2 * number : 2 * number + 2] for key, value in examples.items()}
        if watched is None:
            (mean_loss(model, batch) / microbatches).backward()
        else:
            with watched.microbatch():
                (mean_loss(model, batch) / microbatches).backward()


def test_recorded_rows_are_those_of_the_micro_batches_and_training_sees_no_difference(tmp_path, problem):
    model, examples = problem
    accumulate(model, examples, 6)
    untouched = {name: held.grad.clone() for name, held in model.named_parameters() if held.grad is not None}
    model.zero_grad()
    with MicroBatchRecorder(
        model, tmp_path / "g.safetensors", microbatch_size=2, rows=5, loss_scale=1 / 6, step=7
    ) as recorder:
        accumulate(model, examples, 6, recorder)
        assert recorder.full
    for name, held in model.named_parameters():
        if held.grad is not None:
            torch.testing.assert_close(held.grad, untouched[name], rtol=0, atol=0)
    dump = open_dump(recorder.paths)
    assert (dump.rows, dump.examples, dump.loss_scale, dump.step, dump.loss) == (5, 10, 1 / 6, 7, None)
    arrays, _ = read_safetensors(*recorder.paths)
    for row in range(5):
        for name, gradient in autograd(model, examples, 2 * row, 2 * row + 2).items():
            np.testing.assert_allclose(6 * arrays[name][row], gradient, rtol=1e-5, atol=1e-7)


def test_a_loop_that_ends_early_leaves_what_it_recorded(tmp_path, problem):
    model, examples = problem
    with MicroBatchRecorder(model, tmp_path / "g.safetensors", microbatch_size=2, rows=9) as recorder:
        accumulate(model, examples, 4, recorder)
        assert not recorder.full
    assert open_dump(recorder.paths).rows == 4


def test_a_loop_that_fails_leaves_no_file_and_no_hook(tmp_path, problem):
    model, examples = problem

    def failing():
        with (
            MicroBatchRecorder(model, tmp_path / "g.safetensors", microbatch_size=2, rows=9) as recorder,
            recorder.microbatch(),
        ):
            mean_loss(model, examples).backward()
            msg = "out of memory"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="out of memory"):
        failing()
    assert list(tmp_path.iterdir()) == []
    assert not any(held._backward_hooks for held in model.parameters())


def test_a_recorder_of_nothing_is_refused(tmp_path, problem):
    with pytest.raises(InputError, match="'rows' must be at least 1"):
        MicroBatchRecorder(problem[0], tmp_path / "g.safetensors", microbatch_size=2, rows=0)
