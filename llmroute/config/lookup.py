"""Finding one's way in a schema: what a fault's keyword belongs to, what a data path means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmroute.config.document import Document

__all__ = ["Context", "Path", "options_of"]

#: A path into the data: keys and 0-based item numbers.
Path = list[str | int]


@dataclass(frozen=True)
class Context:
    """The document that is checked and the whole schema that it is checked against."""

    document: Document
    schema: Mapping[str, Any]

    def node(self, path: Sequence[str | int]) -> Any:
        """Return the part of the schema at a schema path."""
        node: Any = self.schema
        for step in path:
            node = node[step]
        return node

    def failing(self, error: Any) -> Mapping[str, Any]:
        """Return the schema whose keyword failed."""
        path = list(error.schema_path)
        if "propertyNames" in path:
            path = path[: len(path) - path[::-1].index("propertyNames") + 1]
        node = self.node(path[:-1])
        return node if isinstance(node, dict) else {}

    def property(self, path: Sequence[str | int]) -> Mapping[str, Any]:
        """Return the schema of a data path, as far as keys, items and choices lead to it."""
        node = self.schema
        for step in path:
            node = _into(self.resolved(node), step, self)
        return node

    def properties(self, path: Sequence[str | int]) -> Mapping[str, Any]:
        """Return the fixed keys of the map at a data path."""
        found: Mapping[str, Any] = self.resolved(self.property(path)).get("properties", {})
        return found

    def required(self, path: Sequence[str | int]) -> list[str]:
        """Return the keys that the map at a data path must have."""
        return list(self.resolved(self.property(path)).get("required", ()))

    def resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a node's reference."""
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        target: Mapping[str, Any] = self.node(reference.removeprefix("#/").split("/"))
        return target

    def examples(self, path: Sequence[str | int], nearer: Mapping[str, Any] | None = None) -> Any:
        """Return examples for a data path: of its key, else of the failing schema."""
        found = self.property(path).get("examples") if path else None
        found = found or self.resolved(self.property(path)).get("examples")
        return list(found or (nearer or {}).get("examples", ()))


def options_of(schema: Mapping[str, Any]) -> list[Any]:
    """Return the only values that a schema takes (`const`, `enum`), empty where it lists none."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _into(node: Mapping[str, Any], step: str | int, context: Context) -> Mapping[str, Any]:
    found: Any
    if isinstance(step, int):
        found = node.get("items")
    else:
        found = node.get("properties", {}).get(step) or node.get("additionalProperties")
    known: Mapping[str, Any] = found if isinstance(found, dict) else {}
    return known or _in_choices(node, step, context)


def _in_choices(node: Mapping[str, Any], step: str | int, context: Context) -> Mapping[str, Any]:
    for branch in node.get("anyOf", ()):
        if found := _into(context.resolved(branch), step, context):
            return found
    return {}
