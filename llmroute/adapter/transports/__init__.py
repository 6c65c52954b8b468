"""The ways bytes travel, by name."""

from __future__ import annotations

from collections.abc import Callable

from llmroute.adapter.transports.base import Call, Reply, Transport

__all__ = ["TRANSPORTS", "Call", "Reply", "Transport", "make_transport"]


def _http() -> Transport:
    from llmroute.adapter.transports.http import HttpTransport

    return HttpTransport()


def _process() -> Transport:
    from llmroute.adapter.transports.process import ProcessTransport

    return ProcessTransport()


def _litellm() -> Transport:
    from llmroute.adapter.transports.litellm import LiteLLMTransport

    return LiteLLMTransport()


#: Transport name → how to make it; each is loaded when first used.
TRANSPORTS: dict[str, Callable[[], Transport]] = {
    "http": _http,
    "litellm": _litellm,
    "process": _process,
}


def make_transport(name: str) -> Transport:
    """Return a new transport of that name.

    Raises:
        KeyError: there is none.

    """
    return TRANSPORTS[name]()
