"""A hard budget is about a target or provider whose prices are unknown.

Wrong:
    # llmroute.yaml
    budgets: [{name: lab, scope: {provider: lab}, period: month, amount: 200, hard: true}]
    # providers.d/lab.yaml
    provider: lab
    models:
      - {model: small, capabilities: {streaming: true}}

Right:
    # llmroute.yaml
    budgets: [{name: lab, scope: {provider: lab}, period: month, amount: 200, hard: true}]
    # providers.d/lab.yaml
    provider: lab
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 1, output: 2, source: https://example.com/prices, date: "2026-11-01"}

Why: A hard budget refuses a call whose price nobody knows, since it might exceed any amount. So
nothing that the budget is about is ever called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    document = project.settings_document
    for index, budget in enumerate(project.settings.get("budgets", ())):
        scope = budget.get("scope", {})
        key = "target" if "target" in scope else "provider"
        if document is None or not budget.get("hard") or key not in scope:
            continue
        if _unpriced(project, scope):
            yield document.diagnostic(
                RULE.name,
                f'"{budget["name"]}" refuses every call: the price of {scope[key]} is unknown',
                ("budgets", index, "scope", key),
                help="write its cost in the provider file, 0 where it is free, or hard: false",
                severity="warning",
            )


def _unpriced(project: Project, scope: Mapping[str, Any]) -> bool:
    """Whether a scope has declared models, and no price for any of them, nor for other models."""
    provider, _, model = scope.get("target", "").partition("/")
    provider = provider or scope["provider"]
    document = project.providers.get(provider)
    if document is None or (document.data.get("defaults") or {}).get("cost"):
        return False
    about = [
        item
        for item in models(project)
        if item.document is document and (not model or item.own.get("model") == model)
    ]
    return bool(about) and not any(item.data.get("cost") for item in about)


RULE = Rule("budget-price", "warning", _check)
