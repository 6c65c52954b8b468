"""Targets for tests, built from the same data that a provider file holds."""

from __future__ import annotations

from typing import Any

from llmroute.catalog import Endpoint, Provider, Target
from llmroute.catalog.targets import build_target, merge


def provider(name: str, locality: str = "cloud", **fields: Any) -> Provider:
    endpoint = fields.pop("endpoint", Endpoint("http", "openai-chat", "http://127.0.0.1:9"))
    return Provider(name, locality, endpoint, **fields)


def target(target_id: str, locality: str = "cloud", **data: Any) -> Target:
    """Build a target; `price=(in, out)` is USD per million tokens."""
    name, model = target_id.split("/", 1)
    if "price" in data:
        into, out = data.pop("price")
        data["cost"] = {"input": into, "output": out}
    usual = {"capabilities": {"streaming": True, "tools": True, "json_schema": True}}
    owner = data.pop("provider", None) or provider(name, locality)
    return build_target(owner, merge(usual, {"model": model, **data}), discovered=False)
