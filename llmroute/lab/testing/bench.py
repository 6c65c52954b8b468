"""Where tests run: one workspace, without network, credentials, clock or chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from time import perf_counter
from typing import Any

from llmroute.catalog.build import Catalog, Problem
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import Workspace
from llmroute.lab.testing.expect import failures
from llmroute.lab.testing.files import Case
from llmroute.lab.testing.request import day_of, request_fields, surroundings
from llmroute.policy.engine.decision import Decision
from llmroute.policy.policy import Policy
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.source import PolicySource
from llmroute.router import Router
from llmroute.types import Request

__all__ = ["Bench", "Outcome"]

_DOWN = Problem("the test says that it is down", "")


@dataclass(frozen=True)
class Outcome:
    """What came of one test; it passed if there are no failures. `seconds` is how long it took."""

    case: Case
    decision: Decision
    failures: tuple[Diagnostic, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether everything expected came true."""
        return not self.failures


class Bench:
    """Runs tests against one checked workspace.

    Every provider counts as usable unless a test says otherwise; targets are the declared ones
    and those that the test's `discovered` lists.
    """

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = perf_counter) -> None:
        self.workspace = workspace
        self.router = Router(workspace)
        self._clock = clock
        self._catalogs: dict[str, Catalog] = {}
        self._policies: dict[tuple[str, str, str], Policy] = {}

    def run(self, case: Case) -> Outcome:
        """Decide a test that `check_case` found nothing wrong with."""
        started = self._clock()
        decision = self.decide(case)
        found = tuple(failures(case, decision))
        return Outcome(case, decision, found, self._clock() - started)

    def decide(self, case: Case, without: str | None = None) -> Decision:
        """Return the decision of a test; as if the policy lacked the rule `without`."""
        catalog = self.catalog(case)
        return self.policy(case, without).decide(
            self.request(case),
            catalog.targets,
            around=self.around(case),
            problems=self.problems(case, catalog),
        )

    def policy(self, case: Case, without: str | None = None) -> Policy:
        """Return the policy of a test, compiled once for the targets that the test knows."""
        key = (case.policy, _key(case.discovered), without or "")
        if key not in self._policies:
            made = self.router.policy(case.policy)
            source = made.source if without is None else _lacking(made.source, without)
            self._policies[key] = Policy(source, made.fingerprint)
        return self._policies[key]

    def catalog(self, case: Case) -> Catalog:
        """Return the providers and targets that a test knows, all usable."""
        key = _key(case.discovered)
        if key not in self._catalogs:
            catalog = replace(self.router.catalog, problems={})
            for name, found in case.discovered.items():
                catalog = catalog.with_discovered(name, found)
            self._catalogs[key] = catalog
        return self._catalogs[key]

    def problems(self, case: Case, catalog: Catalog) -> Mapping[str, Problem]:
        """Return what cannot be used in a test."""
        return {**catalog.problems, **dict.fromkeys(case.data.get("unavailable", ()), _DOWN)}

    def request(self, case: Case) -> Request:
        """Return the request of a test.

        Raises:
            UsageError: it is not one that the workspace takes.

        """
        messages, fields = request_fields(case.data["request"])
        return self.router.request(messages, **fields)

    def around(self, case: Case) -> Surroundings:
        """Return time, live state and budgets of a test."""
        return surroundings(case.data, self._day)

    @cached_property
    def _day(self) -> date:
        return day_of(self.router.targets)


def _lacking(source: PolicySource, rule: str) -> PolicySource:
    return replace(source, rules=tuple(item for item in source.rules if item.name != rule))


def _key(data: Any) -> str:
    return json.dumps(data, sort_keys=True)
