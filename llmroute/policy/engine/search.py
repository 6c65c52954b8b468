"""One request against one compiled policy: the best target, and the others in their order.

Everything that is known of all targets at once is summed in one row (see `lanes`); a lane then
holds the most points that its target can reach, or 0 where it is rejected. Only where a rule or
requirement has to look at single targets are these visited, the most promising first, until
nobody left can reach the best. What a search has read it keeps, so that it gives the same
answers later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from llmroute.catalog.build import Problem
from llmroute.policy.engine.bounds import span
from llmroute.policy.engine.compiled import CompiledPolicy, RequirePart, RulePart
from llmroute.policy.engine.partition import Partition
from llmroute.policy.scoring.context import Candidate, Context
from llmroute.policy.scoring.estimate import UNCORRECTED, Correction, Estimate
from llmroute.policy.scoring.requirements import CompiledRequire, too_dear
from llmroute.policy.scoring.rules import CompiledRule

__all__ = ["REJECTED", "Search"]

#: The score of a target that a requirement rejects, below every other.
REJECTED = -(1 << 62)
_LAST = float("inf")
#: Targets up to this number are sorted at once.
_SMALL = 32
_NO_SCOPE: Mapping[str, Any] = {}
_NO_CACHES: Mapping[int, int] = {}


class Search:
    """The targets for one request; scores are in micro-points, targets named by place.

    `problems` maps provider names and target ids to why they cannot be used now. `demanded` are
    the requirements that hold for the request, `live` the measurements that it is decided by.
    """

    def __init__(
        self, policy: CompiledPolicy, context: Context, problems: Mapping[str, Problem]
    ) -> None:
        self.policy = policy
        self.context = context
        self.problems, self._usable = policy.table.usable(problems)
        self.active = policy.bind(context)
        self.live = policy.measured.now(context.around.live)
        corrections = self.live.learned.of(context) if self.live.learned else None
        self._corrections = corrections
        priced = policy.table.priced
        #: Classes of targets with equal estimates.
        self._priced = priced if corrections is None else corrections.refined(priced)
        self.demanded: list[CompiledRequire] = []
        #: The roots of the target that is looked at.
        self._scope = dict(context.request_scope)
        self._estimates: dict[int, Estimate] = {}
        #: What single targets must be looked at for, with what was found for each class.
        self._later: list[tuple[RulePart, dict[int, int]]] = []
        self._checks: list[tuple[RequirePart, dict[int, bool]]] = []
        if policy.affine:
            _ = context.affinity  # what it is now, for whoever reads it later
        #: Tokens that targets should have cached. Estimates of these are like nobody else's.
        self._cached = self._in_caches() if context.cached else _NO_CACHES
        self._max_cost = context.request.route.max_cost
        #: The hard budgets that the request counts against.
        self.allowances = context.allowances(policy.source.name)
        #: What a lane lacks of the score: the least points of its rules, less the 1 of its mark.
        self._bias = -1
        #: The most points that looking at a target can add to its lane in `_reach`.
        self._slack = 0
        allowed = self._allowed()
        self._exact = self._reach = self._sum(
            self.active & ~policy.reading(context.failed), allowed
        )
        if self._later:
            self._reach = (self._exact + self._most_later()) & allowed
        limited = self._max_cost is not None or bool(self.allowances)
        self._checking = bool(self._checks) or limited
        self._visits = bool(self._later) or self._checking

    def _allowed(self) -> int:
        """Return the mask of the targets that nothing known of all of them rejects."""
        policy, context, table = self.policy, self.context, self.policy.table
        corrections = self._corrections
        mask = table.able(context, corrections) & table.routed(context.request) & self._usable
        for part in policy.requirements:
            bit, requirement, passing, classes = part
            if not self.active & bit:
                continue
            self.demanded.append(requirement)
            if passing is not None:
                mask &= passing
                continue
            if corrections is not None and classes is not None and classes.priced:
                classes = corrections.refined(classes)
                part = part._replace(classes=classes)
            if classes is not None and self._told_apart(classes):
                mask &= self._passing(requirement, classes)
            else:
                self._checks.append((part, {}))
        return mask

    def _in_caches(self) -> Mapping[int, int]:
        places = self.policy.table.places
        known = self.context.cached.items()
        return {places[name]: tokens for name, tokens in known if tokens and name in places}

    def _told_apart(self, classes: Partition) -> bool:
        """Whether the members of every class are alike for this request, and classes few."""
        return classes.few and not (self._cached and classes.priced)

    def _class_of(self, classes: Partition | None, place: int) -> int:
        """Return a number that only targets have which are alike for this request."""
        if classes is None:
            return place
        alone = classes.priced and place in self._cached
        return ~place if alone else classes.class_of[place]

    def _passing(self, requirement: CompiledRequire, classes: Partition) -> int:
        passing = 0
        for place, mask in zip(classes.places, classes.masks, strict=True):
            if requirement.passes(self.candidate(place), self.context):
                passing |= mask
        return passing

    def _sum(self, scoring: int, allowed: int) -> int:
        """Sum what is known of all targets at once; the rest is left for later."""
        policy = self.policy
        bits, columns, lanes = policy.bits, policy.columns, policy.lanes
        row = lanes.ones
        if scoring & bits["load"]:
            row += columns.load(scoring & bits["load"])
        if scoring & bits["task"]:
            task = self.context.facts.task
            known = task if task in policy.table.tasks else ""
            row += columns.task(scoring & bits["task"], known)
        if scoring & bits["live"]:
            row += policy.measured.points(self.live, scoring & bits["live"])
        if scoring & bits["home"]:
            row += self._at_home(scoring)
        for part in policy.mixed:
            if scoring & part.bit:
                row += self._mixed(part)
        self._bias += sum([least for bit, least in policy.negative if scoring & bit])
        if scoring & bits["request"]:
            self._bias += self._constant(scoring)
        return row & allowed

    def _mixed(self, part: RulePart) -> int:
        """Return the row of a rule that tells few classes of targets apart, 0 for the others."""
        rule, classes, corrections = part.rule, part.classes, self._corrections
        if corrections is not None and classes is not None and classes.priced:
            classes = corrections.refined(classes)
            part = part._replace(classes=classes)
        if classes is None or not self._told_apart(classes):
            self._later.append((part, {}))
            return 0
        points = [self._points(rule, place) for place in classes.places]
        if len(points) == 1:
            self._bias += points[0]
            return 0
        self._bias += (least := min(points, default=0))
        found = zip(points, classes.units, strict=True)
        return sum([unit * (value - least) for value, unit in found if value > least])

    def _at_home(self, scoring: int) -> int:
        """Return the row of the rules of affinity: points for one target, if it is known."""
        lanes, home = self.policy.lanes, self.context.affinity
        place = self.policy.table.places.get(home) if home else None
        if place is None:
            return 0
        rules = [rule for n, rule in enumerate(self.policy.rules) if scoring >> n & 1]
        points = sum(rule.score(_NO_SCOPE, True) for rule in rules if rule.at_home)
        if points >= 0:
            return lanes.put(place, points)
        self._bias += points
        return lanes.ones * -points + lanes.put(place, points)

    def _constant(self, scoring: int) -> int:
        """Return what the rules that read the request alone give everybody."""
        scoring &= self.policy.bits["request"]
        rules = [rule for n, rule in enumerate(self.policy.rules) if scoring >> n & 1]
        return sum(rule.score(self.context.request_scope, None) for rule in rules)

    def _most_later(self) -> int:
        """Return the row of the most points that is known by price; other rules add to slack."""
        estimates = self.policy.bits["estimate"]
        later = [part for part, _ in self._later]
        self._slack = sum(part.rule.most for part in later if not part.bit & estimates)
        priced = sum(part.bit for part in later if part.bit & estimates)
        if not priced:
            return 0
        facts, asked, table = self.context.facts, self.context.request.max_tokens, self.policy.table
        known = self._corrections
        longest = table.longest if known is None else max(table.longest, known.longest)
        asked = None if asked is None or asked >= longest else asked
        spans = tuple([span(facts.tokens_for(name), asked) for name in table.tokenizers])
        row = self.policy.columns.most(priced, spans, known)
        return self._raised(row, priced) if self._cached else row

    def _raised(self, row: int, priced: int) -> int:
        """Return the row with the most that rules can give at all, for those with a cache."""
        lanes = self.policy.lanes
        most = sum(rule.most for n, rule in enumerate(self.policy.rules) if priced >> n & 1)
        for place in self._cached:
            row += lanes.put(place, most - lanes.at(row, place))
        return row

    def near(self, spread: int) -> list[tuple[int, int]]:
        """Return the score and place of each target within `spread` of the best, in any order."""
        lanes, bias, slack = self.policy.lanes, self._bias, self._slack
        bounds = lanes.unpack(self._reach)
        top = max(bounds, default=0)
        if not top:
            return []
        if not self._visits:
            places = lanes.reaching(self._reach, max(top - spread, 1))
            return [(bounds[place] + bias, place) for place in places]
        found: list[tuple[int, int]] = []
        floor = REJECTED
        for place in self._promising(bounds, top, spread):
            if bounds[place] + bias + slack < floor:
                break
            score = self.score(place)
            floor = max(floor, score - spread)
            if score >= floor > REJECTED:
                found.append((score, place))
        return [item for item in found if item[0] >= floor]

    def _promising(self, bounds: tuple[int, ...], top: int, spread: int) -> Iterator[int]:
        """Yield places by the most points that they can reach; at least those near the best."""
        if len(bounds) <= _SMALL:
            yield from sorted(range(len(bounds)), key=bounds.__getitem__, reverse=True)
            return
        first = bounds.index(top)
        yield first
        least = self.score(first) - spread - self._bias - self._slack
        places = self.policy.lanes.reaching(self._reach, max(least, 1))
        places.sort(key=bounds.__getitem__, reverse=True)
        yield from (place for place in places if place != first)

    def ordered(self) -> Iterator[tuple[int, int]]:
        """Yield the score and place of each target that is eligible, best first."""
        bounds = self.policy.lanes.unpack(self._reach)
        places = [place for place, bound in enumerate(bounds) if bound]
        places.sort(key=bounds.__getitem__, reverse=True)
        heap: list[tuple[int, int]] = []
        for place in places:
            yield from self._settled(heap, bounds[place] + self._bias + self._slack)
            score = self.score(place)
            if score > REJECTED:
                heappush(heap, (-score, place))
        yield from self._settled(heap, REJECTED)

    def _settled(self, heap: list[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
        """Yield those with more points than anybody who is not in the heap, ties broken."""
        while heap and -heap[0][0] > most:
            score = heap[0][0]
            tied = []
            while heap and heap[0][0] == score:
                tied.append(heappop(heap)[1])
            yield from ((-score, place) for place in self.sorted_ties(tied))

    def sorted_ties(self, places: list[int]) -> list[int]:
        """Return targets of equal score as the policy's `tie_break` orders them."""
        return sorted(places, key=self._tie_break) if len(places) > 1 else places

    def first_tie(self, places: list[int]) -> int:
        """Return the first of targets of equal score."""
        return min(places, key=self._tie_break) if len(places) > 1 else places[0]

    def _tie_break(self, place: int) -> list[float | str]:
        names = self.policy.source.select.tie_break
        return [_TIE_BREAKS[name](self, place) for name in (*names, "target")]

    def score(self, place: int) -> int:
        """Return the points of a target, or REJECTED."""
        known = self.policy.lanes.at(self._exact, place)
        if not known or (self._checking and not self._passes(place)):
            return REJECTED
        total, alone = known + self._bias, place in self._cached
        for (_, rule, classes), memo in self._later:
            if alone:
                number = self._class_of(classes, place)
            else:
                number = classes.class_of[place] if classes else place
            points = memo.get(number)
            if points is None:
                points = memo[number] = self._points(rule, place)
            total += points
        return total

    def _passes(self, place: int) -> bool:
        limit = self._max_cost
        if limit is not None and too_dear(self.estimate(place), limit):
            return False
        if self.allowances and self._over_budget(place):
            return False
        for part, memo in self._checks:
            number = self._class_of(part.classes, place)
            passes = memo.get(number)
            if passes is None:
                passes = part.requirement.passes(self.candidate(place), self.context)
                memo[number] = passes
            if not passes:
                return False
        return True

    def _over_budget(self, place: int) -> bool:
        target, estimate = self.policy.targets[place], self.estimate(place)
        return any(a.covers(target) and a.refusal(estimate) for a in self.allowances)

    def eligible(self, place: int) -> bool:
        """Whether nothing rejects a target."""
        return self.score(place) > REJECTED

    def at_least(self, count: int) -> bool:
        """Whether so many targets are eligible."""
        places = self.policy.lanes.reaching(self._reach, 1)
        if not self._checking:
            return len(places) >= count
        found = (place for place in places if self.eligible(place))
        return sum(1 for _ in islice(found, count)) >= count

    def _points(self, rule: CompiledRule, place: int) -> int:
        """Return what a rule that applies to the request gives a target."""
        scope = self._scope
        if "@" in rule.roots:
            scope = dict(self.candidate(place).scope)
        elif rule.needs_scope:
            scope["target"] = self.policy.targets[place].view
            if "estimate" in rule.scope_roots:
                scope["estimate"] = self.estimate(place).view
            if "live" in rule.scope_roots:
                scope["live"] = self.live.facts[place].view
        subject = rule.prefer.subject
        if subject == "expression":
            return rule.score(scope, None)
        if subject == "estimate":
            return rule.score(scope, self.estimate(place))
        return rule.score(scope, rule.prefer.subject_of(self.candidate(place), self.context))

    def candidate(self, place: int) -> Candidate:
        """Return a target as this request sees it."""
        target, facts = self.policy.targets[place], self.live.facts[place]
        return Candidate(target, self.context, facts, partial(self.estimate, place))

    def estimate(self, place: int) -> Estimate:
        """Return what the request will need at a target, computed once for all of its price."""
        alone, priced = place in self._cached, self._priced
        number = self._class_of(priced, place) if alone else priced.class_of[place]
        known = self._estimates.get(number)
        if known is None:
            known = self.context.estimate(self.policy.targets[place], self.correction(place))
            self._estimates[number] = known
        return known

    def correction(self, place: int) -> Correction:
        """Return what earlier answers of a target change about its estimate."""
        found, cached = self._corrections, self._cached.get(place)
        known = UNCORRECTED if found is None else found.at(place)
        return known if cached is None else known._replace(cached=cached)


def _by_cost(search: Search, place: int) -> float:
    cost = search.estimate(place).cost
    return _LAST if cost is None else cost


def _by_latency(search: Search, place: int) -> float:
    return search.live.facts[place].first_token


def _by_quality(search: Search, place: int) -> float:
    return -(search.policy.targets[place].quality.default or 0.0)


def _by_target(search: Search, place: int) -> str:
    return search.policy.targets[place].id


_TIE_BREAKS: Mapping[str, Callable[[Search, int], float | str]] = {
    "cost": _by_cost,
    "latency": _by_latency,
    "quality": _by_quality,
    "target": _by_target,
}
