"""A few draws of a native model: the log density that the sampler reports for each, and the model's own."""

import numpy as np
from surge_fit.sampling import native


def reported_and_own_density(model):
    ((free, statistics),) = native.sample([model], [0], chains=2, tune=100, draws=20, target_accept=0.9)
    columns = [
        (np.log(free[name]) if scale == "log" else free[name]).reshape(40, -1)
        for name, _, _, scale in model.variables()
    ]
    density, _ = model.log_density(np.concatenate(columns, axis=1))
    return statistics["lp"].ravel(), density
