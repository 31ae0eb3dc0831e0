"""What a header may mean: its path, the name at its end, the words around it, and the unit it states."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise

from surge_fit.sweep.vocabulary import (
    AROUND,
    CONTAINERS,
    END_OF_SCHEDULE,
    NOT_FOR_TRAINING,
    PHRASES,
    TRAILING,
    WHEREVER,
)

_UNITS = {
    **dict.fromkeys(("token", "tokens", "tok", "toks"), "tokens"),
    **dict.fromkeys(("sequence", "sequences", "seq", "seqs"), "sequences"),
    **dict.fromkeys(("example", "examples", "sample", "samples", "images", "image", "ex"), "examples"),
    **dict.fromkeys(("nat", "nats"), "nats"),
    **dict.fromkeys(("bit", "bits"), "bits"),
    **dict.fromkeys(("bits/byte", "bits per byte", "bpb"), "bits per byte"),
    **dict.fromkeys(("%", "percent", "pct"), "%"),
}
_FACTORS = {
    **dict.fromkeys(("k", "thousand", "thousands", "kilo"), 1e3),
    **dict.fromkeys(("m", "million", "millions", "mega"), 1e6),
    **dict.fromkeys(("b", "bn", "billion", "billions"), 1e9),
}
_LOGARITHM = re.compile(
    r"^\s*(log2|log10|log_10|log_2|ln|lg)(?:\s*\(\s*(.+?)\s*\)|[\s_]+(?:of[\s_]+)?(.+))\s*$", re.I
)
_BASES = {"log2": 2.0, "log_2": 2.0, "log10": 10.0, "log_10": 10.0, "lg": 10.0, "ln": 2.718281828459045}
_TIMES = re.compile(r"^(.*?)\s*[×x*]\s*(1e[+-]?\d{1,2}|10\^\{?[+-−]?\d{1,2}\}?)\s*$")
_BASELESS = re.compile(r"^\s*log(?:\s*\(|[\s_]+)(.+?)\)?\s*$", re.I)
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_POWER_OF_TEN = re.compile(r"^[×x*]?\s*(?:10\^?\{?([+-−]?\d{1,2})\}?|1e([+-]?\d{1,2}))$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LOGGED = ("learning_rate", "batch_size")
"""What may be written as a logarithm without its base."""

_REPLICATE = re.compile(r"^(?:seed|run|rep|replicate|trial|try|repeat|fold|s|r)?[\s_]?(\d+)$", re.I)
_GROUP = re.compile(r"^(?:pg|group|param_group)?\d+$", re.I)
_ACROSS_PATHS = re.compile(r"^(?:tokens|sequences|samples|examples)(?:step|update|batch)$")


@dataclass(frozen=True, slots=True)
class Header:
    """One header, read.

    Attributes
    ----------
    text : str
        As the table has it.
    meaning : str
        A canonical column or a helper of `surge_fit.sweep.vocabulary`; ``""`` where nothing is known.
    before, after : tuple of str
        The words around the name, of its path too.
    strange : tuple of str
        Those of them that may change its meaning.
    words : frozenset of str
        All its words.
    metric : str
        What kind of loss or score the name is: ``nats``, ``perplexity``, ``accuracy``; ``""`` where it does
        not say.
    unit : str
        What the header says it counts; ``""`` where it does not.
    factor : float
        What its numbers are to be multiplied by: 1000 under ``batch (K tokens)``.
    base : float or None
        Base of the logarithm that its numbers are.
    replicate : str
        Which of several repetitions it holds: ``0`` for ``loss_seed0``; ``""`` where it does not say.
    """

    text: str
    meaning: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    metric: str = ""
    unit: str = ""
    factor: float = 1.0
    base: float | None = None
    replicate: str = ""

    @property
    def around(self) -> frozenset[str]:
        """All words around the name."""
        return frozenset((*self.before, *self.after))


@lru_cache(maxsize=4096)
def read_header(text: str) -> Header:
    """Say what a header may mean.

    The last meaningful words decide: ``params/optim.base_lr`` is a learning rate, ``lr_scheduler`` a
    schedule,
    ``loss_scale`` nothing known.
    """
    inner, base = text.strip(" *`"), None
    if match := _LOGARITHM.match(text):
        inner, base = match[2] or match[3], _BASES[match[1].lower()]
    elif (baseless := _BASELESS.match(text)) and read_header(baseless[1]).meaning in _LOGGED:
        return Header(text, read_header(baseless[1]).meaning, strange=("log",))
    inner, unit, factor, extra = _bracketed(_TIMES.sub(r"\1 (\2)", inner))
    components = [_words(part) for part in re.split(r"[/.:>|\\]+", inner) if part.strip()]
    words = [word for component in components for word in component]
    if not words:
        return Header(text, unit=unit)
    firsts = [0, *accumulate(len(component) for component in components[:-1])]
    start_of_last = firsts[-1]
    best: Header | None = None
    for end in range(len(words), 0, -1):
        after = tuple(words[end:])
        if not all(_may_follow(word) for word in after):
            break
        for start in range(end):
            key = _joined(words[start:end])
            if start < start_of_last < end and not (_ACROSS_PATHS.match(key)):
                continue
            phrase = PHRASES.get(key)
            if phrase is None:
                continue
            before = words[:start]
            if phrase.meaning in WHEREVER:
                own = max(first for first in firsts if first <= start)
                before = [word for word in words[:own] if word in NOT_FOR_TRAINING] + words[own:start]
            header = _judged(text, phrase.meaning, tuple(before), (*after, *extra))
            is_metric = phrase.meaning in ("loss", "score")
            header = replace(
                header,
                words=frozenset((*words, *extra)),
                metric=header.metric or (phrase.unit if is_metric else ""),
                unit=unit or ("" if is_metric else phrase.unit),
                factor=factor,
                base=base,
            )
            if not header.strange:
                return header
            best = best or header
            break
    return best or Header(text, unit=unit)


def spelt_alike(one: str, other: str) -> bool:
    """Whether two headers differ only in case, spaces, slashes, dots and dashes."""
    return _plain(one) == _plain(other)


def _plain(header: str) -> str:
    words = re.sub(r"[\s/._\-]+", "_", header.strip()).strip("_")
    return words if len(words) == 1 else words.lower()


def _judged(text: str, meaning: str, before: tuple[str, ...], after: tuple[str, ...]) -> Header:
    """Tell harmless words around a name from those that may change it, and settle what they say."""
    allowed = AROUND.get("loss" if meaning == "score" else meaning, frozenset())
    around = {*before, *after}
    if meaning == "learning_rate" and around & END_OF_SCHEDULE:
        meaning = "end_learning_rate"
        allowed = AROUND["learning_rate"] | END_OF_SCHEDULE
    elif meaning in ("batch_size", "micro_batch_size") and around & NOT_FOR_TRAINING:
        return Header(text, "", before, after, tuple(sorted(around)))
    replicate, metric = "", ""
    strange = []
    same = PHRASES.get(_joined(list(before)))
    for word in (*(() if same and same.meaning == meaning else before), *after):
        if (word in CONTAINERS and meaning != "run_id") or word in allowed:
            continue
        same = PHRASES.get(word)
        if same and same.meaning == meaning and len(word) > 1:
            metric = metric or (same.unit if meaning in ("loss", "score") else "")
            continue
        numbered = _REPLICATE.match(word)
        if meaning in ("loss", "score") and numbered:
            replicate = numbered[1]
        elif meaning == "learning_rate" and _GROUP.match(word):
            continue
        else:
            strange.append(word)
    if meaning in ("loss", "score") and not replicate:
        replicate = _spoken_replicate((*before, *after))
        strange = [word for word in strange if word not in ("seed", "run", "rep", "replicate", "trial")]
    return Header(text, meaning, before, after, tuple(strange), metric=metric, replicate=replicate)


def _spoken_replicate(words: tuple[str, ...]) -> str:
    for word, following in pairwise(words):
        if word in ("seed", "run", "rep", "replicate", "trial") and following.isdigit():
            return following
    return ""


def _bracketed(text: str) -> tuple[str, str, float, tuple[str, ...]]:
    """Return a header without its brackets, and what these say: unit, factor, other words."""
    unit, factor, extra = "", 1.0, []
    for content in _BRACKETS.findall(text):
        power = _POWER_OF_TEN.match(content.strip().replace(" ", ""))
        if power:
            factor *= 10.0 ** int((power[1] or power[2]).replace("−", "-"))
            continue
        if content.strip().lower() in _UNITS:
            unit = _UNITS[content.strip().lower()]
            continue
        for word in re.split(r"[\s/,_]+", content.strip()):
            if word.lower() in _UNITS:
                unit = _UNITS[word.lower()]
            elif word.lower() in _FACTORS:
                factor *= _FACTORS[word.lower()]
            elif word and word.lower() not in ("in", "of", "per", "log", "byte"):
                extra.append(word.lower())
    bare = _BRACKETS.sub(" ", text)
    if "%" in bare:
        unit, bare = "%", bare.replace("%", " ")
    return bare.strip() or text, unit, factor, tuple(extra)


def _words(component: str) -> list[str]:
    parts = [part for part in re.split(r"[\s_\-,;]+", component.strip().replace("AdamW", "adamw")) if part]
    words = [word for part in parts for word in _CAMEL.split(part) if word]
    if len(words) == 1 and len(words[0]) == 1:
        return words
    return [word.lower() for word in words]


def _joined(words: list[str]) -> str:
    joined = "".join(words)
    return joined if len(joined) == 1 else joined.lower()


def _may_follow(word: str) -> bool:
    return word in TRAILING or word in CONTAINERS or bool(_REPLICATE.match(word) or _GROUP.match(word))
