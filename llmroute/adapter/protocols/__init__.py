"""The wire dialects, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from llmroute.adapter.protocols.base import Encoded, ProviderError, WireProtocol
from llmroute.catalog.declared import Declaration

__all__ = ["PROTOCOLS", "Encoded", "ProviderError", "WireProtocol", "protocol"]

_NONE: Mapping[str, Declaration] = {}


def _openai_chat() -> WireProtocol:
    from llmroute.adapter.protocols.openai_chat import OpenAIChat

    return OpenAIChat()


def _openai_responses() -> WireProtocol:
    from llmroute.adapter.protocols.openai_responses import OpenAIResponses

    return OpenAIResponses()


def _anthropic_messages() -> WireProtocol:
    from llmroute.adapter.protocols.anthropic_messages import AnthropicMessages

    return AnthropicMessages()


def _ollama_chat() -> WireProtocol:
    from llmroute.adapter.protocols.ollama_chat import OllamaChat

    return OllamaChat()


def _claude_code() -> WireProtocol:
    from llmroute.adapter.protocols.claude_code import ClaudeCode

    return ClaudeCode()


#: Protocol name → how to make it; each is loaded when first used.
PROTOCOLS: dict[str, Callable[[], WireProtocol]] = {
    "anthropic-messages": _anthropic_messages,
    "claude-code": _claude_code,
    "ollama-chat": _ollama_chat,
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
}


def protocol(name: str, declared: Mapping[str, Declaration] = _NONE) -> WireProtocol:
    """Return the protocol of that name, one that a workspace declares or a built-in one.

    Protocols hold no state.

    Raises:
        KeyError: there is none.
        UsageError: the declared one is faulty.

    """
    own = declared.get(name)
    return _built_in(name) if own is None else cast("WireProtocol", own.made(_compiled))


@cache
def _built_in(name: str) -> WireProtocol:
    return PROTOCOLS[name]()


def _compiled(data: Mapping[str, Any]) -> WireProtocol:
    from llmroute.adapter.declared.protocol import usable_protocol

    return usable_protocol(data)
