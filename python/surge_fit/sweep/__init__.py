"""The sweep: a table of training runs as one immutable value.

`read_sweep` reads it from a file, `Sweep.from_frame` from a data frame and `Sweep.from_columns` from arrays;
all three validate alike. A run that diverged, crashed or was stopped stays in the sweep as what it is.
"""

from surge_fit.sweep.groups import Covariates, labels_meant
from surge_fit.sweep.reading import read_sweep
from surge_fit.sweep.run import Run
from surge_fit.sweep.value import Sweep

__all__ = ["Covariates", "Run", "Sweep", "labels_meant", "read_sweep"]
