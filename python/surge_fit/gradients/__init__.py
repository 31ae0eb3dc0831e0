"""Stored gradients → their noise and the learning rates that they suggest.

`dump` opens files and arrays, `noise` sums them in one pass, and `curve` reads learning rates off them.
"""
