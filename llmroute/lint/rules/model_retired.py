"""A model is switched off, or will be within 60 days.

Wrong:
    # providers.d/openai.yaml
    provider: openai
    endpoint:
      {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1",
       auth: {bearer: env:OPENAI_API_KEY}}
    models:
      - model: computer-use-preview
        capabilities: {streaming: true}
        cost: {input: 2.5, output: 10, source: https://openai.com/api/pricing, date: "2026-11-01"}

Right:
    # providers.d/openai.yaml
    provider: openai
    endpoint:
      {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1",
       auth: {bearer: env:OPENAI_API_KEY}}
    models:
      - model: gpt-6.1-sol
        capabilities: {streaming: true}
        cost: {input: 2, output: 10, source: https://openai.com/api/pricing, date: "2026-11-01"}

Why: Calls to it fail and cost a fallback each time. The day is the one in LiteLLM's table, where
that is installed; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models
from llmroute.lint.rules._tables import Table, litellm_tables

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE", "retired"]

_SOON = 60


def _check(project: Project) -> Iterator[Diagnostic]:
    yield from retired(project, litellm_tables())


def retired(project: Project, tables: Iterable[Table]) -> Iterator[Diagnostic]:
    """Yield every model for which a table has a last day that is past or near."""
    known, today = tuple(tables), project.today
    for model in models(project) if known else ():
        if model.number is None:
            continue
        upstream = model.data.get("upstream", model.data["model"])
        found = (table.find(upstream, model.document.data["endpoint"], today) for table in known)
        entry = next((one for one in found if one and one.retired), None)
        if entry is None or entry.retired is None or (entry.retired - today).days > _SOON:
            continue
        when = "was switched off" if entry.retired <= today else "will be switched off"
        message = f"{model.name} {when} on {entry.retired}, says {entry.table}"
        yield model.finding(RULE.name, message, help="replace it, or remove it")


RULE = Rule("model-retired", "warning", _check, analyses=True)
