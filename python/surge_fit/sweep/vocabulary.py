"""The words of headers: what a column is called, and the words around it that say which one it is.

Phrases stand for every spelling that `letters` makes one: ``val loss`` for ``Val/Loss``, ``valLoss`` and
``val_loss`` too.
"""

from dataclasses import dataclass

from surge_fit.sweep.schema import ALL_COLUMNS


@dataclass(frozen=True, slots=True)
class Phrase:
    """One name of a quantity.

    Attributes
    ----------
    meaning : str
        A canonical column, or one of `HELPERS`.
    unit : str
        What the name itself says the quantity counts: ``tokens``, ``nats``, ``accuracy``; ``""`` where
        nothing.
    """

    meaning: str
    unit: str = ""


LESS_IS_BETTER = {
    **dict.fromkeys(("cross entropy", "crossentropy", "xent", "ce", "nll", "neg log likelihood"), "nats"),
    **dict.fromkeys(("negative log likelihood", "log loss", "logloss", "bce", "nll loss"), "nats"),
    **dict.fromkeys(("cross entropy loss", "xent loss", "ce loss", "lm loss", "mlm loss"), "nats"),
    **dict.fromkeys(("ppl", "perplexity", "word perplexity", "byte perplexity"), "perplexity"),
    **dict.fromkeys(("bpb", "bits per byte"), "bits per byte"),
    **dict.fromkeys(("bpc", "bits per character", "bits per char"), "bits per character"),
    **dict.fromkeys(("bpd", "bits per dim", "bits per dimension"), "bits per dimension"),
    **dict.fromkeys(("mse", "mse loss", "mean squared error"), "mean squared error"),
    **dict.fromkeys(("rmse", "root mean squared error"), "root mean squared error"),
    **dict.fromkeys(("mae", "l1 loss", "mean absolute error"), "mean absolute error"),
    **dict.fromkeys(("wer", "word error rate"), "word error rate"),
    **dict.fromkeys(("cer", "character error rate"), "character error rate"),
    **dict.fromkeys(("error rate", "err", "error", "top1 error", "classification error"), "error"),
    **dict.fromkeys(("fid", "fid score"), "FID"),
    **dict.fromkeys(("objective", "objective value"), "objective"),
    **dict.fromkeys(("value", "values 0"), "value"),
}
"""Name of a metric of which less is better → its unit."""

MORE_IS_BETTER = {
    **dict.fromkeys(("accuracy", "acc", "top1", "top 1", "top1 accuracy", "top1 acc", "acc1"), "accuracy"),
    **dict.fromkeys(("top5", "top 5", "top5 accuracy", "top5 acc", "acc5", "exact match"), "accuracy"),
    **dict.fromkeys(("balanced accuracy", "acc norm", "pass at 1", "pass@1", "win rate"), "accuracy"),
    **dict.fromkeys(("f1", "f1 score", "f1 macro", "macro f1", "micro f1", "fscore"), "F1"),
    **dict.fromkeys(("auc", "auroc", "roc auc", "auprc", "average precision"), "AUC"),
    **dict.fromkeys(("map", "m ap", "map50", "map 50", "map50 95", "mean average precision"), "mAP"),
    **dict.fromkeys(("iou", "miou", "mean iou", "dice", "dice score"), "IoU"),
    **dict.fromkeys(("precision", "recall", "sensitivity", "specificity", "ndcg", "mrr", "r2"), "score"),
    **dict.fromkeys(("bleu", "bleu score", "sacrebleu", "chrf", "rouge", "rouge l", "rougel"), "BLEU"),
    **dict.fromkeys(("reward", "mean reward", "episode reward", "return", "episode return"), "reward"),
    **dict.fromkeys(("reward mean", "episode reward mean", "ep rew mean"), "reward"),
    **dict.fromkeys(("psnr", "ssim", "score", "mcc", "kappa"), "score"),
}
"""Name of a metric of which more is better → its unit."""

BOUNDED = ("accuracy", "F1", "AUC", "mAP", "IoU")
"""Metrics between 0 and 1, or 0 and 100 %: their distance from 1 is a loss."""

HELPERS: dict[str, tuple[str, ...]] = {
    "micro_batch_size": (
        *("micro batch size", "mbs", "micro bs", "microbatch size", "train micro batch size per gpu"),
        *("per device train batch size", "per gpu train batch size", "per device batch size"),
        *("per gpu batch size", "batch size per device", "batch size per gpu", "batch size per rank"),
        *("batch size per core", "batch size per replica", "batch size per worker", "batch size per chip"),
        *("device batch size", "local batch size", "local bs", "per core batch size", "bs per gpu"),
        *("batch per gpu", "batch per device", "per device bs", "samples per gpu", "device bs"),
    ),
    "accumulation": (
        *("gradient accumulation steps", "gradient accumulation", "grad accumulation steps"),
        *("grad accumulation", "grad accum", "grad accum steps", "grad acc", "grad acc steps"),
        *("accumulate grad batches", "accum steps", "accumulation steps", "accumulation", "accum"),
        *("accum iter", "gas", "update freq", "gradient accumulate every", "num microbatches"),
    ),
    "data_parallel": (
        *("data parallel size", "dp size", "dp", "dp degree", "data parallel degree", "data parallel"),
        *("data parallel replicas", "num data parallel", "ddp size", "data parallel world size"),
    ),
    "devices": (
        *("world size", "ddp world size", "n gpu", "num gpus", "n gpus", "gpus", "gpu count", "num gpu"),
        *("num devices", "devices", "n devices", "num processes", "num workers ddp", "number of gpus"),
        *("ngpu", "ngpus", "num tpus", "num chips", "num ranks", "num replicas", "gpu num"),
    ),
    "model_parallel": (
        *("tensor model parallel size", "pipeline model parallel size", "context parallel size"),
        *("tensor parallel size", "pipeline parallel size", "tp size", "pp size", "cp size", "tp", "pp"),
        *("tensor parallel degree", "pipeline parallel degree", "context parallel degree"),
    ),
    "index": (
        *("step", "epoch", "iter", "iteration", "global step", "epochs elapsed", "update", "optimizer step"),
        *("training step", "training iteration", "train step", "current step", "current epoch"),
    ),
    "examples_to_target": (
        *("examples to target", "samples to target", "sequences to target", "examples to loss"),
        *("samples to loss", "examples to reach target", "samples to converge", "examples to converge"),
    ),
    "tokens_to_target": ("tokens to target", "tokens to loss", "tokens to reach target"),
    "epochs_to_target": ("epochs to target", "epochs to loss", "epochs to converge"),
    "examples_per_epoch": (
        *("examples per epoch", "samples per epoch", "dataset size", "num train examples", "train set size"),
        *("num examples", "train samples", "num train samples", "training set size", "sequences per epoch"),
    ),
    "end_learning_rate": ("end lr", "min lr", "final lr", "eta min", "lr min", "lr end", "last lr"),
    "loss_deviation": ("loss std", "loss sd", "std loss", "sd loss", "loss std dev"),
    "direction": ("direction", "study direction", "metric direction", "optimization direction"),
}
"""What helps to read a table without being a column of the sweep → its names."""

FLAGS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("diverged", "isdiverged", "hasdiverged", "exploded", "isnan", "nanloss"), ("diverged", "")
    ),
    **dict.fromkeys(
        ("crashed", "failed", "isfailed", "oom", "outofmemory", "error occurred"), ("crashed", "")
    ),
    **dict.fromkeys(("pruned", "stoppedearly", "earlystopped", "earlystop", "killed"), ("stopped", "")),
    **dict.fromkeys(("finished", "completed", "success", "done", "isfinished"), ("finished", "stopped")),
}
"""Header of a column of yes and no → the status that a yes means, and the one that a no means."""

CONTAINERS = frozenset(
    [
        "config",
        "cfg",
        "conf",
        "params",
        "param",
        "hparams",
        "hparam",
        "hp",
        "hps",
        "hyperparameters",
        "hyperparameter",
        "hyper",
        "parameters",
        "training",
        "train",
        "trainer",
        "args",
        "arguments",
        "settings",
        "model",
        "data",
        "dataset",
        "dataloader",
        "loader",
        "optimizer",
        "optim",
        "opt",
        "optimiser",
        "metrics",
        "metric",
        "summary",
        "user",
        "attrs",
        "attributes",
        "logs",
        "log",
        "logged",
        "run",
        "runs",
        "results",
        "result",
        "experiment",
        "exp",
        "algo",
        "net",
        "network",
        "default",
        "main",
        "value",
        "values",
        "default",
        "desc",
        "info",
        "common",
        "general",
        "hydra",
        "setup",
        "wandb",
        "mlflow",
        "optuna",
        "ray",
        "raw",
        "job",
    ]
)
"""Words of paths and prefixes that hold a quantity and do not change it."""

AROUND: dict[str, frozenset[str]] = {
    "learning_rate": frozenset(
        [
            "peak",
            "max",
            "maximum",
            "base",
            "init",
            "initial",
            "start",
            "starting",
            "tuned",
            "nominal",
            "adam",
            "adamw",
            "sgd",
            "muon",
            "matrix",
            "lion",
            "constant",
            "global",
            "group",
            "pg",
            "0",
            "1",
            "best",
        ]
    ),
    "batch_size": frozenset(["global", "total", "effective", "overall", "per", "step", "update", "full"]),
    "loss": frozenset(
        [
            "training",
            "val",
            "valid",
            "validation",
            "eval",
            "evaluation",
            "test",
            "dev",
            "heldout",
            "held",
            "out",
            "holdout",
            "best",
            "final",
            "last",
            "min",
            "minimum",
            "mean",
            "avg",
            "average",
            "smooth",
            "smoothed",
            "ema",
            "total",
            "epoch",
            "step",
            "end",
            "running",
            "overall",
            "pretraining",
            "pretrain",
            "task",
            "token",
            "per",
            "lm",
            "median",
            "at",
        ]
    ),
    "steps": frozenset(
        ["max", "num", "total", "global", "n", "number", "of", "optimizer", "maximum", "final"]
    ),
    "tokens": frozenset(["max", "num", "total", "n", "number", "of", "seen", "processed"]),
    "index": frozenset(["global", "current"]),
    "run_id": frozenset(["run", "trial", "experiment", "exp", "job", "wandb", "mlflow", "ray"]),
    "optimizer": frozenset(["name", "type", "class"]),
    "schedule": frozenset(["name", "type", "class"]),
    "status": frozenset(["final"]),
}
"""Words around a name that leave its meaning as it is, or say which of several it is."""

TRAILING = frozenset(
    [
        "best",
        "final",
        "last",
        "min",
        "minimum",
        "max",
        "maximum",
        "mean",
        "avg",
        "average",
        "epoch",
        "step",
        "end",
        "value",
        "smooth",
        "smoothed",
        "ema",
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "eval",
        "test",
        "dev",
        "init",
        "initial",
        "peak",
        "base",
        "tuned",
        "total",
        "adam",
        "adamw",
        "sgd",
        "muon",
        "global",
        "overall",
        "median",
        "adamw",
        "w",
        "name",
        "type",
        "class",
        "seed",
        "run",
        "rep",
        "replicate",
    ]
)
"""Words that may follow a name."""

WHEREVER = frozenset(
    [
        "batch_size",
        "micro_batch_size",
        "accumulation",
        "data_parallel",
        "devices",
        "weight_decay",
        "beta1",
        "beta2",
        "seed",
    ]
)
"""What a name means whatever path leads to it; ``critic/lr`` and ``aux/loss`` may be other things."""

END_OF_SCHEDULE = frozenset(["min", "minimum", "end", "final", "last"])
"""Words that make a learning rate the one at the end of its schedule."""

NOT_FOR_TRAINING = frozenset(
    ["val", "valid", "validation", "eval", "evaluation", "test", "inference", "generation", "predict"]
)
"""Words that make a batch size one of evaluation."""


def letters(phrase: str) -> str:
    """Return a phrase without what separates its words; a single letter keeps its case."""
    joined = "".join(phrase.split()).replace("_", "")
    return joined if len(joined) == 1 else joined.lower()


def _phrases() -> dict[str, Phrase]:
    found: dict[str, Phrase] = {}
    for unit_of, meaning in ((LESS_IS_BETTER, "loss"), (MORE_IS_BETTER, "score")):
        found |= {letters(name): Phrase(meaning, unit) for name, unit in unit_of.items()}
    for meaning, names in HELPERS.items():
        found |= {letters(name): Phrase(meaning) for name in names}
    for column in ALL_COLUMNS:
        found |= {letters(name): Phrase(column.name) for name in (column.name, *column.synonyms)}
    for unit in ("tokens", "sequences", "examples"):
        for name, phrase in list(found.items()):
            if phrase.meaning == "batch_size" and unit in name:
                found[name] = Phrase("batch_size", unit)
    return found


PHRASES: dict[str, Phrase] = _phrases()
"""Every name, in `letters` → what it means."""
