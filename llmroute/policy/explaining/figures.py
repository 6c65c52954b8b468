"""At which figure of a target the runner-up would go first: its price, its latency, its quality, ….

A figure moves every built-in preference that is a function of it, and the order in a tie. It is
left out where an expression of the policy reads it too, or where preferences pull it both ways:
then there is no single threshold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Any

from llmroute.catalog.cost import NANO
from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.explaining.changes import Change, FigureChange, apart
from llmroute.policy.explaining.pair import Pair, Side
from llmroute.policy.explaining.wording import format_decimal
from llmroute.policy.expressions.expression import Expression, field_paths
from llmroute.policy.scoring.live import LiveFacts
from llmroute.policy.scoring.preferences import BUILT_IN, MICRO, Preference, preference
from llmroute.policy.scoring.rules import points
from llmroute.policy.source import Rule

__all__ = ["FACTS", "Fact", "figure_changes"]

#: Digits that are shown, and where these do not suffice.
_DIGITS, _EXACT_DIGITS = 4, 15
#: Figures that are known exactly, or not at all; the others are measured.
_OF_FILES = ("cost", "quality")
_Path = tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A figure that preferences are functions of.

    `steps` are the smallest steps in one unit, `most` the highest figure looked at, in steps;
    `lower` says that a lower figure has the higher value. `paths` are the fields of expressions
    that follow it, `tie` is its key in `tie_break`. A `share` is told in
    percent.
    """

    name: str
    unit: str
    prefers: frozenset[str]
    paths: tuple[_Path, ...]
    steps: int
    most: int
    lower: bool
    suppose: Callable[[Ranked, str | None, float], Any]
    tie: str | None = None
    share: bool = False


def _estimate(item: Ranked, _task: str | None, usd: float) -> Any:
    return item.estimate._replace(cost=round(usd * NANO))


def _quality(item: Ranked, task: str | None, value: float) -> Any:
    quality = item.target.quality
    if task is not None and task in quality.tasks:
        return replace(quality, tasks={**quality.tasks, task: value}), task
    return replace(quality, default=value), task


def _live(name: str) -> Callable[[Ranked, str | None, float], Any]:
    usual = {"first_token": 1.0, "tokens_per_second": 1.0, "success": 1.0}
    return lambda _item, _task, value: LiveFacts(**{**usual, name: value})  # type: ignore[arg-type]


#: Money is looked at in nano-dollars of the request, up to $1,000; time in milliseconds up to an
#: hour; throughput in tenths of a token; shares and quality in thousandths.
FACTS: tuple[Fact, ...] = (
    Fact(
        name="cost",
        unit="USD",
        prefers=frozenset({"price", "cost"}),
        paths=(("estimate", "cost"), ("estimate", "cost_max"), ("target", "cost")),
        steps=NANO,
        most=1000 * NANO,
        lower=True,
        suppose=_estimate,
        tie="cost",
    ),
    Fact(
        name="time to first token",
        unit="s",
        prefers=frozenset({"latency"}),
        paths=(("live", "first_token"),),
        steps=1000,
        most=3_600_000,
        lower=True,
        suppose=_live("first_token"),
        tie="latency",
    ),
    Fact(
        name="throughput",
        unit="tok/s",
        prefers=frozenset({"throughput"}),
        paths=(("live", "tokens_per_second"),),
        steps=10,
        most=1_000_000,
        lower=False,
        suppose=_live("tokens_per_second"),
    ),
    Fact(
        name="quality",
        unit="0..1",
        prefers=frozenset({"quality"}),
        paths=(("target", "quality"),),
        steps=1000,
        most=1000,
        lower=False,
        suppose=_quality,
        tie="quality",
    ),
    Fact(
        name="success share",
        unit="0..1",
        prefers=frozenset({"reliability"}),
        paths=(("live", "success"),),
        steps=1000,
        most=1000,
        lower=False,
        suppose=_live("success"),
        share=True,
    ),
    Fact(
        name="free capacity",
        unit="0..1",
        prefers=frozenset({"headroom"}),
        paths=(("live", "headroom"),),
        steps=1000,
        most=1000,
        lower=False,
        suppose=_live("headroom"),
        share=True,
    ),
)


def figure_changes(pair: Pair) -> Iterator[Change]:
    """Yield the figures of either target, each alone, at which the runner-up goes first."""
    read, built_in = _paths_read(pair.decision), _built_in(pair.decision)
    for fact in FACTS:
        if not any(_meets(path, other) for path in fact.paths for other in read):
            for side in pair.sides:
                change = _Search(pair, side, fact, built_in).change()
                if change is not None:
                    yield change


def _paths_read(decision: Decision) -> frozenset[_Path]:
    """Return what the expressions read: of the rules in force, and of the requirements."""
    source = decision.source
    texts = [r.target for r in source.require] + [r.when for r in source.require if r.when]
    for rule in source.rules:
        if rule.name not in decision.skipped:
            texts += [rule.when] if rule.when else []
            texts += [rule.prefer] if isinstance(rule.prefer, str) else []
    texts = [text for text in texts if text not in BUILT_IN]
    return frozenset(path for text in set(texts) for path in field_paths(Expression(text).tree))


def _built_in(decision: Decision) -> Mapping[str, Preference]:
    """Return the built-in preferences, by the rule's name."""
    rules = decision.source.rules
    return {
        rule.name: preference(rule.prefer)
        for rule in rules
        if not isinstance(rule.prefer, str) or rule.prefer in BUILT_IN
    }


def _meets(fact: _Path, read: _Path) -> bool:
    """Whether reading one path sees the other; `@` is everything."""
    size = min(len(fact), len(read))
    return read[0] == "@" or fact[:size] == read[:size]


class _Search:
    """One figure of one target: which steps put the runner-up ahead."""

    def __init__(
        self, pair: Pair, side: Side, fact: Fact, built_in: Mapping[str, Preference]
    ) -> None:
        self._pair, self._side, self._fact = pair, side, fact
        self._task: str | None = pair.decision.facts.get("task")
        self._rules = [
            (rule, made)
            for rule in pair.decision.source.rules
            if rule.name in side.contributions
            and (made := built_in.get(rule.name))
            and made.name in fact.prefers
        ]

    def change(self) -> FigureChange | None:
        """Return the first figure that suffices, None where there is none."""
        rising = self._rising()
        if rising is None:
            return None
        found = self._first(self._run(rising))
        return None if found is None else self._change(found, rising)

    def _rising(self) -> bool | None:
        """Whether a higher figure helps the runner-up; None where that is not one or no way."""
        signs = {rule.weight > 0 for rule, _ in self._rules if rule.weight}
        if len(signs) == 2 or (not signs and not self._only_tie()):
            return None
        liked = not signs or True in signs
        return (liked != self._fact.lower) == (self._side.sign > 0)

    def _only_tie(self) -> bool:
        key = self._fact.tie
        return self._pair.margin == 0 and key is not None and self._pair.breaks_ties_by(key)

    def _run(self, rising: bool) -> range:
        """Return the steps that lie ahead of the present figure, nearest first.

        A figure that is not known exactly has them all ahead: those on the near side of it do
        not suffice, since it does not.
        """
        now, most = self._exact_now, self._fact.most
        if rising:
            return range(0 if now is None else int(now) + 1, most + 1)
        return range(most if now is None else -int(-now // 1) - 1, -1, -1)

    @cached_property
    def _exact_now(self) -> float | None:
        """The present figure in steps; None where it is unknown, or known to its rounding only."""
        if self._fact.name == "cost":
            return self._side.item.estimate.cost
        if self._fact.name == "quality":
            value = self._side.item.target.quality.of(self._task)
            return None if value is None else value * self._fact.steps
        return None

    def _first(self, run: Sequence[int]) -> int | None:
        """Return the first step that puts the runner-up ahead.

        The gain never falls along the run. Among the steps that end in a tie, the tie-break
        gets better along the run, or worse: so the first of them is tried apart.
        """
        place = bisect_left(run, True, key=lambda step: self._gain(step) >= self._pair.margin)
        if place == len(run):
            return None
        if not self._ahead(run[place]):
            place = bisect_left(run, True, lo=place, key=self._ahead)
        return run[place] if place < len(run) else None

    def _gain(self, step: int) -> int:
        """Return the micro-points that the runner-up gains on the winner at a figure."""
        return self._side.sign * sum(
            points(rule.weight, self._value(rule, made, step)) - self._side.points(rule.name)
            for rule, made in self._rules
        )

    def _value(self, rule: Rule, made: Preference, step: int) -> int:
        micro = made.micro(self._suppose(step))
        return (MICRO if rule.weight < 0 else 0) if micro is None else micro

    def _suppose(self, step: int) -> Any:
        return self._fact.suppose(self._side.item, self._task, step / self._fact.steps)

    def _ahead(self, step: int) -> bool:
        gain, margin = self._gain(step), self._pair.margin
        return gain > margin or (gain == margin and self._pair.wins_tie(*self._keys(step)))

    def _keys(self, step: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the winner's and the runner-up's keys, one of them at the supposed figure."""
        mine = {**self._side.keys, **self._supposed_key(step)}
        if self._side.sign > 0:
            return self._pair.winner.keys, mine
        return mine, self._pair.runner_up.keys

    def _supposed_key(self, step: int) -> Mapping[str, Any]:
        key, value = self._fact.tie, step / self._fact.steps
        if key is None:
            return {}
        if key == "cost":
            return {key: step}
        if key != "quality":
            return {key: value}
        default = self._suppose(step)[0].default
        return {key: -(default or 0.0)}

    def _change(self, step: int, rising: bool) -> FigureChange:
        now, scale, shown = self._now(), self._scale, self._told(step, rising)
        return FigureChange(
            effort=apart(now, step / scale),
            tie=self._tie(step),
            figure=self._name,
            unit=self._unit,
            target=self._side.item.target.id,
            step=step,
            rising=rising,
            now=now,
            then=step / scale,
            shown_now=self._shown_now(now),
            shown_then=self._shown(shown),
            shown_tie=self._tie(self._step(shown)),
        )

    def _tie(self, step: int) -> str | None:
        """Return what breaks the tie that a figure makes, None where it makes none."""
        tied = self._gain(step) == self._pair.margin
        return self._pair.tie_key(*self._keys(step)) if tied else None

    def _step(self, figure: Decimal) -> int:
        return int((figure * self._scale).to_integral_value())

    def _told(self, step: int, rising: bool) -> Decimal:
        """Return a figure in few digits, or in more where a tie needs them."""
        exact = Decimal(step) / self._scale
        short = _rounded(exact, rising)
        if self._ahead(self._step(short)):
            return short
        return _rounded(exact, rising, digits=_EXACT_DIGITS)

    @property
    def _by_tokens(self) -> bool:
        """Whether money is told per million tokens: where a rule prefers by price."""
        return self._fact.name == "cost" and any(made.name == "price" for _, made in self._rules)

    @property
    def _name(self) -> str:
        return "price" if self._by_tokens else self._fact.name

    @property
    def _unit(self) -> str:
        return "USD per million tokens" if self._by_tokens else self._fact.unit

    @property
    def _scale(self) -> int:
        """Steps in one unit: for a price, nano-dollars of this request in $1 per million tokens."""
        if not self._by_tokens:
            return self._fact.steps
        estimate = self._side.item.estimate
        return 1000 * max(estimate.tokens_in + estimate.tokens_out, 1)

    def _now(self) -> float | None:
        """Return the present figure in its unit, from a value where nothing else tells it."""
        if self._exact_now is not None:
            return self._exact_now / self._scale
        if self._fact.name in _OF_FILES or not self._rules:
            return None
        rule, made = self._rules[0]
        return _from_value(made, self._side.contributions[rule.name].value / MICRO)

    def _shown_now(self, now: float | None) -> str:
        if self._exact_now is None and self._fact.name in _OF_FILES:
            return "unknown"
        if self._fact.name != "cost" and self._rules:
            note = self._side.contributions[self._rules[0][0].name].note
            if note:
                return note
        return "unknown" if now is None else self._shown(_rounded(Decimal(now), rising=None))

    def _shown(self, number: Decimal) -> str:
        money = self._fact.name == "cost"
        text = format_decimal(number)
        if money:
            return f"${text}" + (" per million tokens" if self._by_tokens else "")
        if self._fact.share:
            return f"{format_decimal(number * 100)}%"
        return text if self._unit == "0..1" else f"{text} {self._unit}"


def _from_value(made: Preference, value: float) -> float | None:
    """Return the figure that a value stands for, to six digits."""
    if made.half is None:
        return value
    if not 0 < value < 1:
        return None
    odds = value / (1 - value)
    return float(f"{made.half * (odds if made.name == 'throughput' else 1 / odds):.6g}")


def _rounded(number: Decimal, rising: bool | None, digits: int = _DIGITS) -> Decimal:
    """Round to digits that a person reads, onwards in the direction of a change."""
    if not number:
        return Decimal(0)
    way = ROUND_HALF_EVEN if rising is None else ROUND_CEILING if rising else ROUND_FLOOR
    return number.quantize(Decimal(1).scaleb(number.adjusted() - digits + 1), rounding=way)
