"""Looking into data that may have any shape, and findings that several files share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.config.document import Document

__all__ = ["items_of", "map_of", "name_finding", "reference", "text_of", "twice"]

_EMPTY: Mapping[str, Any] = {}


def map_of(data: Any, *keys: str) -> Mapping[str, Any]:
    """Return the map under some keys, empty where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else _EMPTY


def items_of(data: Any, key: str) -> Sequence[Any]:
    """Return the list under a key, empty where there is none."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, list) else ()


def text_of(data: Any, key: str) -> str | None:
    """Return the text under a key, or None."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else None


def name_finding(document: Document, key: str) -> Iterator[Diagnostic]:
    """Check that a file's own name equals the name written in it."""
    name, stem = text_of(document.data, key), document.path.name.removesuffix(".yaml")
    if name is not None and name != stem:
        yield document.diagnostic(
            f"{key}-name",
            f"the {key} `{name}` is in the file {document.path.name}; the two must agree",
            (key,),
            help=f"write {key}: {stem}, or rename the file to {name}.yaml",
        )


def twice(
    document: Document,
    named: Iterable[tuple[Sequence[str | int], str | None]],
    rule: str,
    message: str,
) -> Iterator[Diagnostic]:
    """Report each name that stands a second time; `message` has a place for the name."""
    first: dict[str, Sequence[str | int]] = {}
    for path, name in named:
        if name is None:
            continue
        if name in first:
            line = document.place(first[name]).line
            text = f"{message.format(f'`{name}`')}; the first is in line {line}"
            yield document.diagnostic(rule, text, path, help="keep one, or rename one")
        first.setdefault(name, path)


def reference(
    document: Document,
    path: Sequence[str | int],
    kind: str,
    name: str,
    known: Iterable[str],
) -> Iterator[Diagnostic]:
    """Report a name that refers to nothing that exists."""
    existing = sorted(known)
    if name in existing:
        return
    listed = f"there are: {', '.join(existing)}" if existing else f"there is no {kind} at all"
    yield document.diagnostic(
        f"unknown-{kind}",
        f"there is no {kind} `{name}`",
        path,
        help=did_you_mean(name, existing) or listed,
    )
