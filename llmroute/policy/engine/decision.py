"""The outcome of deciding: a ranking, each rule's part in it, each rejection with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

from llmroute.catalog.model import Target
from llmroute.policy.engine.bench import Bench
from llmroute.policy.engine.brief import brief
from llmroute.policy.engine.itemise import Details, contributions, details
from llmroute.policy.engine.search import Search
from llmroute.policy.scoring.estimate import Estimate
from llmroute.policy.scoring.live import LiveFacts, Output
from llmroute.policy.scoring.requirements import Rejection, ignore
from llmroute.policy.scoring.rules import Contribution
from llmroute.policy.scoring.standing import Outage
from llmroute.policy.source import Fallback, PolicySource
from llmroute.types import Request

__all__ = ["Decision", "Ranked", "Ranking"]

#: Facts shown with every decision; the others only where the policy read them.
_SHOWN_FACTS = frozenset({"tokens", "tools", "images", "json_schema", "task"})


class Ranked:
    """One eligible target: its score in micro-points and what made it."""

    def __init__(self, search: Search, place: int, score: int) -> None:
        self._search = search
        self._place = place
        self.score = score
        self.target: Target = search.policy.targets[place]

    @property
    def estimate(self) -> Estimate:
        """What the request will need here."""
        return self._search.estimate(self._place)

    @property
    def token_factor(self) -> float:
        """What the estimate of the prompt's tokens was multiplied by, as counted here before."""
        return self._search.correction(self._place).factor

    @property
    def learned_output(self) -> Output | None:
        """How long answers to the task were here before, where the estimate follows it."""
        if self._search.correction(self._place).output is None:
            return None
        return self._search.live.facts[self._place].outputs[self._search.context.facts.task]

    @cached_property
    def contributions(self) -> tuple[Contribution, ...]:
        """What each rule whose condition holds gave; their points add up to the score."""
        return contributions(self._search, self._place)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; `points` and `score` are integers in micro-points."""
        learned = self.learned_output
        return {
            "target": self.target.id,
            "score": self.score,
            "estimate": self.estimate.view,
            **({"cached": self.estimate.cached} if self.estimate.cached else {}),
            **({} if self.token_factor == 1.0 else {"token_factor": self.token_factor}),
            **({} if learned is None else {"learned_output": learned._asdict()}),
            "contributions": [
                {
                    "rule": item.rule,
                    "weight": item.weight / 1000,
                    "value": item.value / 1_000_000,
                    "points": item.points,
                    "note": item.note,
                }
                for item in self.contributions
            ],
        }

    def __repr__(self) -> str:
        return f"Ranked({self.target.id!r}, {self.score})"


class Ranking(Sequence[Ranked]):
    """Eligible targets, best first; found as far as they are asked for."""

    def __init__(self, items: Iterator[Ranked]) -> None:
        self._found: list[Ranked] = []
        self._rest = items

    def _more(self) -> bool:
        """Find the next one; False where there is none."""
        item = next(self._rest, None)
        if item is None:
            return False
        self._found.append(item)
        return True

    def _all(self) -> list[Ranked]:
        self._found.extend(self._rest)
        return self._found

    @overload
    def __getitem__(self, index: int) -> Ranked: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ranked]: ...
    def __getitem__(self, index: int | slice) -> Ranked | Sequence[Ranked]:
        if isinstance(index, slice) or index < 0:
            return self._all()[index]
        while len(self._found) <= index and self._more():
            pass
        return self._found[index]

    def __iter__(self) -> Iterator[Ranked]:
        index = 0
        while index < len(self._found) or self._more():
            yield self._found[index]
            index += 1

    def __bool__(self) -> bool:
        return bool(self._found) or self._more()

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"Ranking({[item.target.id for item in self]})"


class Decision:
    """Where a request should go, best first, and why.

    The winner is known; everything else is worked out when it is read, from what the decision
    was made from. `fingerprint` names the configuration that decided. `reason` says what moved
    the order after scoring (the caller's `order`, a draw).
    """

    def __init__(
        self,
        search: Search,
        ranking: Ranking,
        *,
        reason: str | None = None,
        fingerprint: str = "",
        bench: Bench | None = None,
        usual: Ranked | None = None,
    ) -> None:
        self._search = search
        self._bench = bench
        self._usual = usual
        self.ranking = ranking
        self.reason = reason
        self.fingerprint = fingerprint

    def __repr__(self) -> str:
        return f"<Decision of {self.policy}: {self.winner or 'no target is eligible'}>"

    @property
    def request(self) -> Request:
        """What was asked."""
        return self._search.context.request

    @property
    def source(self) -> PolicySource:
        """The policy that decided."""
        return self._search.policy.source

    @property
    def policy(self) -> str:
        """The policy's name."""
        return self.source.name

    @property
    def fallback(self) -> Fallback:
        """How far the request may go on after a failure."""
        return self.source.fallback

    @property
    def winner(self) -> Target | None:
        """The first target, None where none is eligible."""
        return self.ranking[0].target if self.ranking else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every eligible target, in the order in which they would be tried."""
        return tuple(item.target for item in self.ranking)

    @property
    def behind(self) -> Mapping[str, str]:
        """The targets that come after all others whatever their score, by id, with the reason."""
        return (self._bench and self._bench.why) or {}

    @cached_property
    def benched(self) -> tuple[tuple[Ranked, Outage], ...]:
        """Those who could serve the request but are out of service for now, best first."""
        out = self._bench.out if self._bench else ()
        return tuple((Ranked(self._search, place, score), why) for (score, place), why in out)

    @property
    def usual_first(self) -> Ranked | None:
        """Who would be first if everybody were in service; None where nobody is eligible."""
        return self._usual or (self.ranking[0] if self.ranking else None)

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Why each of the others may not serve the request; one for each reason."""
        return self._details.rejections

    @property
    def notes(self) -> Mapping[str, int]:
        """What could not be evaluated, and how often."""
        return self._details.notes

    @property
    def skipped(self) -> tuple[str, ...]:
        """The rules whose condition reads the request alone and is false, in policy order."""
        active = self._search.active
        rules = enumerate(self.source.rules)
        return tuple(rule.name for number, rule in rules if not active >> number & 1)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What is known of the request: the usual facts, and those that the policy reads."""
        return self._search.context.facts.view({*_SHOWN_FACTS, *self._search.policy.reads.facts})

    @cached_property
    def _details(self) -> Details:
        return details(self._search)

    def target(self, target_id: str) -> Target:
        """Return one of the policy's targets, eligible or not, by its id."""
        policy = self._search.policy
        return policy.targets[policy.table.places[target_id]]

    def estimate(self, target: Target) -> Estimate:
        """Return what the request will need at one of the policy's targets."""
        return self._search.estimate(self._search.policy.table.places[target.id])

    def tokens(self, target: Target) -> int:
        """Return the prompt's tokens by a target's tokenizer, before any correction."""
        return self._search.context.facts.tokens_for(target.tokenizer)

    def live(self, target: Target) -> LiveFacts:
        """Return the measurements of a target that the decision was made with."""
        return self._search.live.facts[self._search.policy.table.places[target.id]]

    def potential(self, rule: str, target_id: str) -> Contribution:
        """Return what a rule would give a target if the rule's condition held."""
        search = self._search
        compiled = next(item for item in search.policy.rules if item.source.name == rule)
        candidate = search.candidate(search.policy.table.places[target_id])
        return compiled.potential(candidate, search.context, ignore)

    def rejected(self, target_id: str) -> tuple[Rejection, ...]:
        """Return why a target was rejected; empty where it was not."""
        return tuple(item for item in self.rejections if item.target == target_id)

    def brief(self) -> dict[str, Any]:
        """Return the most important of `to_dict`, at a small part of its cost."""
        return brief(self, self._search)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with a fixed order, the same for the same inputs."""
        return {
            "policy": self.policy,
            "winner": self.winner.id if self.winner else None,
            "ranking": [item.to_dict() for item in self.ranking],
            "rejections": [item.to_dict() for item in self.rejections],
            "facts": dict(self.facts),
            "notes": dict(sorted(self.notes.items())),
            **({"reason": self.reason} if self.reason else {}),
            **({"behind": dict(self.behind)} if self.behind else {}),
            "fallback": self.fallback.view,
            "fingerprint": self.fingerprint,
        }
