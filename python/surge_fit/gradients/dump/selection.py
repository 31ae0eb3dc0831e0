"""Which arrays of a source are gradients: what the caller names, and what only stands beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.gradients.dump.kinds import last_part
from surge_fit.gradients.dump.sources import Array, Source

_BESIDE = re.compile(
    r"(?:per_?(?:example|sample)_)?loss(?:es)?|labels?|targets?|logits|pred(?:iction)?s|probs|probabilities|indices"
    r"|inputs|images|tokens|input_ids|(?:sample|example|importance)_weights?|out_to_loss"
)
"""Names of what stands beside gradients and has one row per example too."""

_NUMBERS = re.compile(
    r"(?:(?:train|val|test|mean|total)_)?loss|lr|learning_rate|(?:global_)?step|epoch|accuracy|(?:grad(?:ient)?_)?norm"
    r"|(?:loss_)?scale|seed|batch_size|microbatch_size|num_(?:examples|samples|tokens)|n|count"
)
"""Names of single numbers that a training loop writes beside a gradient."""

_SCALARS = re.compile(
    r"b|bias|scale|logit_scale|temperature|alpha|beta|gamma|gain|shift|offset|intercept|threshold"
)
"""Names of parameters that may be one number."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The arrays that the caller wants, by regular expressions that are searched in their names.

    Attributes
    ----------
    only, leave_out : tuple of re.Pattern
        An array is wanted if one of `only` (or there is none of them) and none of `leave_out` is found.
    """

    only: tuple[re.Pattern[str], ...] = ()
    leave_out: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, only: str | Sequence[str], leave_out: str | Sequence[str]) -> Selection:
        """Compile the caller's patterns.

        Raises
        ------
        InputError
            If one is no regular expression.
        """
        return cls(_compiled("only", only), _compiled("leave_out", leave_out))

    def names(self, array: Array) -> bool:
        """Whether the caller named an array as one to take."""
        return any(pattern.search(array.name) for pattern in self.only)

    def wants(self, array: Array) -> bool:
        """Whether an array is to be taken."""
        named = not self.only or self.names(array)
        return named and not any(pattern.search(array.name) for pattern in self.leave_out)

    def applied(self, sources: Sequence[Source]) -> list[Source]:
        """Keep the arrays that are wanted, and the sources that have one.

        Parameters
        ----------
        sources : sequence of Source

        Returns
        -------
        list of Source

        Raises
        ------
        InputError
            If none is left.
        """
        if not self.only and not self.leave_out:
            return list(sources)
        kept = [
            source.leaving_out({array.name: "as you say" for array in source.arrays if not self.wants(array)})
            for source in sources
        ]
        if not any(source.arrays for source in kept):
            names = list(dict.fromkeys(array.name for source in sources for array in source.arrays))
            msg = (
                "'only' and 'leave_out' (command line: --only, --leave-out) must leave an array; of "
                f"{listing(names, 6) or 'none'} they leave none. Mend the patterns."
            )
            raise InputError(msg)
        first, *others = (source for source in kept if source.arrays)
        lost = [left for source in kept if not source.arrays for left in source.skipped]
        return [first.naming(lost), *others]


def _compiled(argument: str, given: str | Sequence[str]) -> tuple[re.Pattern[str], ...]:
    found = []
    for text in (given,) if isinstance(given, str) else given:
        try:
            found.append(re.compile(text))
        except (re.error, TypeError) as error:
            msg = f"'{argument}' must be regular expressions, such as '^layers'; {text!r} is none: {error}."
            raise InputError(msg) from None
    return tuple(found)


def beside_gradients(source: Source, selection: Selection) -> dict[str, str]:
    """Find arrays with one number per example, or one in all, that stand beside gradients along an axis.

    Parameters
    ----------
    source : Source
        Where it says how its gradients were taken, its arrays are gradients unless their names say no.
    selection : Selection
        What the caller named is a gradient.

    Returns
    -------
    dict of str to str
        Why each is no gradient, by name; empty where all arrays are such.
    """
    arrays = source.arrays
    lone = not source.says_gradients and any(len(array.shape) > 1 for array in arrays)
    found = {}
    for array in arrays:
        last, axes = last_part(array.name), len(array.shape)
        named = _BESIDE.fullmatch(last.lower()) is not None
        if selection.names(array) or (not named and (axes > 1 or not lone or _SCALARS.fullmatch(last))):
            continue
        shape = f"of shape {array.shape}" if axes else "a single number"
        found[array.name] = f"{shape}, as losses, labels or weights of examples are, and no gradient"
    return {} if len(found) == len(arrays) else found


def numbers_beside(arrays: Sequence[Array], selection: Selection) -> dict[str, str]:
    """Find single numbers, such as a loss, that stand beside a gradient.

    Parameters
    ----------
    arrays : sequence of Array
    selection : Selection
        What the caller named is a gradient.

    Returns
    -------
    dict of str to str
        Why each is no gradient, by name; empty where all arrays are such.
    """
    found = {
        array.name: "a single number by the name of a loss, a step or a rate, and no gradient"
        for array in arrays
        if array.shape in ((), (1,))
        and not selection.names(array)
        and _NUMBERS.fullmatch(last_part(array.name).lower())
    }
    return {} if len(found) == len(arrays) else found
