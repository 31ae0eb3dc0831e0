"""Learning-rate curves: dump → `LearningRateCurve`, by theory and by resampling.

>>> import surge_fit as sf
>>> dump = sf.open_dump("examples/digits_gradients/step00010.safetensors")
>>> curve = sf.learning_rate_curve(dump, "sign", batch_size=[1, 4])
>>> for point in curve.points:
...     print(f"{point.batch_size:.0f}: {point.resampled.learning_rate:.1e}")
1: 1.2e-03
4: 3.8e-03
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
