"""One page: predicted against measured, noise scales over training, the limit of large batches, signs."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

STEP_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
GREY = "#6E6E6E"
TITLES = {"sgd": "SGD", "sign": "sign descent", "adam": "Adam"}
THEORIES = {"sgd": "exact for SGD", "sign": "Theorem 2", "adam": "Theorem 2, of signs"}
STYLE: Any = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def draw(results: dict[str, Any]) -> Figure:
    """Draw the results of `reproduce.py`.

    Parameters
    ----------
    results : dict
        As in results.json.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, 3, figsize=(12.4, 11.4), layout="constrained")
        _whole_runs(axes[0, 2], results["whole_runs"])
        for row, (network, checkpoints) in zip(axes, results["networks"].items(), strict=False):
            for axis, optimizer in zip(row, TITLES, strict=True):
                _curves(axis, network, optimizer, checkpoints)
        _noise_scales(axes[2, 0], results)
        _limit(axes[2, 1], results["networks"])
        _signs(axes[2, 2], results["networks"])
        for axis in axes.flat:
            axis.grid(color="#E8E8E8", lw=0.6)
            axis.set_axisbelow(True)
            if not axis.get_legend():
                axis.legend(loc="best")
        return figure


def _curves(axis: Axes, network: str, optimizer: str, checkpoints: list[dict[str, Any]]) -> None:
    for colour, held in zip(STEP_COLOURS, checkpoints, strict=False):
        measured, predicted = held["measured"][optimizer], held["predicted"][optimizer]
        rates, error = _numbers(measured["learning_rate"]), _numbers(measured["standard_error"])
        bars = [rates - rates * np.exp(-2 * error), rates * np.exp(2 * error) - rates]
        size = measured["batch_size"]
        axis.errorbar(size, rates, yerr=bars, fmt="o", ms=4, lw=1, color=colour, label=f"step {held['step']}")
        sizes = predicted["batch_size"]
        axis.plot(sizes, _numbers(predicted["resampled"]), color=colour, lw=1.4)
        axis.fill_between(sizes, *_numbers(predicted["interval"]).T, color=colour, alpha=0.15, lw=0)
        axis.plot(sizes, _numbers(predicted["theory"]), color=colour, lw=1, ls="--")
    axis.set(xscale="log", yscale="log", xlabel="batch size [examples]", ylabel="best one-step learning rate")
    seen = np.concatenate([_numbers(held["measured"][optimizer]["learning_rate"]) for held in checkpoints])
    axis.set_ylim(np.nanmin(seen) / 10, np.nanmax(seen) * 10)
    axis.set_title(f"{TITLES[optimizer]}, {network}")
    handles = axis.get_legend_handles_labels()[0]
    handles += [
        plt.Line2D([], [], color=GREY, lw=1.4, label="resampled"),
        plt.Line2D([], [], color=GREY, lw=1, ls="--", label=THEORIES[optimizer]),
    ]
    axis.legend(handles=handles, loc="best")


def _whole_runs(axis: Axes, found: dict[str, Any]) -> None:
    axis.plot(
        found["batch_size"], found["learning_rate"], color="black", lw=1, marker="x", ms=4, label="whole runs"
    )


def _noise_scales(axis: Axes, results: dict[str, Any]) -> None:
    kinds = {
        "simple_noise_scale": ("tr Σ/|G|²", "o-"),
        "sgd_noise_scale": ("SGD's", "s--"),
        "surge_noise_scale": ("Theorem 3's", "^:"),
    }
    for colour, (network, checkpoints) in zip(STEP_COLOURS, results["networks"].items(), strict=False):
        steps = [held["step"] for held in checkpoints]
        for key, (label, style) in kinds.items():
            values = _numbers([held[key] for held in checkpoints])
            values[~(values > 0)] = np.nan
            axis.plot(steps, values, style, color=colour, ms=4, lw=1, label=f"{label}, {network}")
    low, high = results["whole_runs"]["interval"]
    axis.axhspan(low, high, color=GREY, alpha=0.2, lw=0, label="critical batch size, whole runs (90 %)")
    axis.set(xscale="log", yscale="log", xlabel="step", ylabel="noise scale [examples]")
    axis.set_title("Noise scales over training")


def _limit(axis: Axes, networks: dict[str, Any]) -> None:
    checkpoints = next(iter(networks.values()))
    for colour, held in zip(STEP_COLOURS, checkpoints, strict=False):
        measured, predicted, limit = held["measured"]["sign"], held["predicted"]["sign"], held["limit"]
        if limit <= 0:
            continue
        rates = _numbers(measured["learning_rate"]) / limit
        axis.plot(measured["batch_size"], rates, "o-", ms=4, lw=1, color=colour, label=f"step {held['step']}")
        axis.plot(predicted["batch_size"], _numbers(predicted["theory"]) / limit, color=colour, lw=1, ls="--")
    axis.axhline(1, color="black", lw=0.8)
    axis.set(xscale="log", yscale="log", xlabel="batch size [examples]", ylabel="rate / Theorem 4's limit")
    axis.set_title("Sign descent at large batches (dashed: Theorem 2)")


def _signs(axis: Axes, networks: dict[str, Any]) -> None:
    held = next(iter(networks.values()))[-1]
    for colour, found in zip(STEP_COLOURS, held["signs"], strict=False):
        label = f"B = {found['batch_size']}: VᵀHV {found['correlation']:.0f}× that of independent signs"
        axis.plot(found["predicted"], found["observed"], "o-", ms=3, lw=1, color=colour, label=label)
    axis.plot([-1, 1], [-1, 1], color="black", lw=0.8)
    axis.set(xlabel="mean sign if Gaussian, erf(√(B/2) μ/σ)", ylabel="mean sign observed")
    axis.set_title(f"Signs of minibatch gradients, step {held['step']}")


def _numbers(values: Any) -> NDArray[np.float64]:
    """Read numbers of JSON, None as NaN."""
    return np.array(values, dtype=np.float64)
