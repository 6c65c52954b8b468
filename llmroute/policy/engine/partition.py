"""Targets that are alike in what a rule or requirement reads of them.

Such targets get the same points from it, or pass it together, whatever the request says; so that
it is evaluated once per request and class, not per target.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

from llmroute.catalog.model import Target
from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.expressions.expression import look_up

__all__ = ["FEW", "Partition", "estimate_key", "target_key"]

#: Classes up to this number are all evaluated before any target is looked at.
FEW = 3


class Partition:
    """Classes of targets by a key: `class_of` maps a place to its class.

    `places` holds one member of each class. Where there are few, `units` are rows with 1 in the
    members' lanes and `masks` the masks of the members. `priced`: the key holds what estimates
    depend on.
    """

    def __init__(self, keys: Iterable[Hashable], lanes: Lanes, *, priced: bool = False) -> None:
        self.priced = priced
        known: dict[Hashable, int] = {}
        self.class_of: list[int] = []
        self.places: list[int] = []
        for place, key in enumerate(keys):
            number = known.setdefault(key, len(known))
            self.class_of.append(number)
            if number == len(self.places):
                self.places.append(place)
        self.few = len(self.places) <= FEW
        numbers = range(len(self.places)) if self.few else ()
        self.masks = [lanes.mask(item == n for item in self.class_of) for n in numbers]
        self.units = [mask & lanes.ones for mask in self.masks]


def estimate_key(target: Target) -> Hashable:
    """Return everything of a target that its estimates depend on."""
    told = "max_tokens" in target.wire.reject
    return (target.price, target.typical_output, target.max_output, told, target.tokenizer)


def target_key(target: Target, paths: Collection[tuple[str, ...]]) -> Hashable:
    """Return the values of a target at some paths, each beginning with `target`."""
    return tuple(repr(look_up(target.view, path[1:])) for path in sorted(paths))
