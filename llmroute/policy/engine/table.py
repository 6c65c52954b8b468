"""The targets of a compiled policy, indexed by what rules them out; sets are masks of lanes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Capabilities, Target
from llmroute.policy.engine.corrections import Corrections
from llmroute.policy.engine.kept import Kept
from llmroute.policy.engine.lanes import Lanes
from llmroute.policy.engine.partition import Partition, estimate_key
from llmroute.policy.scoring.context import Context
from llmroute.policy.scoring.estimate import corrected, expected_output
from llmroute.policy.scoring.requirements import forces_tool
from llmroute.types import Request

__all__ = ["TargetTable"]

#: Masks that are kept of each kind of limit; the oldest is forgotten first.
_KEPT = 64


class _Sizes:
    """Which targets have a limit of at least some size, or an unknown one."""

    def __init__(self, limits: Sequence[int | None], lanes: Lanes) -> None:
        self._limits = limits
        self._lanes = lanes
        self._known = sorted({limit for limit in limits if limit is not None})
        self._masks: Kept[int, int] = Kept(_KEPT)

    def enough(self, size: int) -> int:
        """Return the mask of the targets that a size fits into."""
        number = bisect_left(self._known, size)
        return self._masks.row(number, lambda: self._mask(size))

    def _mask(self, size: int) -> int:
        return self._lanes.mask(limit is None or limit >= size for limit in self._limits)


class TargetTable:
    """Targets by place, that is by their position in the policy's sequence."""

    def __init__(self, targets: Sequence[Target], lanes: Lanes) -> None:
        self.targets = targets
        self.lanes = lanes
        self.places = {target.id: place for place, target in enumerate(targets)}
        self.tokenizers = tuple(sorted({target.tokenizer for target in targets}))
        #: No target is expected to give longer answers, in tokens.
        self.longest = max((expected_output(target, None) for target in targets), default=0)
        #: The tasks that some target has a figure of quality for.
        self.tasks = frozenset(task for target in targets for task in target.quality.tasks)
        self.priced = Partition(map(estimate_key, targets), lanes, priced=True)
        self._able = {name: self._where(_able(name)) for name in Capabilities.names()}
        self._local = self._where(lambda target: target.locality == "local")
        self._cloud = self._where(lambda target: target.locality == "cloud")
        self._windows = [(name, *self._fitting(name)) for name in self.tokenizers]
        self._tool_names = _Sizes([target.wire.tool_names for target in targets], lanes)
        self._tools = _Sizes([target.wire.max_tools for target in targets], lanes)
        self._outputs = _Sizes([target.max_output for target in targets], lanes)
        self._usable: tuple[Mapping[str, Problem], int] = ({}, lanes.everyone)

    def _where(self, holds: Callable[[Target], bool]) -> int:
        return self.lanes.mask(holds(target) for target in self.targets)

    def _fitting(self, tokenizer: str) -> tuple[_Sizes, _Sizes]:
        """Return the windows of one tokenizer's targets, and what of them a prompt may fill.

        The other targets have enough of both.
        """
        mine = [target.tokenizer == tokenizer for target in self.targets]
        both = list(zip(mine, self.targets, strict=True))
        windows = [target.context_window if own else None for own, target in both]
        inputs = [target.wire.max_input if own else None for own, target in both]
        return _Sizes(windows, self.lanes), _Sizes(inputs, self.lanes)

    def able(self, context: Context, corrections: Corrections | None = None) -> int:
        """Return the targets that can do what a request needs.

        A prompt must fit as estimated and as corrected.
        """
        request, facts, able = context.request, context.facts, self._able
        mask = self._fits(context, corrections)
        if facts.tools:
            mask &= able["tools"]
            if forces_tool(request.tool_choice):
                mask &= able["forced_tool_choice"]
            mask &= self._tool_names.enough(facts.tool_name_length)
            mask &= self._tools.enough(len(request.tools))
        if facts.images:
            mask &= able["vision"]
        if facts.json_schema:
            mask &= able["json_schema"]
        for name in facts.needs:
            mask &= able.get(name, 0)
        return mask & able["streaming"] if request.stream else mask

    def _fits(self, context: Context, corrections: Corrections | None) -> int:
        asked, everyone = context.request.max_tokens, self.lanes.everyone
        mask = everyone
        for tokenizer, windows, inputs in self._windows:
            tokens = context.facts.tokens_for(tokenizer)
            mask &= windows.enough(tokens + (asked or 1)) & inputs.enough(tokens)
            for factor, who in corrections.longer if corrections else ():
                more = corrected(tokens, factor)
                enough = windows.enough(more + (asked or 1)) & inputs.enough(more)
                mask &= enough | (everyone ^ who)
        return mask if asked is None else mask & self._outputs.enough(asked)

    def routed(self, request: Request) -> int:
        """Return the targets that the caller's `route` leaves; `max_cost` is not looked at."""
        route, mask = request.route, self.lanes.everyone
        if not (route.only or route.ignore or route.locality or route.require):
            return mask
        if route.only:
            mask &= self._named(route.only)
        mask &= self.lanes.everyone ^ self._named(route.ignore)
        if route.locality:
            mask &= self._local if route.locality == "local" else self._cloud
        for name in route.require:
            mask &= self._able.get(name, 0)
        return mask

    def usable(self, problems: Mapping[str, Problem]) -> tuple[Mapping[str, Problem], int]:
        """Return a copy of the problems, and the mask of the targets that none rules out."""
        usable = self._usable
        if problems != usable[0]:
            usable = (dict(problems), self.lanes.everyone ^ self._named(problems))
            self._usable = usable
        return usable

    def _named(self, names: Iterable[str]) -> int:
        """Return the targets with these ids or of these providers."""
        mask = 0
        for name in names:
            if name in self.places:
                mask |= self.lanes.single(self.places[name])
            mask |= self._providers.get(name, 0)
        return mask

    @cached_property
    def _providers(self) -> dict[str, int]:
        names = {target.provider.name for target in self.targets}
        return {name: self._where(_from(name)) for name in names}


def _able(name: str) -> Callable[[Target], bool]:
    return lambda target: bool(getattr(target.capabilities, name))


def _from(provider: str) -> Callable[[Target], bool]:
    return lambda target: target.provider.name == provider
