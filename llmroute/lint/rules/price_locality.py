"""A local model costs money, or one in the cloud nothing, and no source says so.

Wrong:
    provider: example
    models:
      - {model: small, capabilities: {streaming: true}, cost: {input: 0, output: 0}}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 0, output: 0, source: https://example.com/free-tier}

Why: A free model in the cloud gets nearly every request from policies that look at the price. An
unknown price is left out, not written as 0; where it is right, `source` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._prices import priced, rates

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        if cost.get("source"):
            continue
        costs = bool(cost.get("per_request")) or any(price for _, price in rates(cost))
        if model.cloud and not costs:
            message = f"{model.name} is in the cloud and costs nothing"
            help_text = "leave cost out where the price is unknown; say the source where it is free"
        elif not model.cloud and costs:
            message = f"{model.name} is local and costs money for each token"
            help_text = "write 0, or say under source what is paid"
        else:
            continue
        yield model.finding(RULE.name, message, "cost", key=True, help=help_text)


RULE = Rule("price-locality", "warning", _check)
