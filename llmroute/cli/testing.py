"""What `llmroute test` prints: failures with what happened, and what was covered."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmroute.cli.output import is_terminal, say, show, table

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.lab.testing.testing import Coverage, Outcome

__all__ = ["counted", "outcome_record", "percent", "show_broken", "show_coverage", "show_outcomes"]


def show_broken(broken: Sequence[Diagnostic]) -> None:
    """Write what keeps tests from running."""
    for item in broken:
        say(str(item))
    say(f"{counted(len(broken), 'error')}; no test was run")


def show_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Write each failure with its explanation, then what came of each file."""
    for outcome in outcomes:
        if not outcome.passed:
            _show_failure(outcome)
    files: dict[str, Counter[bool]] = {}
    for outcome in outcomes:
        files.setdefault(outcome.case.document.label, Counter())[outcome.passed] += 1
    for file, counts in files.items():
        say(f"{'FAIL' if counts[False] else 'ok  '}  {file}  {_passed(counts)}")
    total = sum(files.values(), Counter())
    say(f"{counted(total.total(), 'test')}: {_passed(total)}")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _passed(counts: Mapping[bool, int]) -> str:
    failed = f", {counts[False]} failed" if counts[False] else ""
    return f"{counts[True]} passed{failed}"


def _show_failure(outcome: Outcome) -> None:
    from llmroute.policy.explaining.explain import explain
    from llmroute.policy.explaining.wording import clean

    _headline(f"FAIL {clean(outcome.case.title)}")
    for item in outcome.failures:
        say(str(item))
    text = explain(outcome.decision)
    if is_terminal(sys.stdout):
        from llmroute.cli.styling import styled_explanation

        show(styled_explanation(text), sys.stdout)
    else:
        say("\n".join(f"  {line}".rstrip() for line in text.splitlines()))
    say()


def _headline(text: str) -> None:
    if not is_terminal(sys.stdout):
        say(text)
        return
    from rich.text import Text

    show(Text(text, style="bold red"), sys.stdout)


def show_coverage(coverage: Coverage) -> None:
    """Write tables of what was exercised, in how many tests, and what was not."""
    rules = [
        (s.policy, s.rule.name, *map(_cell, s.counts.values())) for s in coverage.rules.values()
    ]
    if rules:
        say()
        table(("policy", "rule", "held", "did not hold", "changed the winner"), rows(rules))
    required = [
        (s.policy, s.require.name, *map(_cell, s.counts.values()))
        for s in coverage.requirements.values()
    ]
    if required:
        say()
        table(("policy", "requirement", "rejected", "let pass", "did not apply"), rows(required))
    say()
    targets = sorted(coverage.targets.items())
    shown = [(n, _cell(s.won), _cell(s.eligible), _cell(s.rejected)) for n, s in targets]
    table(("target", "won", "eligible", "rejected"), rows(shown))
    say()
    for line in coverage.missing:
        say(line)
    seen, of = coverage.counted
    say(f"coverage of rules and requirements: {percent(coverage.percent)} % ({seen} of {of})")


def rows(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return cells that cannot steer a terminal."""
    from llmroute.policy.explaining.wording import clean

    return [[clean(cell) for cell in row] for row in cells]


def _cell(count: int | None) -> str:
    return "" if count is None else str(count) if count else "-"


def percent(value: float) -> str:
    """Write a percentage, rounded down: 100 means all."""
    return f"{int(value * 10) / 10:g}"


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return what came of one test as plain data."""
    from llmroute.cli.records import finding_record

    case, winner = outcome.case, outcome.decision.winner
    return {
        "policy": case.policy,
        "name": case.name,
        "file": case.document.label,
        "line": case.document.place(case.path()).line,
        "passed": outcome.passed,
        "winner": winner.id if winner else None,
        "failures": [finding_record(item) for item in outcome.failures],
    }
