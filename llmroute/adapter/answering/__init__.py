"""Speaking to clients in their own protocol: reading what they ask, writing what is answered.

`CLIENT_PROTOCOLS` holds what a gateway needs of each: requests to canonical ones, whole and
streamed answers and errors to the client's shape. The other side, calling providers, is
`llmroute.adapter.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from llmroute.adapter.answering.base import Asked, ClientProtocol, Failure, StreamWriter

__all__ = [
    "CLIENT_PROTOCOLS",
    "Asked",
    "ClientProtocol",
    "Failure",
    "StreamWriter",
    "client_protocol",
]


def _openai_chat() -> ClientProtocol:
    from llmroute.adapter.answering.openai_chat import OpenAIChatClients

    return OpenAIChatClients()


def _openai_responses() -> ClientProtocol:
    from llmroute.adapter.answering.openai_responses import OpenAIResponsesClients

    return OpenAIResponsesClients()


def _anthropic_messages() -> ClientProtocol:
    from llmroute.adapter.answering.anthropic_messages import AnthropicMessagesClients

    return AnthropicMessagesClients()


#: Protocol name → how to make it; each is loaded when first used.
CLIENT_PROTOCOLS: dict[str, Callable[[], ClientProtocol]] = {
    "anthropic-messages": _anthropic_messages,
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
}


@cache
def client_protocol(name: str) -> ClientProtocol:
    """Return the protocol of that name; protocols hold no state.

    Raises:
        KeyError: there is none.

    """
    return CLIENT_PROTOCOLS[name]()
