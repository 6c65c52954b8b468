"""Protocols that a workspace declares: which exist, and which a provider may name.

A name leads to a file of the workspace's own `protocols.d/`, else to a built-in protocol, else
to a file that comes with the package. Of the last only those are read that a provider names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.reading import items_of, map_of, name_finding, reference, text_of
from llmroute.config.shipped import data_root

__all__ = ["BUILT_IN", "check_protocol", "check_uses", "is_shipped", "protocols_used"]

#: The protocols that are written in Python.
BUILT_IN = frozenset(
    {"anthropic-messages", "claude-code", "ollama-chat", "openai-chat", "openai-responses"}
)
_Path = tuple[str | int, ...]


def is_shipped(document: Document) -> bool:
    """Whether a protocol's file is one of those that come with the package."""
    return document.path.parent == data_root() / "protocols.d"


def check_protocol(document: Document) -> Iterator[Diagnostic]:
    """Yield what is wrong with a protocol's file beyond its schema, its expressions aside."""
    yield from name_finding(document, "protocol")
    name = text_of(document.data, "protocol")
    if name in BUILT_IN:
        message = f"`{name}` is a protocol that is built in"
        help_text = "choose another name for the file and the protocol"
        yield document.diagnostic("protocol-name", message, ("protocol",), help=help_text)


def protocols_used(data: Any) -> Iterator[tuple[_Path, str]]:
    """Yield the path and the name of every protocol that a provider's data names."""
    models = [(("models", i), model) for i, model in enumerate(items_of(data, "models"))]
    places: list[tuple[_Path, Any]] = [
        (("endpoint",), map_of(data, "endpoint")),
        (("defaults",), map_of(data, "defaults")),
        *models,
    ]
    for path, found in places:
        name = text_of(found, "protocol")
        if name is not None:
            yield (*path, "protocol"), name


def check_uses(
    document: Document, declared: Mapping[str, Document], names: set[str]
) -> Iterator[Diagnostic]:
    """Report protocols that a provider names and that do not exist, or do not fit its transport.

    `names` are those of all files, right or wrong; `declared` the right ones.
    """
    transport = text_of(map_of(document.data, "endpoint"), "transport")
    for path, name in protocols_used(document.data):
        yield from reference(document, path, "protocol", name, BUILT_IN | names)
        request = map_of(declared[name].data, "request") if name in declared else None
        if request is None or transport not in ("http", "process"):
            continue
        wanted = "path" if transport == "http" else "stdin"
        if wanted not in request and not (transport == "process" and "values" in request):
            yield document.diagnostic(
                "protocol-transport",
                f"the protocol `{name}` is not made for the transport {transport}: "
                f"its request has no `{wanted}`",
                path,
                help="choose the other transport, or another protocol",
            )
