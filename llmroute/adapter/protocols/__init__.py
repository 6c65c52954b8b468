"""The wire dialects, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from llmroute.adapter.protocols.base import Encoded, ProviderError, WireProtocol

__all__ = ["PROTOCOLS", "Encoded", "ProviderError", "WireProtocol", "protocol"]


def _openai_chat() -> WireProtocol:
    from llmroute.adapter.protocols.openai_chat import OpenAIChat

    return OpenAIChat()


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
}


@cache
def protocol(name: str) -> WireProtocol:
    """Return the protocol of that name; protocols hold no state.

    Raises:
        KeyError: there is none.

    """
    return PROTOCOLS[name]()
