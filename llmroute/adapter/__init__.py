"""Calling targets: one adapter, the protocols they speak and the transports that carry them."""

from __future__ import annotations

from llmroute.adapter.adapter import Adapter
from llmroute.adapter.answer import collect
from llmroute.adapter.protocols import PROTOCOLS, Encoded
from llmroute.adapter.transports import TRANSPORTS, Call, Reply, Transport

__all__ = [
    "PROTOCOLS",
    "TRANSPORTS",
    "Adapter",
    "Call",
    "Encoded",
    "Reply",
    "Transport",
    "collect",
]
