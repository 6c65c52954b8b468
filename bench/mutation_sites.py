"""Places in a YAML file where a mutation can be made, and what the schemas say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from llmroute.config.schema import SchemaName, schema_text

__all__ = ["Entry", "File", "Item", "Scalar", "end_of"]

Path = tuple[str | int, ...]
#: (from, up to, what to put there instead), in characters.
Edit = tuple[int, int, str]


@dataclass(frozen=True, eq=False)
class Entry:
    """One key of a map with its value."""

    path: Path
    number: int
    parent: yaml.MappingNode

    @property
    def key(self) -> yaml.Node:
        """The node of the key."""
        node: yaml.Node = self.parent.value[self.number][0]
        return node

    @property
    def name(self) -> str:
        """The key."""
        return str(self.key.value)

    @property
    def value(self) -> yaml.Node:
        """The node of the value."""
        node: yaml.Node = self.parent.value[self.number][1]
        return node


@dataclass(frozen=True, eq=False)
class Item:
    """One item of a list."""

    path: Path
    number: int
    parent: yaml.SequenceNode


@dataclass(frozen=True, eq=False)
class Scalar:
    """One value that is neither a map nor a list."""

    path: Path
    node: yaml.ScalarNode

    @property
    def kind(self) -> str:
        """The type of the value: str, int, float, bool or null."""
        return str(self.node.tag.rpartition(":")[2])


def end_of(node: yaml.Node, text: str) -> int:
    """Return the index behind the last character of a value; comments behind it are not its."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return end_of(last[1] if isinstance(last, tuple) else last, text)
    return len(text[: node.end_mark.index].rstrip())


@dataclass(frozen=True, eq=False)
class File:
    """A shipped file: its name, which schema it follows, its text."""

    name: str
    kind: SchemaName
    text: str

    @cached_property
    def root(self) -> yaml.Node:
        """The tree of the file, with places."""
        found = yaml.compose(self.text, Loader=yaml.SafeLoader)
        if found is None:
            raise ValueError(f"{self.name} is empty")
        return found

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every key of every map."""
        return tuple(site for site in _walk(self.root, ()) if isinstance(site, Entry))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every item of every list."""
        return tuple(site for site in _walk(self.root, ()) if isinstance(site, Item))

    @cached_property
    def scalars(self) -> tuple[Scalar, ...]:
        """Every value that is neither a map nor a list."""
        return tuple(site for site in _walk(self.root, ()) if isinstance(site, Scalar))

    @cached_property
    def _schema(self) -> Mapping[str, Any]:
        loaded: dict[str, Any] = json.loads(schema_text(self.kind))
        return loaded

    def known_keys(self, path: Path) -> set[str]:
        """Return the keys that the schema knows in the map at a path; none where it is open."""
        return {name for node in self._nodes(path) for name in node.get("properties", ())}

    def words(self, path: Path) -> set[str]:
        """Return the words that the schema allows at a path; none where any text is allowed."""
        nodes = self._nodes(path)
        found = [word for node in nodes for word in (*node.get("enum", ()), node.get("const"))]
        return {word for word in found if isinstance(word, str)}

    def _nodes(self, path: Path) -> list[Mapping[str, Any]]:
        nodes = self._open(self._schema)
        for step in path:
            nodes = [more for node in nodes for more in self._inside(node, step)]
        return nodes

    def _open(self, node: Any) -> list[Mapping[str, Any]]:
        """Follow references and alternatives."""
        if not isinstance(node, Mapping):
            return []
        found = [node]
        if "$ref" in node:
            found += self._open(self._schema["$defs"][node["$ref"].rpartition("/")[2]])
        for word in ("anyOf", "oneOf", "allOf"):
            found += [more for part in node.get(word, ()) for more in self._open(part)]
        return found

    def _inside(self, node: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
        if isinstance(step, int):
            return self._open(node.get("items"))
        if step in node.get("properties", {}):
            return self._open(node["properties"][step])
        return self._open(node.get("additionalProperties"))


def _walk(node: yaml.Node, path: Path) -> Iterator[Entry | Item | Scalar]:
    if isinstance(node, yaml.MappingNode):
        for number, (key, value) in enumerate(node.value):
            here = (*path, str(key.value))
            yield Entry(here, number, node)
            yield from _walk(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield Item((*path, number), number, node)
            yield from _walk(value, (*path, number))
    elif isinstance(node, yaml.ScalarNode):
        yield Scalar(path, node)
