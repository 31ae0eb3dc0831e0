"""A module with its loss and its examples, as capturing takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from surge_fit.errors import InputError
from surge_fit.gradients.dump.shard import StoredDtype
from surge_fit.integrations.capturing import Arrays, common_length
from surge_fit.integrations.torch.tensors import as_float, as_stored, import_torch, mapped, trained


class TorchModel:
    """A loss over a module's trained parameters, with its examples."""

    def __init__(self, loss_fn: Callable[[Any, Any], Any], model: Any, examples: Any) -> None:
        torch = import_torch()
        self.params = trained(model)
        self.shapes = {name: tuple(held.shape) for name, held in self.params.items()}
        self.data = examples
        lengths: dict[str, int | None] = {}
        mapped(
            lambda leaf: lengths.setdefault(f"array {len(lengths)}", leaf.shape[0] if leaf.ndim else None),
            examples,
        )
        self.examples = common_length(lengths)
        averaging = [
            name
            for name, module in model.named_modules()
            if module.training and getattr(module, "track_running_stats", False)
        ]
        if averaging:
            msg = (
                "Gradients of single examples do not exist where a batch is normalised by its own mean; "
                f"module '{averaging[0]}' does so. Call model.eval(), or use group or layer normalisation."
            )
            raise InputError(msg)

        class Loss(torch.nn.Module):  # type: ignore[misc, name-defined]
            """A module whose parameters are replaced while the loss is evaluated."""

            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, batch: Any) -> Any:
                return loss_fn(self.model, batch)

        held = Loss()

        def loss_of(params: dict[str, Any], batch: Any) -> Any:
            return torch.func.functional_call(
                held, {f"model.{name}": value for name, value in params.items()}, (batch,)
            )

        self._loss_of = loss_of

    def gradients(self, start: int, rows: int, size: int, dtype: StoredDtype) -> tuple[Arrays, Any]:
        """See `Differentiable`."""
        torch = import_torch()
        stored = getattr(torch, dtype)
        params = {name: held.detach() for name, held in self.params.items()}
        if size == 1:
            batches = mapped(lambda leaf: leaf[start : start + rows].unsqueeze(1), self.data)
            differentiate = torch.func.grad_and_value(self._loss_of)
            found, losses = torch.func.vmap(differentiate, in_dims=(None, 0), randomness="different")(
                params, batches
            )
            return {name: as_stored(held, stored) for name, held in found.items()}, as_float(losses)
        found = {name: torch.empty((rows, *shape), dtype=stored) for name, shape in self.shapes.items()}
        losses = np.empty(rows)
        for row in range(rows):  # one after the other: the memory of one micro-batch at a time
            begin = start + row * size
            loss = self._mean_loss(begin, begin + size)
            losses[row] = float(loss.detach())
            for held, gradient in zip(found.values(), self._differentiated(loss), strict=True):
                held[row] = gradient.to(dtype=stored)
        return {name: as_stored(held, stored) for name, held in found.items()}, losses

    def hessian_diagonal(self, probes: int, chunk: int, seed: int, done: Callable[[int], None]) -> Arrays:
        """See `Differentiable`."""
        torch = import_torch()
        generator = torch.Generator().manual_seed(seed)
        total = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        for number in range(probes):
            signs = [
                (2 * torch.randint(0, 2, held.shape, generator=generator) - 1).to(held)
                for held in self.params.values()
            ]
            for start in range(0, self.examples, chunk):
                stop = min(start + chunk, self.examples)
                loss = self._mean_loss(start, stop)
                gradient = self._differentiated(loss, create_graph=True)
                along = sum((g * z).sum() for g, z in zip(gradient, signs, strict=True))
                share = (stop - start) / self.examples / probes
                for held, z, hz in zip(total.values(), signs, self._differentiated(along), strict=True):
                    held += share * as_float(z * hz)
                done(number * self.examples + stop)
        return total

    def _mean_loss(self, start: int, stop: int) -> Any:
        return self._loss_of(self.params, mapped(lambda leaf: leaf[start:stop], self.data))

    def _differentiated(self, value: Any, create_graph: bool = False) -> Any:
        """Differentiate by the parameters; zero by those that do not enter."""
        return import_torch().autograd.grad(
            value, list(self.params.values()), create_graph=create_graph, materialize_grads=True
        )
