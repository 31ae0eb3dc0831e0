"""Draws of a posterior density, and whether to trust them.

`native` samples built-in models in Rust, `pymc_engine` any model through PyMC and nutpie; `diagnostics`
judges the chains.
"""
