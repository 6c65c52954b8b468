"""One model of an Ollama server is declared with two windows.

Wrong:
    provider: example
    locality: local
    endpoint:
      {transport: http, protocol: ollama-chat, base_url: "http://127.0.0.1:11434", auth: none}
    defaults: {capabilities: {streaming: true}, cost: {input: 0, output: 0}}
    models:
      - {model: short, upstream: "qwen3:8b", context_window: 8192}
      - {model: long, upstream: "qwen3:8b", context_window: 32768}

Right:
    provider: example
    locality: local
    endpoint:
      {transport: http, protocol: ollama-chat, base_url: "http://127.0.0.1:11434", auth: none}
    defaults: {capabilities: {streaming: true}, cost: {input: 0, output: 0}}
    models:
      - {model: short, upstream: "qwen3:8b", context_window: 32768}
      - {model: long, upstream: "qwen3:8b", context_window: 32768}

Why: The window goes out with every call over `ollama-chat`, and Ollama loads a model anew for
another one. Calls that alternate between the two wait for that each time, up to minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.catalog.discovery import DIALECTS
from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import Model, models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]


def _check(project: Project) -> Iterator[Diagnostic]:
    first: dict[tuple[str, str], Model] = {}
    for model in models(project):
        window = model.data.get("context_window")
        if model.number is None or model.cloud or window is None or not _sent(model):
            continue
        upstream = model.own.get("upstream", model.own["model"])
        key = (model.document.label, DIALECTS["ollama"].canonical(upstream))
        other = first.setdefault(key, model)
        if other.data["context_window"] != window:
            yield model.finding(
                RULE.name,
                f"{other.name} has {upstream} with {other.data['context_window']}, "
                f"{model.name} with {window}: each change loads it anew",
                "context_window",
                help="write one window for both, the larger one that your memory allows",
            )


def _sent(model: Model) -> bool:
    """Whether the window goes out with calls."""
    spoken = model.data.get("protocol") or model.document.data["endpoint"].get("protocol")
    return bool(spoken == "ollama-chat")


RULE = Rule("window-conflict", "warning", _check)
