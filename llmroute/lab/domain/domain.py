"""A finite set of requests that stands for all requests, as far as policies can tell them apart.

A policy looks at a request through a finite number of comparisons. From the syntax trees of its
expressions it is collected what is compared with what; for each field, a **dimension**, values are
chosen of which every other value behaves like one. The product of all dimensions is enumerated and
evaluated by the real engine, so that every case found is a concrete request.

Where that argument does not hold, a dimension is not `exact` and says why: a field is used in a
way that no list of values covers, a fact about the text cannot be brought about at will, or a
preference varies continuously (money, measured values). Then cases are samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, islice, product
from math import prod
from typing import Any

from llmroute.catalog.model import Target
from llmroute.lab.domain.build import situation
from llmroute.lab.domain.needs import need_sets
from llmroute.lab.domain.prompts import TEXT_FACTS, prompts
from llmroute.lab.domain.situation import PRIOR, Situation
from llmroute.lab.domain.sizes import answer_sizes, prompt_sizes, sampled_sizes
from llmroute.lab.domain.uses import Path, Use, collect_uses
from llmroute.lab.domain.values import kind_of, representatives, seen
from llmroute.policy.expressions.expression import Expression
from llmroute.policy.scoring.preferences import preference
from llmroute.policy.source import PolicySource

__all__ = ["LEARNING", "Dimension", "Domain", "Situation", "learns", "policy_uses"]

#: Why nothing that depends on sizes is certain where estimates are corrected.
LEARNING = "estimates.learn is on: sizes and costs follow what targets counted before"


def learns(settings: Mapping[str, Any] | None) -> bool:
    """Whether a workspace corrects the estimates of its targets by what these counted.

    That is the tokens of prompts and the length of answers.
    """
    return bool(((settings or {}).get("estimates") or {}).get("learn"))


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that varies; the first value is the default.

    `exact`: every value that it can have behaves like one of `values`; else `why_not` says why.
    """

    name: str
    values: tuple[Any, ...]
    exact: bool = True
    why_not: str = ""


@dataclass(frozen=True)
class Domain:
    """The dimensions of the requests that some policies can tell apart."""

    dimensions: tuple[Dimension, ...]
    now: datetime
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        sources: Iterable[PolicySource],
        targets: Sequence[Target],
        settings: Mapping[str, Any] | None = None,
        extra: Iterable[str] = (),
        *,
        now: datetime | None = None,
        scores: bool = True,
        needs: bool = True,
    ) -> Domain:
        """Build the domain of policies over targets.

        `settings` is the data of `llmroute.yaml`; `extra` are more conditions, such as claims,
        which may read the names under `let`. Without `scores` only what requirements and `extra`
        read is varied: enough for what is said of eligible targets, not for who wins. Without
        `needs` what requests need of targets is not varied either. `now` is the moment that
        everything but `now.hour` and `now.weekday` is decided at.
        """
        inputs = None if settings is None else settings.get("inputs")
        builder = _Builder(tuple(targets), inputs, now or datetime.now(UTC), scores=scores)
        builder.needs = scores and needs
        texts = tuple(extra)
        for source in sources:
            builder.read(source, texts)
        dimensions = tuple(builder.dimensions())
        sized = builder.estimates or any(d.name == "input_tokens" for d in dimensions)
        why_not = [LEARNING] if sized and learns(settings) else []
        return cls(dimensions, builder.now, (*builder.reasons, *why_not))

    @property
    def size(self) -> int:
        """The number of combinations of values."""
        return prod(len(dimension.values) for dimension in self.dimensions)

    @property
    def why_not(self) -> tuple[str, ...]:
        """Why the cases do not stand for all requests; empty where they do."""
        return (*self.reasons, *(d.why_not for d in self.dimensions if not d.exact))

    @property
    def exact(self) -> bool:
        """Whether the cases stand for all requests, provided that all of them are looked at."""
        return not self.why_not

    def exhaustive(self, limit: int = 200_000) -> bool:
        """Whether `cases(limit)` are exact and complete."""
        return self.exact and self.size <= limit

    def cases(self, limit: int = 200_000) -> Iterator[Situation]:
        """Yield at most `limit` cases: first the plain one, then those that differ in least.

        The order is always the same.
        """
        return islice(self._cases(), limit)

    def _cases(self) -> Iterator[Situation]:
        varied = [d for d in self.dimensions if len(d.values) > 1]
        fixed = {d.name: d.values[0] for d in self.dimensions}
        for count in range(len(varied) + 1):
            for chosen in combinations(varied, count):
                for values in product(*(d.values[1:] for d in chosen)):
                    changes = dict(zip((d.name for d in chosen), values, strict=True))
                    yield situation({**fixed, **changes}, tuple(changes.items()), self.now)


def policy_uses(
    source: PolicySource, targets: Sequence[Target], extra: Iterable[str] = (), *, scores: bool
) -> list[Use]:
    """Return what a policy's conditions, and more of them, do with each field that they read."""
    lets = {name: Expression(text) for name, text in source.let.items()}
    conditions = [text for r in source.require for text in (r.when, r.target) if text]
    conditions += [*extra, *(rule.when for rule in source.rules if scores and rule.when)]
    found = collect_uses(map(Expression, dict.fromkeys(conditions)), lets, targets)
    if scores:
        prefers = (preference(r.prefer).expression for r in source.rules if r.weight)
        values = [expression for expression in prefers if expression]
        found += collect_uses(values, lets, targets, as_condition=False)
    return found


#: Dimensions under which a fact is brought about by something else than a field of its name.
_MEANT: Mapping[Path, Path] = {
    ("facts", "task"): ("request", "task"),
    ("request", "tools"): ("facts", "tools"),
    ("estimate", "tokens_in"): ("facts", "tokens"),
}
_NEEDS = {"tools": "tools", "images": "vision", "json_schema": "json_schema"}


class _Builder:
    """Collects uses, then makes dimensions of them."""

    def __init__(
        self,
        targets: tuple[Target, ...],
        inputs: Mapping[str, Any] | None,
        now: datetime,
        *,
        scores: bool,
    ) -> None:
        self.now = now
        #: Whether what requests need of targets is varied beyond what is read.
        self.needs = scores
        self.reasons: dict[str, None] = {}
        self._targets = targets
        self._inputs = inputs
        self._scores = scores
        self._uses: dict[Path, list[Use]] = defaultdict(list)
        self._built_in: set[str] = set()
        self._costly = False

    def read(self, source: PolicySource, extra: Sequence[str]) -> None:
        """Take what one policy reads."""
        for use in policy_uses(source, self._targets, extra, scores=self._scores):
            self._uses[_MEANT.get(use.path, use.path)].append(use)
            if use.path == ("facts", "task"):
                self._uses["request", "task"].append(Use(use.path, "truth", None, use.text))
        if self._scores:
            names = {preference(r.prefer).name for r in source.rules if r.weight}
            self._built_in |= {name for name in names if name}
            self._costly |= bool({"price", "cost"} & names) or "cost" in source.select.tie_break
        self._whole_roots()

    def _whole_roots(self) -> None:
        for path, uses in self._uses.items():
            free = path[0] != "target" and path not in _SPECIAL
            if free and kind_of(path, self._inputs) is None:
                shown = ".".join(path).replace("@", "everything (@)")
                self.reasons[f"{shown} is read as a whole in {uses[0].text!r}"] = None

    @property
    def estimates(self) -> bool:
        """Whether anything reads an estimate; so does a tie that is broken by cost."""
        read = {use.path[0] for uses in self._uses.values() for use in uses}
        return self._costly or bool(read & {"@", "estimate"})

    def dimensions(self) -> Iterator[Dimension]:
        """Yield every dimension that something reads."""
        yield from self._plain()
        yield from self._needed()
        yield from self._task()
        yield from self._sizes()
        yield from self._texts()
        yield from self._live()
        if self.needs and len(found := tuple(need_sets(self._targets))) > 1:
            yield Dimension("needs", found)
        self._continuous()

    def _plain(self) -> Iterator[Dimension]:
        """Yield the fields that are simply set."""
        for path in sorted(self._uses):
            if path[0] not in ("request", "budget", "now", "facts") or path in _SPECIAL:
                continue
            if path[0] == "facts" and path[-1] not in _FORMS:
                continue
            if (kind := kind_of(path, self._inputs)) is not None and path != ("request", "task"):
                values = representatives(kind, self._uses[path])
                yield _dimension(
                    ".".join(path), self._default_first(path, values.values), values.why_not
                )

    def _default_first(self, path: Path, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put what is usual in front, in the place of the values that nothing tells from it."""
        default: Any = {"stream": True, "hour": self.now.hour, "weekday": self.now.isoweekday()}
        usual = default.get(path[-1])
        if path[:2] == ("request", "metadata") or usual is None:
            return values
        same = seen(self._uses[path], usual)
        return (usual, *(value for value in values if seen(self._uses[path], value) != same))

    def _needed(self) -> Iterator[Dimension]:
        """Yield tools, images, schema and streaming, where read or where targets differ in them."""
        for fact, capability in _NEEDS.items():
            if ("facts", fact) in self._uses or self._differ(capability):
                yield Dimension(f"facts.{fact}", (False, True))
        if ("request", "stream") not in self._uses and not all(
            target.capabilities.streaming for target in self._targets
        ):
            yield Dimension("request.stream", (True, False))
        if self._differ("forced_tool_choice"):
            yield Dimension("request.tool_choice", (None, "required"))

    def _differ(self, capability: str) -> bool:
        able = {getattr(target.capabilities, capability) for target in self._targets}
        return self.needs and len(able) > 1

    def _task(self) -> Iterator[Dimension]:
        uses = self._uses.get(("request", "task"), [])
        known = dict.fromkeys(name for t in self._targets for name in t.quality.tasks)
        if "quality" in self._built_in and known:
            uses = [*uses, *(Use(("facts", "task"), "equal", name, "quality") for name in known)]
        if not uses:
            return
        kind = kind_of(("request", "task"), None)
        values = representatives(kind, [*uses]) if kind else None
        if values:
            yield _dimension("request.task", values.values, values.why_not)

    def _sizes(self) -> Iterator[Dimension]:
        estimates = {
            path[1]: uses
            for path, uses in self._uses.items()
            if path[0] == "estimate" and len(path) == 2
        }
        today = self.now.date()
        own, tokens = self._numbers(("request", "max_tokens")), self._numbers(("facts", "tokens"))
        answers = own | answer_sizes(self._targets, estimates, today, tokens, needs=self.needs)
        asked: tuple[int | None, ...] = (None, *sorted({*answers, *([1] if answers else [])}))
        answer = next((use for use in estimates.get("tokens_out", ()) if use.how == "opaque"), None)
        yield from self._sized("request.max_tokens", asked, _why_varying(answer) if answer else "")
        tokens |= prompt_sizes(self._targets, estimates, asked, today, needs=self.needs)
        if self._built_in & {"price", "cost"}:
            tokens |= sampled_sizes(self._targets)
        sizes: tuple[int | None, ...] = (None, *sorted({*tokens, *([0] if tokens else [])}))
        yield from self._sized("input_tokens", sizes, self._why_sampled(estimates))

    def _why_sampled(self, estimates: Mapping[str, Any]) -> str:
        counted = self._uses.get(("facts", "tokens"), ())
        own = {use.path[0] == "estimate" for use in counted}
        families = {target.tokenizer for target in self._targets}
        if not own <= {True} and families - {"generic"}:
            return "facts.tokens and a target's own count of tokens are varied together"
        if self._scores and True in own and len(families) > 1:
            return "estimate.tokens_in is varied for all tokenizers at once, not for each"
        if estimates.keys() & {"cost", "cost_max"} and any(t.price for t in self._targets):
            return "estimate.cost depends on two sizes at once; its limits are followed along each"
        return ""

    def _sized(self, name: str, values: tuple[Any, ...], why_not: str) -> Iterator[Dimension]:
        path = ("request", "max_tokens") if name == "request.max_tokens" else ("facts", "tokens")
        opaque = next((use for use in self._uses.get(path, ()) if use.how == "opaque"), None)
        if opaque:
            why_not = _why_varying(opaque)
        if len(values) > 1 or why_not:
            yield _dimension(name, values, why_not)

    def _numbers(self, path: Path) -> set[int]:
        kind = kind_of(path, None)
        uses = self._uses.get(path)
        if kind is None or not uses:
            return set()
        found = {int(n) for n in representatives(kind, uses).values if n is not None}
        # Where sums of sizes matter, both ends of an interval do.
        return found | ({n - 1 for n in found if n > kind.least} if self.needs else set())

    def _texts(self) -> Iterator[Dimension]:
        read = {p[1]: u for p, u in self._uses.items() if p[0] == "facts" and p[-1] in TEXT_FACTS}
        task = self._uses.get(("request", "task"), ())
        if any(use.path == ("facts", "task") for use in task) and "code" not in read:
            read["code"] = [Use(("facts", "code"), "truth", None, "facts.task")]
        graded = any(target.quality.tasks for target in self._targets)
        if "quality" in self._built_in and graded and "code" not in read:
            read["code"] = [Use(("facts", "code"), "truth", None, "quality")]
        forms = {p[1] for p in self._uses if p[0] == "facts" and p[-1] in _FORMS}
        if forms and len(forms) + bool(read) > 1:
            named = ", ".join(f"facts.{name}" for name in sorted({*forms, *read}))
            self.reasons[f"{named} are not varied apart"] = None
        if read:
            found = prompts(read)
            yield _dimension("prompt", found.values, found.why_not)

    def _live(self) -> Iterator[Dimension]:
        for path, uses in sorted(self._uses.items()):
            if path[0] == "live" and (kind := kind_of(path, None)):
                values = representatives(kind, uses)
                why_not = values.why_not
                if self._scores and not why_not and len(self._targets) > 1:
                    why_not = f"{'.'.join(path)} is varied for all targets at once, not for each"
                yield _dimension(".".join(path), (PRIOR, *values.values), why_not)
        if "affinity" in self._built_in:
            yield Dimension("served", (None, *(target.id for target in self._targets)))

    def _continuous(self) -> None:
        """Say which preferences vary with what cannot be listed."""
        priced = any(_costs(target) for target in self._targets)
        for name in sorted(self._built_in & {"price", "cost"}) if priced else ():
            self.reasons[
                f"{name} varies with the sizes of prompt and answer, which are sampled"
            ] = None
        families = {target.tokenizer for target in self._targets}
        if len(families) > 1 and self.needs and any(t.context_window for t in self._targets):
            self.reasons["tokenizers that count differently are not told apart"] = None
        for name in sorted(self._built_in & {"latency", "throughput", "reliability", "headroom"}):
            self.reasons[f"{name} varies with what is measured; priors are taken"] = None


#: Facts about the messages that are simply brought about, one at a time.
_FORMS = ("characters", "messages", "turns")
#: Fields that other dimensions bring about.
_SPECIAL: frozenset[Path] = frozenset(
    {("request", "max_tokens"), ("request", "task"), ("facts", "task"), ("facts", "tokens")}
)


def _why_varying(use: Use) -> str:
    return f"{'.'.join(use.path)} is used in {use.text!r} as a number that varies"


def _costs(target: Target) -> bool:
    price = target.price
    return price is not None and any(r.input or r.output for r in price.tiers)


def _dimension(name: str, values: tuple[Any, ...], why_not: str) -> Dimension:
    return Dimension(name, values, not why_not, why_not)
