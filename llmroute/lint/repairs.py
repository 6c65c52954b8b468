"""Safe fixes for what loading refuses: only where the file can have meant one thing.

A misspelt key with one candidate, a word or number that YAML versions read differently in a place
where the schema wants one type, an expression that needs quotes, quotes around a number. Values
are never guessed, nor is anything that would change what a loadable file decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document, Node
from llmroute.config.files import read_document
from llmroute.config.scalars import Fault, quoted, resolve

__all__ = ["repair"]

_MEANT = re.compile(r'did you mean "([^"]+)"\?\Z')
_UNQUOTE = "remove the quotes: "
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_NUMBERS = frozenset({"number", "integer"})
Steps = tuple[str | int, ...]


class _Fault(NamedTuple):
    """A finding with what stands at its place, and where in the data that is."""

    item: Diagnostic
    document: Document
    raw: str
    path: Steps


def repair(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return findings, those with a safe fix with it."""
    documents: dict[str, Document | None] = {}
    return [_repaired(item, documents) for item in found]


def _repaired(item: Diagnostic, documents: dict[str, Document | None]) -> Diagnostic:
    maker = _MAKERS.get(item.rule)
    if maker is None or item.fix is not None or item.end_line != item.line:
        return item
    if item.file not in documents:
        path = Path(item.file).absolute()
        documents[item.file] = read_document(path, path.parent)[0]
    document = documents[item.file]
    fault = _fault(item, document) if document else None
    text = maker(fault) if fault else None
    return item if text is None else item.with_fix(text)


def _fault(item: Diagnostic, document: Document) -> _Fault | None:
    line = document.source.line(item.line)
    raw = line[item.col - 1 : (item.end_col or item.col) - 1]
    path = next(_paths(document.root, item.line, item.col), None)
    return None if path is None or not raw else _Fault(item, document, raw, path)


def _paths(node: Node, line: int, col: int) -> Iterator[Steps]:
    """Yield the data paths of the key or value that begins at a place; the innermost first."""
    for step, child in node.children.items():
        for deeper in _paths(child, line, col):
            yield (step, *deeper)
        if (line, col) in (child.span[:2], child.key[:2] if child.key else None):
            yield (step,)


def _key(fault: _Fault) -> str | None:
    """Write the only known key that is close, unless it is there, or another may mean it too."""
    from difflib import get_close_matches

    from llmroute.config.lookup import Context

    meant, key = _MEANT.match(fault.item.help or ""), fault.path[-1]
    if meant is None or not isinstance(key, str):
        return None
    context = Context(fault.document, _schema(fault.document))
    known = context.properties(fault.path[:-1])
    siblings = _data(fault.document.data, fault.path[:-1])
    close = get_close_matches(key.casefold(), [name for name in known if name not in siblings], 2)
    others = [name for name in siblings if name != key and name not in known]
    rivals = get_close_matches(meant[1], map(str.casefold, others), 1)
    if close != [meant[1]] or key not in fault.raw or rivals:
        return None
    return fault.raw.replace(key, meant[1], 1)


def _data(data: Any, path: Steps) -> Any:
    for step in path:
        data = data[step]
    return data


def _word(fault: _Fault) -> str | None:
    """Write a truth value where one is wanted, a quoted word where text is."""
    kinds, meaning = _kinds(fault), resolve(fault.raw)
    if not isinstance(meaning, Fault):
        return None
    if kinds == {"boolean"}:
        return "true" if meaning.value else "false"
    return quoted(fault.raw) if kinds == {"string"} else None


def _number(fault: _Fault) -> str | None:
    """Write a number that every reader takes for the same, or quoted text where text is wanted."""
    kinds = _kinds(fault)
    if kinds == {"string"} and isinstance(resolve(fault.raw), Fault):
        return quoted(fault.raw)
    if not kinds or not kinds <= _NUMBERS or _LEADING_ZERO.match(fault.raw):
        return None
    plain = fault.raw.replace("_", "")
    return next((form for form in (plain, _in_full(plain)) if _is_number(resolve(form))), None)


def _in_full(text: str) -> str:
    try:
        return format(Decimal(text), "f")[:40]
    except InvalidOperation:
        return "-"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _quote(fault: _Fault) -> str | None:
    """Quote an expression that is one, where the whole of it is what the help shows."""
    written = quoted(fault.raw)
    shown = (fault.item.help or "").endswith(written)
    return written if shown and _is_condition(fault.raw, fault) else None


def _is_condition(text: str, fault: _Fault) -> bool:
    """Whether a text can be meant as an expression.

    A bare list or map is no condition: it is always true. Names that nothing defines tell of
    another meaning.
    """
    from llmroute.policy.expressions.expression import ROOTS, Expression, ExpressionError

    try:
        expression = Expression(text)
    except ExpressionError:
        return False
    if expression.tree["type"] in ("multi_select_list", "multi_select_dict"):
        return False
    data = fault.document.data
    if data.get("extends"):  # its names under `let` may be read, too
        return True
    return expression.roots <= {*ROOTS, *(data.get("let") or ()), "@"}


def _unquote(fault: _Fault) -> str | None:
    """Take the quotes from a number or truth value."""
    text = (fault.item.help or "").removeprefix(_UNQUOTE)
    if text == fault.item.help or fault.raw not in (f'"{text}"', f"'{text}'"):
        return None
    return text if isinstance(resolve(text), bool | int | float) else None


def _kinds(fault: _Fault) -> set[str]:
    """Return the types that the schema allows at the fault's place; empty where it names none."""
    from llmroute.config.lookup import Context

    context = Context(fault.document, _schema(fault.document))
    return set(_types(context.property(fault.path), context)) - {"null"}


def _types(node: Mapping[str, Any], context: Any) -> Iterator[str]:
    schema = context.resolved(node)
    kind = schema.get("type", ())
    yield from [kind] if isinstance(kind, str) else kind
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _types(branch, context)


def _schema(document: Document) -> Mapping[str, Any]:
    import json

    from llmroute.config.schema import schema_text

    if document.path.name == "llmroute.yaml":
        name = "workspace"
    elif document.path.name.endswith(".test.yaml"):
        name = "test"
    else:
        keys = document.data if isinstance(document.data, Mapping) else ()
        known = {"policies": "policy", "protocols.d": "protocol", "providers.d": "provider"}
        by_key = "policy" if "policy" in keys or "rules" in keys else "provider"
        name = known.get(document.path.parent.name, by_key)
    schema: Mapping[str, Any] = json.loads(schema_text(name))  # type: ignore[arg-type]
    return schema


_MAKERS: Mapping[str, Callable[[_Fault], str | None]] = {
    "schema-type": _unquote,
    "schema-unknown-key": _key,
    "yaml-bool-word": _word,
    "yaml-number": _number,
    "yaml-quote": _quote,
}
