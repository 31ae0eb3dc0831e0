"""Learning-rate curves: dump → `LearningRateCurve`, by theory and by resampling.

>>> import surge_fit as sf
>>> curve = sf.learning_rate_curve("gradients.safetensors", "sign")  # doctest: +SKIP
>>> [(point.batch_size, point.resampled.learning_rate) for point in curve.points]  # doctest: +SKIP
"""

from surge_fit.gradients.curve.curvature import Curvature, CurvatureLike, read_curvature
from surge_fit.gradients.curve.measuring import learning_rate_curve
from surge_fit.gradients.curve.state import Optimizer, UpdateRule, update_rule
from surge_fit.gradients.curve.storage import load_curve, save_curve
from surge_fit.gradients.curve.value import (
    CurvePoint,
    LearningRateCurve,
    ResampledPoint,
    SignCheck,
    TheoryPoint,
    Verdict,
)
from surge_fit.gradients.curve.verdict import FLAGS

__all__ = [
    "FLAGS",
    "Curvature",
    "CurvatureLike",
    "CurvePoint",
    "LearningRateCurve",
    "Optimizer",
    "ResampledPoint",
    "SignCheck",
    "TheoryPoint",
    "UpdateRule",
    "Verdict",
    "learning_rate_curve",
    "load_curve",
    "read_curvature",
    "save_curve",
    "update_rule",
]
