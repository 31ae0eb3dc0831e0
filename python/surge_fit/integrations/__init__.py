"""Gradients out of a training framework, into files that `surge_fit.open_dump` reads.

>>> from surge_fit.integrations.torch import capture_gradients  # doctest: +SKIP
>>> captured = capture_gradients(loss_fn, model, examples, "step9.safetensors")  # doctest: +SKIP

`surge_fit.integrations.jax` has the same function. Each imports its framework when it is called.
"""
