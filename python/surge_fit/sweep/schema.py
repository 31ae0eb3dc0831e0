"""The canonical columns of a table of runs, and the other names they go by.

This table is the only place that lists them: the reader, `Sweep.from_columns`, `Sweep.to_frame` and
`Sweep.to_dict` follow it, and a test holds the fields of `Sweep` to it.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from surge_fit.typing import BatchUnit, Protocol, RunStatus

Rule = Literal["positive", "non_negative", "fraction", "finite", "any", "text"]
"""What the cells of a column must hold; `surge_fit.sweep.sources.cells` enforces it."""


@dataclass(frozen=True)
class Column:
    """One canonical column: its name, the rule for its cells, what it means and its other names.

    Names stand for every spelling that `normalise` makes one: ``val_loss`` for ``Val/Loss`` too.
    """

    name: str
    rule: Rule
    help: str
    synonyms: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the cells are words, not numbers."""
        return self.rule == "text"


RUN_COLUMNS: tuple[Column, ...] = (
    Column(
        "run_id",
        "text",
        "name of the run; every run has its own",
        (
            *("id", "run", "run_name", "name", "exp_name", "experiment_name", "trial_id", "trial"),
            *("trial_name", "trial_number", "number", "run_number", "experiment", "exp", "job_id"),
        ),
    ),
    Column(
        "batch_size",
        "positive",
        "global batch size, in examples, sequences or tokens",
        (
            *("bs", "B", "batch", "bsz", "gbs", "gbsz", "global_bs", "global_batch", "global_batch_size"),
            *("train_batch_size", "train_bs", "total_batch_size", "effective_batch_size"),
            *("total_train_batch_size", "minibatch_size", "mini_batch_size", "batchsize", "batches"),
            *("batch_tokens", "batch_size_tokens", "batch_size_in_tokens", "tokens_per_batch"),
            *("tokens_per_step", "tokens_step", "tokens_per_update", "global_batch_tokens"),
            *("sequences_per_step", "examples_per_step", "samples_per_step", "images_per_batch"),
            *("batch_sequences", "batch_size_sequences", "batch_size_in_sequences", "sequences_per_batch"),
            *("batch_examples", "batch_size_examples", "batch_size_in_examples", "examples_per_batch"),
            *("batch_samples", "samples_per_batch"),
        ),
    ),
    Column(
        "learning_rate",
        "positive",
        "peak learning rate",
        ("lr", "lr0", "peak_lr", "max_lr", "peak_learning_rate", "max_learning_rate", "eta", "η"),
    ),
    Column(
        "loss",
        "any",
        "final loss; blank where a run has none",
        (
            *("final_loss", "smooth_loss", "train_loss", "training_loss", "val_loss", "valid_loss"),
            *("validation_loss", "eval_loss", "test_loss", "ℓ"),
        ),
    ),
    Column(
        "loss_se",
        "non_negative",
        "standard error of the loss, in its unit",
        ("loss_stderr", "stderr_loss", "se_loss", "loss_sem", "sem", "se", "stderr", "standard_error"),
    ),
    Column(
        "status",
        "text",
        "how the run ended: finished, diverged, crashed or stopped",
        ("state", "run_status", "run_state", "trial_status", "trial_state", "job_state", "outcome"),
    ),
    Column(
        "steps",
        "non_negative",
        "optimizer steps of the run",
        (
            *("ti", "max_steps", "num_steps", "total_steps", "train_steps", "training_steps", "n_steps"),
            *("iterations", "iters", "max_iters", "num_iterations", "train_iters", "updates"),
            *("optimizer_steps", "max_iterations", "num_updates", "max_updates", "train_num_steps"),
        ),
    ),
    Column(
        "tokens",
        "non_negative",
        "tokens processed in the run",
        ("D", "train_tokens", "training_tokens", "total_tokens", "num_tokens", "tokens_seen", "n_tokens"),
    ),
    Column("target_loss", "finite", "the loss the run had to reach", ("loss_target",)),
    Column(
        "steps_to_target",
        "positive",
        "optimizer steps until the target loss; blank where it was not reached",
        ("steps_to_loss", "steps_to_target_loss", "steps_to_converge", "iterations_to_target"),
    ),
    Column("seed", "finite", "random seed", ("random_seed",)),
    Column("beta1", "fraction", "Adam's first decay rate, or the momentum", ("beta_1", "adam_beta1")),
    Column("beta2", "fraction", "Adam's second decay rate", ("beta_2", "adam_beta2")),
    Column("weight_decay", "non_negative", "weight decay", ("wd",)),
    Column("warmup", "non_negative", "length of the warmup [steps]", ("warmup_steps", "num_warmup_steps")),
    Column("optimizer", "text", "the optimizer", ("optimiser", "optim")),
    Column(
        "schedule",
        "text",
        "the learning-rate schedule",
        ("lr_schedule", "learning_rate_schedule", "lr_scheduler", "lr_scheduler_type", "scheduler"),
    ),
    Column(
        "log_learning_rate_se",
        "non_negative",
        "standard error of log learning rate, of a published optimum",
        ("log_lr_se", "lr_log_se"),
    ),
    Column(
        "grid_step",
        "non_negative",
        "spacing in log learning rate of the grid from which an optimum was read",
        ("log_grid_step",),
    ),
)
"""The columns that hold one value per run; each is a field of `Sweep`."""

OPTIMUM_COLUMN = Column(
    "optimal_learning_rate",
    "positive",
    "best learning rate of a batch size, in a table of optimum points without runs",
    ("optimal_lr", "opt_lr", "lr_opt", "best_lr", "best_learning_rate", "epsilon_opt", "eta_opt"),
)
"""The column that makes a table one of optimum points; it becomes the sweep's ``learning_rate``."""

TABLE_COLUMNS: tuple[Column, ...] = (
    Column("batch_unit", "text", "what a batch counts, the same for all runs", ("batch_size_unit",)),
    Column("protocol", "text", "what was held fixed between the runs, the same for all runs"),
    Column("loss_unit", "text", "what the loss counts, the same for all runs; nats where it is not said"),
)
"""The columns that hold one value per table."""

ALL_COLUMNS: tuple[Column, ...] = (*RUN_COLUMNS, OPTIMUM_COLUMN, *TABLE_COLUMNS)

BATCH_UNITS: tuple[str, ...] = get_args(BatchUnit)
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
STATUSES: tuple[str, ...] = get_args(RunStatus)

BLANK_WORDS: tuple[str, ...] = ("", "null", "none", "na", "n/a", "<na>")
"""Cells that say there is no value. ``nan`` is not among them: a loss of NaN is a fact about the run."""


def normalise(header: str) -> str:
    """Return a header without the differences that carry no meaning: case, spaces, slashes, dots, dashes.

    A single letter keeps its case: ``D`` is the tokens of a run in the literature, ``d`` is anything.
    """
    words = re.sub(r"[\s/._\-]+", "_", header.strip()).strip("_")
    return words if len(words) == 1 else words.lower()
