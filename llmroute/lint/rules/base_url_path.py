"""A base_url ends with what the protocol puts behind it.

Wrong:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1/chat/completions
      auth: {bearer: env:EXAMPLE_KEY}

Right:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: env:EXAMPLE_KEY}

Why: A vendor's documentation shows the address of a call. A protocol adds the path of its calls to
base_url by itself: with it there twice the server knows no such path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.expand import UnsetVariable, base_url
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: What each protocol calls, behind base_url.
_PATHS = {
    "openai-chat": "chat/completions",
    "openai-responses": "responses",
    "anthropic-messages": "v1/messages",
    "ollama-chat": "api/chat",
}


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.providers.values():
        written = document.data["endpoint"].get("base_url", "")
        path = _path(written)
        for protocol in _protocols(document.data):
            twice = _overlap(path, _PATHS.get(protocol, ""))
            if not twice:
                continue
            plain = written.rstrip("/").removesuffix(f"/{twice}")
            yield document.diagnostic(
                RULE.name,
                f"{protocol} adds /{_PATHS[protocol]} to base_url, which ends with /{twice}",
                ("endpoint", "base_url"),
                help=f"write {plain}" if plain + f"/{twice}" == written.rstrip("/") else None,
                severity="warning",
            )
            break


def _path(written: str) -> list[str]:
    """Return the segments of the address's path, with the defaults of variables."""
    try:
        return urlsplit(base_url(written, {})).path.strip("/").split("/")
    except (UnsetVariable, ValueError):
        return []


def _protocols(data: Mapping[str, Any]) -> list[str]:
    """Return the protocols that a provider's models are called by, each once."""
    parts = (data["endpoint"], data.get("defaults", {}), *data.get("models", ()))
    return list(dict.fromkeys(part["protocol"] for part in parts if "protocol" in part))


def _overlap(path: list[str], added: str) -> str:
    """Return the longest beginning of what is added that the path ends with."""
    steps = added.split("/")
    lengths = range(len(steps), 0, -1)
    return next(("/".join(steps[:n]) for n in lengths if path[-n:] == steps[:n]), "")


RULE = Rule("base-url-path", "warning", _check)
