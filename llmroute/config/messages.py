"""What one schema fault means in the words of the file, with its place and what to write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llmroute.config.diagnostics import Diagnostic, closest, did_you_mean
from llmroute.config.lookup import Context, Path, options_of
from llmroute.config.mending import auth_help, key_help, mended, of_other_type, shorter
from llmroute.config.numerals import count_help, number_help, share_help
from llmroute.config.redact import variable_name
from llmroute.config.wording import (
    TYPES,
    any_of,
    kind_of,
    name_of,
    plain,
    show,
    type_of,
    written,
)

__all__ = ["describe"]

_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
_FEWEST = {
    "minItems": "needs at least {} item",
    "minProperties": "needs at least {} key",
    "minLength": "needs at least {} character",
}
_MOST = {
    "maxItems": "may have at most {} items",
    "maxProperties": "may have only {} of its keys",
    "maxLength": "may have at most {} characters",
}
_CHOICES = ("anyOf", "oneOf")


def describe(error: Any, context: Context) -> Iterator[Diagnostic]:
    """Return the findings for one fault; a fault about several keys makes one for each."""
    handler = _HANDLERS.get(error.kind.name, _other)
    yield from handler(error, list(error.instance_path), context)


def _secret(path: Path) -> bool:
    """Whether the value at a path may be a secret, which no message shows."""
    return "auth" in path


def _unknown_key(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    known = list(context.failing(error).get("properties", {}))
    values = [value for value in context.examples(path) if isinstance(value, str)]
    where = f" in {name_of(path)}" if path else ""
    for key in error.kind.unexpected:
        yield context.document.diagnostic(
            "schema-unknown-key",
            f"unknown key `{key}`{where}",
            [*path, key],
            key=True,
            help=written([key], path)
            if key in values
            else _known_key(key, error, known, context) or f"known keys: {', '.join(known)}",
        )


def _known_key(key: str, error: Any, known: list[str], context: Context) -> str | None:
    if context.schema.get("title") == "llmroute provider" and (
        meant := auth_help(key, error.instance[key])
    ):
        return meant
    return did_you_mean(key, known)


def _missing(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    key = error.kind.property
    if context.document.partial(path):
        return  # it may be one of the keys that were refused
    place = [*path, key]
    meant = closest(key, error.instance)
    if meant and meant not in context.properties(path):
        return  # the misspelt key is reported, with this one as what was meant
    yield context.document.diagnostic(
        "schema-missing-key",
        f"{name_of(path)} lacks the key `{key}`{_condition(error, context)}",
        path,
        key=True,
        help=written(context.examples(place), place, "add"),
    )


def _condition(error: Any, context: Context) -> str:
    """In a conditional part of the schema: the keys that the condition names."""
    path = list(error.schema_path)
    if "then" not in path:
        return ""
    condition = context.node(path[: path.index("then")])["if"].get("properties", {})
    return "".join(f" (with {key}: {schema['const']})" for key, schema in condition.items())


def _forbidden(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    message = f"{name_of(path)} has no meaning here{_condition(error, context)}"
    yield context.document.diagnostic(
        "schema-unknown-key", message, path, key=True, help="remove it"
    )


def _type(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    schema = context.failing(error)
    yield _wrong_type([schema], error, path, context, schema)


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type") or [kind_of(option) for option in options_of(schema)] or "string"
    return [kind] if isinstance(kind, str) else list(kind)


def _words(schema: Mapping[str, Any]) -> list[str]:
    """Say what a schema takes: its only values, else types."""
    only = [plain(option) for option in options_of(schema)]
    return only or [TYPES[kind] for kind in _kinds(schema) if kind != "null"]


def _wrong_type(
    branches: list[Mapping[str, Any]],
    error: Any,
    path: Path,
    context: Context,
    schema: Mapping[str, Any],
) -> Diagnostic:
    value = error.instance
    if not path:
        return _wrong_root(value, context)
    kinds = [kind for branch in branches for kind in _kinds(branch)]
    words = list(dict.fromkeys(word for branch in branches for word in _words(branch)))
    wanted = any_of(words or [TYPES["null"]])
    got = "that" if _secret(path) and isinstance(value, str) else type_of(value)
    message = f"{name_of(path)} must be {wanted}, not {got}"
    if value is None:
        message = f"{name_of(path)} is empty; it must be {wanted}"
    help_text = _type_help(kinds, value, path, context, schema)
    return context.document.diagnostic("schema-type", message, path, help=help_text)


def _wrong_root(value: Any, context: Context) -> Diagnostic:
    begin = list(context.schema.get("required", ()))[:1]
    message = "the file is empty" if value is None else f"the file holds {type_of(value)}, no keys"
    help_text = written(context.examples(begin), begin, "begin with") if begin else None
    return context.document.diagnostic("schema-type", message, help=help_text)


def _type_help(
    kinds: list[str], value: Any, path: Path, context: Context, schema: Mapping[str, Any]
) -> str | None:
    if isinstance(value, str) and {"number", "integer"} & set(kinds) and _is_number(value):
        return f"remove the quotes: {value}"
    if value in ("true", "false") and "boolean" in kinds:
        return f"remove the quotes: {value}"
    if isinstance(value, str) and kinds == ["integer"] and (meant := count_help(value, path)):
        return meant
    if isinstance(value, str) and "number" in kinds and "string" not in kinds:
        unit = {**schema, **context.property(path)}
        if not _secret(path) and (meant := number_help(value, path, unit)):
            return meant
    if misspelt := _misspelt(path, context):
        return misspelt
    if not _secret(path) and (meant := of_other_type(kinds, value, path, schema)):
        return meant
    shown = written(context.examples(path, schema), path)
    if value is None and path[-1] not in context.required(path[:-1]):
        return f"{shown}, or leave the key out" if shown else "leave the key out"
    return shown


def _is_number(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdigit()


def _misspelt(path: Path, context: Context) -> str | None:
    """Where free keys stand beside fixed ones: the fixed key that was perhaps meant."""
    if not path or not isinstance(path[-1], str):
        return None
    fixed = context.properties(path[:-1])
    return None if path[-1] in fixed else did_you_mean(path[-1], fixed)


def _enum(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    options = [plain(option) for option in options_of(context.failing(error))]
    value = error.instance
    if _secret(path):
        message = f"{name_of(path)} must be none, or a map that refers to a secret"
        help_text = written(context.examples(path)[1:], path)
        yield context.document.diagnostic("secret-reference", message, path, help=help_text)
        return
    got = show(value) if isinstance(value, str | int | float) else type_of(value)
    message = f"{name_of(path)} must be {any_of(options)}, not {got}"
    help_text = did_you_mean(value, options) if isinstance(value, str) else None
    if len(options) == 1:
        help_text = written(options_of(context.failing(error)), path)
    yield context.document.diagnostic("schema-enum", message, path, help=help_text)


def _pattern(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    schema = context.failing(error)
    title = schema.get("title") or context.resolved(context.property(path)).get(
        "title", "such text"
    )
    help_text = written(context.examples(path, schema), path)
    if title == "secret reference":
        message = f"{name_of(path)} must refer to a secret, as env:NAME or file:PATH"
        if name := variable_name(str(error.instance)):
            help_text = written([f"env:{name}"], path)
        yield context.document.diagnostic("secret-reference", message, path, help=help_text)
        return
    meant = None if _secret(path) else mended(str(error.instance), schema, title)
    if meant:
        help_text = _renamed(meant, path, context)
    message = f"{name_of(path)} is no {title}: {show(error.instance)}"
    yield context.document.diagnostic("schema-pattern", message, path, help=help_text)


def _renamed(meant: str, path: Path, context: Context) -> str | None:
    """Say what to write, and in a file that has the wrong name too, how to name the file."""
    shown, old = written([meant], path), context.document.path.name
    if path in (["policy"], ["provider"]) and old != f"{meant}.yaml":
        return f"{shown}, and name the file {meant}.yaml"
    return shown


def _range(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    bound = error.kind.name
    limit = context.failing(error)[bound]
    message = f"{name_of(path)} must be {_BOUNDS[bound]} {limit}, not {show(error.instance)}"
    help_text = share_help(error.instance, context.failing(error))
    yield context.document.diagnostic("schema-range", message, path, help=help_text)


def _length(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    schema, bound = context.failing(error), error.kind.name
    limit = schema[bound]
    if bound == "minProperties" and context.document.partial(path):
        return
    message = f"{name_of(path)} {({**_FEWEST, **_MOST})[bound].format(limit)}"
    if bound in _MOST:
        message += f"; it has {len(error.instance)}"
    known = list(schema.get("properties", {}))
    help_text = f"its keys: {', '.join(known)}" if known else None
    if bound == "maxLength":
        help_text = shorter(path, lets="let" in context.properties([]))
    help_text = help_text or written(context.examples(path, schema), path)
    yield context.document.diagnostic("schema-length", message, path, key=True, help=help_text)


def _unique(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for index, item in enumerate(error.instance):
        whole = json.dumps(item, sort_keys=True)
        if whole in seen:
            yield context.document.diagnostic(
                "schema-duplicate",
                f"{name_of(path)} has {show(item)} twice",
                [*path, index],
                help="keep one of the two",
            )
        seen.add(whole)


def _key_form(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    key, names = str(error.kind.error.instance), context.failing(error)
    taken = names.get("not", {}).get("enum", ())
    message = f"`{key}` in {name_of(path)} is no {names.get('title', 'key')}"
    help_text = key_help(key, names)
    if key in taken:
        message = f"`{key}` already is the name of a root of expressions"
        help_text = f"take another name than {any_of(taken)}"
    yield context.document.diagnostic(
        "schema-key-name", message, [*path, key], key=True, help=help_text
    )


def _not(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    excluded = context.failing(error).get("not", {}).get("required", ["these keys"])
    message = f"{' and '.join(f'`{key}`' for key in excluded)} exclude each other"
    yield context.document.diagnostic(
        "schema-exclusive", message, [*path, excluded[-1]], key=True, help="keep one of them"
    )


def _choice(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    """No alternative was meant: either one of some keys is missing, or the type fits none."""
    schema = context.failing(error)
    branches = [context.resolved(branch) for branch in schema.get(error.kind.name, ())]
    keys = [branch["required"][0] for branch in branches if set(branch) == {"required"}]
    if not keys:
        yield _wrong_type(branches, error, path, context, schema)
        return
    known = context.properties(path)
    if context.document.partial(path):
        return
    if any(meant and meant not in known for meant in (closest(k, error.instance) for k in keys)):
        return  # the misspelt key is reported, with this one as what was meant
    place = [*path, keys[0]]
    yield context.document.diagnostic(
        "schema-missing-key",
        f"{name_of(path)} needs {any_of([f'`{key}`' for key in keys])}",
        path,
        key=True,
        help=written(context.examples(place), place, "add"),
    )


def _other(error: Any, path: Path, context: Context) -> Iterator[Diagnostic]:
    help_text = written(context.examples(path, context.failing(error)), path)
    message = f"{name_of(path)} is not what belongs here"
    yield context.document.diagnostic("schema-other", message, path, help=help_text)


_Handler = Callable[[Any, Path, Context], Iterator[Diagnostic]]
_HANDLERS: dict[str, _Handler] = {
    "additionalProperties": _unknown_key,
    "required": _missing,
    "falseSchema": _forbidden,
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "pattern": _pattern,
    **dict.fromkeys(_BOUNDS, _range),
    **dict.fromkeys((*_FEWEST, *_MOST), _length),
    "uniqueItems": _unique,
    "propertyNames": _key_form,
    "not": _not,
    **dict.fromkeys(_CHOICES, _choice),
}
