"""How runs ended: the words of trackers, schedulers and people."""

import re
from functools import lru_cache

from surge_fit.typing import RunStatus

STATUS_WORDS: dict[str, RunStatus] = {
    **dict.fromkeys(
        (
            *("finished", "completed", "complete", "ok", "done", "success", "succeeded", "successful"),
            *("terminated", "keep", "kept", "discard", "discarded", "converged", "good", "passed", "pass"),
            *(
                "end",
                "ended",
                "exited",
                "exit 0",
                "exit code 0",
                "finish",
                "completing",
                "valid",
                "yes",
                "✓",
                "✔",
                "✅",
            ),
        ),
        "finished",
    ),
    **dict.fromkeys(
        (
            *("diverged", "nan", "inf", "infinity", "exploded", "divergence", "diverge", "diverges"),
            *("div", "diverging", "unstable", "loss nan", "nan loss", "blew up", "blow up", "blown up"),
            *("explodes", "exploding", "overflow", "nans", "loss is nan", "loss exploded", "not converged"),
        ),
        "diverged",
    ),
    **dict.fromkeys(
        (
            *("crashed", "failed", "fail", "error", "crash", "errored", "failure", "broken", "faulty"),
            *("oom", "out of memory", "cuda out of memory", "cuda oom", "oom killed", "oomkilled"),
            *("node fail", "node failure", "boot fail", "hardware failure", "exception", "nccl error"),
            *("lost", "evicted", "aborted by error", "segfault", "invalid", "bad", "launch failed"),
        ),
        "crashed",
    ),
    **dict.fromkeys(
        (
            *("stopped", "killed", "pruned", "running", "preempted", "cancelled", "canceled", "timeout"),
            *("timed out", "time out", "time limit", "deadline", "suspended", "pending", "queued", "waiting"),
            *("early stopped", "early stopping", "early stop", "stopped early", "interrupted", "paused"),
            *("scheduled", "in progress", "incomplete", "unfinished", "aborted", "requeued", "revoked"),
            *("preempting", "configuring", "resizing", "special exit", "created", "starting", "stale"),
            *("not started", "skipped", "partial", "ongoing", "halted", "censored", "stopping", "in queue"),
        ),
        "stopped",
    ),
}
"""Words for how a run ended → what they mean."""

_PATTERNS: tuple[tuple[re.Pattern[str], RunStatus], ...] = (
    (
        re.compile(r"\boom\b|out of memory|\bmemory\b|node fail|segfault|exception|traceback|\bnccl\b"),
        "crashed",
    ),
    (re.compile(r"diverg|explod|\bnans?\b|blew up|unstable|instabil|\binf\b"), "diverged"),
    (re.compile(r"early.?stop|prun|time.?out|time limit|preempt|cancel+ed|interrupt"), "stopped"),
    (re.compile(r"\bcrash|\bfail|\berror"), "crashed"),
)


@lru_cache(maxsize=4096)
def status_of(word: str) -> str:
    """Return what a word for how a run ended means, ``""`` where it is unknown.

    Out of memory is a crash, whatever stands beside it: it says nothing of the learning rate.
    """
    text = _plain(word)
    if text in STATUS_WORDS:
        return STATUS_WORDS[text]
    for pattern, status in _PATTERNS:
        if pattern.search(text):
            return status
    if (enumerated := _plain(word.rpartition(".")[2])) in STATUS_WORDS:  # TrialState.COMPLETE
        return STATUS_WORDS[enumerated]
    first = re.split(r"[(:;,\[]| by | with | at | after ", word.strip(), maxsplit=1)[0]
    return STATUS_WORDS.get(_plain(first), "")


@lru_cache(maxsize=4096)
def status_in_words(text: str) -> str:
    """Return how a run ended, where the words of another cell say that it did not finish; else ``""``."""
    if re.fullmatch(r"[+-]?(?:nan|inf|infinity)", text.strip(), re.I):
        return ""
    status = status_of(text)
    return "" if status == "finished" else status


def _plain(word: str) -> str:
    return re.sub(r"[\s_\-.]+", " ", word.strip().lower()).strip(" !")
