"""Gradient noise: dump → `GradientStatistics`, with intervals, in one pass over the files.

>>> import surge_fit as sf
>>> noise = sf.gradient_statistics("examples/digits_gradients/step00010.safetensors")
>>> round(noise.total.simple_noise_scale.value)
70
"""

from surge_fit.gradients.noise.cautions import cautions
from surge_fit.gradients.noise.logged import LoggedNoise, noise_scale_from_norms
from surge_fit.gradients.noise.measuring import gradient_statistics
from surge_fit.gradients.noise.merging import merge_statistics
from surge_fit.gradients.noise.norm_logs import NormLog, read_norm_log
from surge_fit.gradients.noise.storage import load_statistics, save_statistics
from surge_fit.gradients.noise.value import GradientStatistics, Quantity, TensorStatistics

__all__ = [
    "GradientStatistics",
    "LoggedNoise",
    "NormLog",
    "Quantity",
    "TensorStatistics",
    "cautions",
    "gradient_statistics",
    "load_statistics",
    "merge_statistics",
    "noise_scale_from_norms",
    "read_norm_log",
    "save_statistics",
]
