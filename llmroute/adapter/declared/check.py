"""Findings about declared protocols, each at its place in its file."""

from __future__ import annotations

from collections.abc import Iterator

from llmroute.adapter.declared.discovery import check_discovery
from llmroute.adapter.declared.faults import Fault
from llmroute.adapter.declared.protocol import compile_protocol
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.protocols import is_shipped
from llmroute.config.textplace import narrowed
from llmroute.config.workspace import Workspace

__all__ = ["check_declared", "check_document"]


def check_declared(workspace: Workspace, *, shipped: bool = False) -> list[Diagnostic]:
    """Check the expressions and templates of a workspace's protocols.

    Those that come with the package are known to be right; `shipped` checks them as well.
    """
    return [
        found
        for document in workspace.protocols.values()
        if shipped or not is_shipped(document)
        for found in check_document(document)
    ]


def check_document(document: Document) -> Iterator[Diagnostic]:
    """Yield what is wrong with one schema-checked file."""
    _, faults = compile_protocol(document.data)
    for fault in [*faults, *check_discovery(document.data.get("discovery"))]:
        yield _placed(document, fault)


def _placed(document: Document, fault: Fault) -> Diagnostic:
    path = fault.path
    found = document.diagnostic(fault.rule, fault.message, path, key=fault.key, help=fault.help)
    text = document.data
    for step in path:
        text = text[step]
    if fault.key or not isinstance(text, str):
        return found
    return narrowed(found, document, path, (text, fault.column, fault.length))
