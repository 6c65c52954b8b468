"""Policy tests: requests and where they must go.

::

    run = run_tests(workspace)
    for outcome in run.outcomes:
        print(outcome.case.title, "passed" if outcome.passed else outcome.failures)

A test decides one request as the router would, with what it says of the world: which models
servers list, what was measured, who is down, what time it is. There is no network, no
credential, no clock and no chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import Workspace
from llmroute.lab.testing.bench import Bench, Outcome
from llmroute.lab.testing.check import check_case, check_tests
from llmroute.lab.testing.coverage import Coverage
from llmroute.lab.testing.files import SUFFIX, Case, read_cases
from llmroute.lab.testing.junit import junit

__all__ = [
    "SUFFIX",
    "Bench",
    "Case",
    "Coverage",
    "Outcome",
    "Results",
    "check_tests",
    "junit",
    "run_tests",
]


@dataclass(frozen=True)
class Results:
    """What came of tests; with `broken` findings there are no outcomes."""

    bench: Bench
    outcomes: tuple[Outcome, ...]
    broken: tuple[Diagnostic, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The tests that failed."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    def coverage(self, policies: Iterable[str]) -> Coverage:
        """Return what the tests exercised of some policies."""
        return Coverage.of(self.bench, policies, self.outcomes)


def run_tests(
    workspace: Workspace,
    *,
    files: Iterable[Path] = (),
    chosen: Callable[[Case], bool] = lambda _: True,
    clock: Callable[[], float] = perf_counter,
) -> Results:
    """Run the tests of a workspace without errors, those of more files too.

    Only the `chosen` tests count, but a file of tests that is wrong counts in any case.
    """
    cases, found = read_cases(workspace, files)
    bench = Bench(workspace, clock)
    wanted = [case for case in cases if chosen(case)]
    unique = {(i.file, i.line, i.col, i.rule): i for c in wanted for i in check_case(c, bench)}
    broken = [item for item in (*found, *unique.values()) if item.severity == "error"]
    if broken:
        return Results(bench, (), tuple(broken))
    return Results(bench, tuple(bench.run(case) for case in wanted))
