"""Broken answers are to be continued, and no target can.

Wrong:
    policy: example
    fallback: {continuation: true}

Right:
    # policies/example.yaml
    policy: example
    fallback: {continuation: true}
    # providers.d/home.yaml
    provider: home
    locality: local
    endpoint:
      {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:8000/v1", auth: none}
    models:
      - {model: tiny, capabilities: {streaming: true, prefill: true}, cost: {input: 0, output: 0}}

Why: Another target goes on with a text only if it can begin its answer with it (`prefill`), and a
capability that is not written is off. Nothing is said where a server that is asked for its models
may list one that can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.catalog.discovery import DIALECTS
from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    wanting = [
        document
        for document in project.policies.values()
        if (document.data.get("fallback") or {}).get("continuation")
    ]
    if not wanting or project.catalog is None or _some_can(project):
        return
    for document in wanting:
        yield document.diagnostic(
            RULE.name,
            "no target can continue an answer that broke off: none has `prefill`",
            ("fallback", "continuation"),
            help="write prefill: true under the capabilities of one that can, or remove this",
            severity="warning",
        )


def _some_can(project: Project) -> bool:
    """Whether a target continues texts, or may be listed as one that does."""
    listed = (doc.data for doc in project.providers.values() if "discover" in doc.data)
    able = [model.data for model in models(project)]
    able += [data["defaults"] for data in listed if "defaults" in data]
    if any(data.get("capabilities", {}).get("prefill") for data in able):
        return True
    found = project.catalog.providers.values() if project.catalog else ()
    asked = (provider.discover for provider in found if provider.discover)
    # Of the servers that can be asked, only those of declared protocols may tell of it.
    return any(discover.dialect not in DIALECTS for discover in asked)


RULE = Rule("continuation-prefill", "warning", _check)
