"""A search in full: what each rule gave each target, and why each of the others is out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmroute.policy.engine.search import Search
from llmroute.policy.scoring.requirements import (
    Note,
    Rejection,
    budget_rejections,
    caller_rejections,
    ignore,
    need_rejections,
)
from llmroute.policy.scoring.rules import Contribution

__all__ = ["Details", "contributions", "details", "rejections_of"]


@dataclass(frozen=True, slots=True)
class Details:
    """Every rejection, and what could not be evaluated with how often."""

    rejections: tuple[Rejection, ...]
    notes: Mapping[str, int]


def contributions(search: Search, place: int, note: Note = ignore) -> tuple[Contribution, ...]:
    """Return what each rule whose condition holds gives a target, in the policy's order."""
    candidate, context = search.candidate(place), search.context
    active = (r for n, r in enumerate(search.policy.rules) if search.active >> n & 1)
    made = (rule.contribution(candidate, context, note) for rule in active)
    return tuple(item for item in made if item is not None)


def details(search: Search) -> Details:
    """Go through every target and every requirement."""
    notes = dict(search.context.notes)

    def note(text: str) -> None:
        notes[text] = notes.get(text, 0) + 1

    found: list[Rejection] = []
    for place in range(len(search.policy.targets)):
        reasons = list(rejections_of(search, place, note))
        found += reasons
        if not reasons:
            contributions(search, place, note)
    return Details((*found, *_without_targets(search)), notes)


def rejections_of(search: Search, place: int, note: Note = ignore) -> Iterator[Rejection]:
    """Yield each reason why a target may not serve the request."""
    candidate, context = search.candidate(place), search.context
    target, problems = candidate.target, search.problems
    problem = problems.get(target.id) or problems.get(target.provider.name)
    if problem:
        yield Rejection(target.id, "usable", "availability", problem.reason, problem.help)
    yield from caller_rejections(candidate, context)
    yield from need_rejections(candidate, context)
    yield from budget_rejections(candidate, search.allowances)
    for requirement in search.demanded:
        rejection = requirement.rejection(candidate, context, note)
        if rejection:
            yield rejection


def _without_targets(search: Search) -> Iterator[Rejection]:
    """Yield the providers that are out and have not even told their models."""
    known = {target.provider.name for target in search.policy.targets}
    only = search.context.request.route.only
    for name, problem in search.problems.items():
        asked = not only or any(item.split("/", 1)[0] == name for item in only)
        if "/" not in name and name not in known and asked:
            yield Rejection(name, "usable", "availability", problem.reason, problem.help)
