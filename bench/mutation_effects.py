"""What a workspace does with the 500 requests: decisions, estimates and bills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from bench.mutation_requests import COUNT, USAGES, requests
from llmroute.config.document import Document
from llmroute.config.workspace import Workspace
from llmroute.config.yaml import parse
from llmroute.errors import LlmrouteError
from llmroute.lab.testing.bench import Bench
from llmroute.lab.testing.files import Case
from llmroute.types import Usage

__all__ = ["POLICIES", "Effects"]

POLICIES = ("balanced", "best-quality", "cheapest", "fastest", "local-first", "private")
_USAGES = tuple(Usage(*tokens) for tokens in USAGES)


@cache
def _document() -> Document:
    document, _ = parse("tests: []\n", "requests.yaml")
    if document is None:
        raise RuntimeError("an empty list of tests is YAML")
    return replace(document, data={"tests": requests()})


@cache
def _case(number: int, policy: str) -> Case:
    return Case(_document(), number, policy)


class Effects:
    """What one workspace does, worked out as far as it is compared."""

    def __init__(self, workspace: Workspace) -> None:
        self._bench = Bench(workspace)
        self._kept: dict[Any, Any] = {}

    def differs(self, other: Effects) -> bool:
        """Whether some decision, estimate or bill is another one than the `other`'s.

        Where neither targets nor a policy's source differ nothing can, and nothing is decided.
        """
        if self._settings != other._settings:
            policies: tuple[str, ...] = POLICIES
        elif self._targets == other._targets:
            policies = tuple(name for name in POLICIES if self._source(name) != other._source(name))
        else:
            policies = POLICIES
        return any(self._of(key) != other._of(key) for key in _keys(policies))

    @property
    def _settings(self) -> Any:
        settings = self._bench.workspace.settings
        return settings.data if settings else None

    @property
    def _targets(self) -> Any:
        catalogs = [self._bench.catalog(_case(number, POLICIES[0])) for number in range(COUNT)]
        unique = {id(catalog): catalog for catalog in catalogs}
        return [(catalog.targets, set(catalog.problems)) for catalog in unique.values()]

    def _source(self, policy: str) -> Any:
        try:
            return self._bench.router.policy(policy).source
        except LlmrouteError as exc:
            return str(exc)

    def _of(self, key: tuple[str, int, str]) -> Any:
        """Return one thing that is compared; kept, since the shipped files are asked often."""
        if key not in self._kept:
            kind, number, policy = key
            try:
                self._kept[key] = getattr(self, f"_{kind}")(_case(number, policy))
            except LlmrouteError as exc:  # the request is refused: that is a result too
                self._kept[key] = str(exc)
        return self._kept[key]

    def _bills(self, case: Case) -> Any:
        targets = self._bench.catalog(case).targets
        return {
            target.id: [target.price.charge(usage) for usage in _USAGES] if target.price else None
            for target in targets
        }

    def _estimates(self, case: Case) -> Any:
        decision = self._bench.decide(case)
        return {t.id: decision.estimate(t) for t in self._bench.catalog(case).targets}

    def _ranking(self, case: Case) -> Any:
        return [target.id for target in self._bench.decide(case).targets]

    def _rejections(self, case: Case) -> Any:
        rejected = self._bench.decide(case).rejections
        return sorted((item.target, item.requirement) for item in rejected)


def _keys(policies: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    """Yield what is compared; reasons of rejections by one policy a request, in turn."""
    if policies:
        yield "bills", 0, policies[0]
    for number in range(COUNT):
        for turn, policy in enumerate(policies):
            if turn == number % len(policies):
                yield "estimates", number, policy
                yield "rejections", number, policy
            yield "ranking", number, policy
