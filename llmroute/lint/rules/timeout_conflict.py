"""A timer of a call is longer than the timer of the whole call.

Wrong:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: env:EXAMPLE_KEY}
      timeouts: {first_token: 90s, total: 60s}

Right:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: env:EXAMPLE_KEY}
      timeouts: {first_token: 60s, total: 90s}

Why: The whole call has ended before the other timer can. Without `total` a call may take 10
minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.catalog.model import Timeouts
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.durations import seconds
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.providers.values():
        timers = document.data["endpoint"].get("timeouts") or {}
        total = seconds(timers["total"]) if "total" in timers else Timeouts().total
        for name in ("connect", "first_token", "idle"):
            if name in timers and seconds(timers[name]) > total:
                yield document.diagnostic(
                    RULE.name,
                    f"{name} is {timers[name]}, but the whole call ends after {total:g} s",
                    ("endpoint", "timeouts", name),
                    help="write a longer total, or a shorter timer",
                    severity="warning",
                )


RULE = Rule("timeout-conflict", "warning", _check)
