"""The shipped provider files as targets, and the simulators that judge what is sent to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from llmroute.adapter.protocols import Encoded
from llmroute.catalog import Target
from llmroute.catalog.build import build_catalog
from llmroute.config.workspace import load_workspace
from llmroute.sim.dialects import dialect_of
from llmroute.sim.dialects.base import Dialect, Settings
from llmroute.sim.exchange import Recorded, Whole

__all__ = ["refusal", "shipped"]

_ROOT = Path(__file__).parents[2]
#: Local models as their servers list them; each is a simulator's default model, too.
_FOUND: Mapping[str, list[dict[str, Any]]] = {
    "ollama": [
        {"model": "qwen3:8b", "capabilities": {"tools": True, "reasoning": True}},
        {"model": "gemma3:4b", "capabilities": {"vision": True}},
    ],
    "lm_studio": [
        {"model": "qwen/qwen3-coder-30b", "capabilities": {"tools": True}},
        {"model": "google/gemma-4-26b-a4b", "capabilities": {"tools": True, "vision": True}},
    ],
}


@cache
def shipped() -> Mapping[str, Target]:
    """Return every target of the shipped files by its id, with a few local models."""
    catalog = build_catalog(load_workspace(_ROOT, {}))
    for name, found in _FOUND.items():
        catalog = catalog.with_discovered(name, found)
    return {target.id: target for target in catalog.targets}


def refusal(target: Target, encoded: Encoded) -> str | None:
    """Return what the simulator of a target's provider has against a request, if anything."""
    kind, prefix = target.provider.name, "" if target.provider.name == "anthropic" else "/v1"
    if kind not in ("openai", "anthropic", "ollama", "lm_studio"):
        return None
    path = encoded.path if kind == "ollama" else prefix + encoded.path
    headers = {name.lower(): value for name, value in target.provider.endpoint.headers.items()}
    headers |= {"x-api-key": "k", "authorization": "Bearer k"}
    body = json.loads(json.dumps(encoded.body))
    reply = _server(kind).respond(Recorded("POST", path, "", headers, b"", body))
    failed = isinstance(reply, Whole) and reply.status != 200
    return reply.body.decode() if failed and isinstance(reply, Whole) else None


@cache
def _server(kind: str) -> Dialect:
    return dialect_of(kind, Settings())
