"""How long the answers of one target are: learned by task, from the latest of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from llmroute.policy.scoring.live import Output

__all__ = ["Lengths", "median"]

#: Of each task the latest answers are kept, beside so many of the length that the target's file
#: makes expect.
_ANSWERS, _PRIOR_ANSWERS = 32, 5
#: Tasks that are kept; that which was asked for longest ago is forgotten. Callers name tasks.
_TASKS, _TASK_NAME = 32, 200
#: Longer answers are not believed.
_LONGEST = 1_000_000
#: Lengths are powers of √2, so that they change seldom; a step is taken past three quarters of it.
_STEP = 0.5


class Lengths:
    """The lengths of a target's answers; `usual` is replaced with each answer, never changed.

    Lengths are in tokens, negative of answers that were cut short: these would be longer.
    """

    def __init__(self) -> None:
        self.usual: Mapping[str, Output] = MappingProxyType({})
        self._answers: dict[str, array[int]] = {}

    def add(self, task: str, tokens: int, expected: int, most: int | None) -> bool:
        """Learn from an answer, where it says something; return whether it does.

        `expected` is the length that the target's file makes expect, `most` what it allows.
        """
        if abs(tokens) > _LONGEST or len(task) > _TASK_NAME:
            return False
        answers = self._answers.pop(task, None) or array("i")
        answers.append(tokens)
        del answers[:-_ANSWERS]
        self._answers[task] = answers
        usual, known = dict(self.usual), self.usual.get(task)
        found = median([*answers, *[expected] * _PRIOR_ANSWERS])
        length = _stepped(found, known.tokens if known else expected)
        usual[task] = Output(min(length, most or length), len(answers))
        if len(self._answers) > _TASKS:
            oldest = next(iter(self._answers))
            del self._answers[oldest], usual[oldest]
        self.usual = MappingProxyType(usual)
        return True


def median(lengths: Iterable[int]) -> int:
    """Return the median length, by Kaplan's and Meier's estimate of survival.

    An answer that was cut short (negative) counts among those that go on until its own length, and
    not after it. Where more than half go on beyond all that was seen, it is the longest seen. Of
    two in the middle it is the shorter one. (Kaplan & Meier 1958, Nonparametric Estimation from
    Incomplete Observations.)
    """
    ordered = sorted(lengths, key=lambda length: (abs(length), length < 0))
    survival = 1.0
    for place, length in enumerate(ordered):
        if length > 0:
            survival *= 1 - 1 / (len(ordered) - place)
            if survival < 0.5 + 1e-9:  # floats: one half may be a little more
                return length
    return abs(ordered[-1])


def _stepped(found: int, now: int) -> int:
    """Return the power of √2 that is nearest to a length, the present one where that is near."""
    if abs(math.log2(found / now)) <= 0.75 * _STEP:
        return now
    return round(2 ** (round(math.log2(found) / _STEP) * _STEP))
