"""What the theory assumes of minibatch gradients, held against the population: Gaussian, and independent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

DRAWS = 400


@dataclass(frozen=True)
class Signs:
    """Signs of minibatch gradients at one batch size.

    Attributes
    ----------
    batch_size : int
    predicted, observed : ndarray, shape (parameter,)
        Mean sign if gradients were Gaussian, erf(√(B/2) μ/σ), and over the minibatches drawn.
    excess : float
        Root mean square difference of the two beyond what so few draws give by chance.
    correlation : float
        Mean of VᵀHV over Theorem 2's, Σ (1 − 𝓔²) H_ii + 𝓔ᵀH𝓔: 1 where signs are independent.
    """

    batch_size: int
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    excess: float
    correlation: float


def compare_signs(
    gradients: NDArray[np.float32], hessian: NDArray[np.float32], batch_size: int, seed: int = 0
) -> Signs:
    """Draw minibatches and compare their signs with what independent Gaussian gradients would have.

    Parameters
    ----------
    gradients : ndarray, shape (example, parameter)
        Of the population.
    hessian : ndarray, shape (parameter, parameter)
    batch_size : int
    seed : int

    Returns
    -------
    Signs
    """
    moving = gradients.std(axis=0) > 0
    mean, deviation = gradients.mean(axis=0, dtype=np.float64), gradients.std(axis=0, dtype=np.float64)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(gradients), (DRAWS, batch_size))
    signs = np.stack([np.sign(gradients[rows].mean(axis=0)) for rows in drawn])
    observed = signs.mean(axis=0, dtype=np.float64)
    predicted = np.zeros_like(mean)
    predicted[moving] = erf(np.sqrt(batch_size / 2) * mean[moving] / deviation[moving])
    chance = (signs.var(axis=0, dtype=np.float64) / (DRAWS - 1))[moving].mean()
    square = ((observed - predicted)[moving] ** 2).mean() - chance
    together = np.einsum("kp,kp->k", signs @ hessian, signs).mean(dtype=np.float64)
    alone = predicted @ hessian @ predicted + (1 - predicted**2) @ np.diag(hessian)
    return Signs(batch_size, predicted, observed, float(np.sqrt(max(square, 0.0))), float(together / alone))
