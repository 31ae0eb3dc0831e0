"""From a file to a sweep."""

from collections.abc import Mapping, Sequence

from surge_fit.sweep.sources.opening import open_source
from surge_fit.sweep.table.reading import read_table
from surge_fit.sweep.value import Sweep
from surge_fit.typing import BatchUnit, NanMeaning, Path, Progress, Protocol


def read_sweep(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    batch_unit: BatchUnit | None = None,
    protocol: Protocol | None = None,
    group_by: str | Sequence[str] | None = None,
    maximize: bool | None = None,
    nan_loss: NanMeaning | None = None,
    where: str | Sequence[str] = (),
    progress: Progress | None = None,
) -> Sweep:
    """Read the runs of a sweep from a file, a folder, a database or a tracker.

    Parameters
    ----------
    path : path-like
        A folder that a tracker or trainer wrote (Hugging Face, Lightning, TensorBoard, MLflow, Ray Tune,
        Hydra, offline runs of W&B, training logs), recognised by what it holds; ``sqlite:///file.db`` or a
        journal (Optuna, MLflow, Trackio); ``http://server`` of MLflow; ``wandb:entity/project[/sweep]``; or
        a file, or ``-`` for standard input: CSV and its dialects, JSON, JSONL, Parquet, Arrow, Markdown or a
        spreadsheet, compressed or not. It has one row per run, or one per step of each run. Headers may be
        the synonyms in common use (``lr``, ``bs``, ``val/loss``, …), whatever their case, spaces and slashes.
        Required are the batch size, the learning rate, and the loss or the steps to a target; or, for
        published optima without runs, the batch size and ``optimal_learning_rate``; or, for the critical
        batch size, the batch size and the steps to a target (``steps_to_target``, or ``steps`` beside
        ``target_loss`` or with the protocol ``to_target``).
    columns : mapping of str to str, optional
        Canonical name → header, for headers that are not understood: ``{"loss": "smooth loss"}``.
    batch_unit : {"examples", "sequences", "tokens"}, optional
        Unit of the batch size. It is never guessed: without it, the file must have a column ``batch_unit`` or
        a header that states it (``batch_tokens``).
    protocol : {"one_step", "fixed_steps", "fixed_tokens", "to_target"}, optional
        What was held fixed between the runs, unless the file has a column ``protocol``.
    group_by : str or sequence of str, optional
        Columns whose values together define a group: a model size, a data size, a checkpoint. They are not
        matched to other columns: to use a column ``D`` as tokens too, say so in `columns`.
    maximize : bool, optional
        Whether more of the metric is better. An accuracy, a score or a reward is refused as a loss unless
        this is true; the loss is then its negative or, if it lies between 0 and 1, its distance from 1.
    nan_loss : {"diverged", "crashed"}, optional
        Meaning of a NaN loss without a status. Unless it is stated, such runs are left out, and
        `Sweep.checks` says so.
    where : str or sequence of str, optional
        Conditions that runs must meet: ``"optimizer=adamw"``, ``"steps>=1000"``, ``"state!=crashed"``.
    progress : callable, optional
        Called with a sentence and the share that is done, or None, while a folder or tracker is read.

    Returns
    -------
    Sweep
        Every run of the file. Blank cells and the words null, none, na and n/a are missing values; a loss of
        NaN or infinity is kept.

    Raises
    ------
    SweepError
        If the file cannot be read, or a row does not hold what it must; the message names the row.

    Examples
    --------
    >>> sweep = sf.read_sweep("examples/digits_adam/sweep.csv")
    >>> sweep
    Sweep(13 runs, 3 batch sizes 8…512 [examples], 1 diverged)
    >>> sweep.best_run().learning_rate
    0.001
    >>> sf.read_sweep("examples/critical_batch_size/steps_to_target.csv", group_by="params")
    Sweep(45 runs, 9 batch sizes 64…16384 [sequences], 5 groups)
    """
    table = open_source(
        str(path), where=(where,) if isinstance(where, str) else tuple(where), progress=progress
    )
    fields = read_table(
        table,
        columns=columns,
        batch_unit=batch_unit,
        protocol=protocol,
        group_by=group_by,
        maximize=maximize,
        nan_loss=nan_loss or table.nan_loss,
    )
    return Sweep(**fields)
