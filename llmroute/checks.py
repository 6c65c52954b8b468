"""What a request's fields must be: what is wrong is refused by its place, with what to write."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from llmroute.errors import UsageError

__all__ = [
    "check_form",
    "check_list",
    "check_message",
    "check_number",
    "check_text",
    "check_tools",
    "unknown_field",
]

#: No number of a request is larger: all of them are exact as floats too.
_LARGEST = 2**53
_ROLES = ("system", "developer", "user", "assistant", "tool")
_CONTENT = (str, list, tuple, type(None))
_CALL = '{"id": …, "type": "function", "function": {"name": …, "arguments": …}}'
_TOOL = '{"type": "function", "function": {"name": …, "parameters": …}}'
_CHOICE = '{"type": "function", "function": {"name": …}}'
_FORM = '{"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}'


def check_message(index: int, message: Any) -> None:
    """Refuse a message without a known role, or with parts or calls that are none."""
    where = f"messages[{index}]"
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in _ROLES:
        raise UsageError(f"{where}.role is {role!r}; use one of {', '.join(_ROLES)}")
    content, calls = message.get("content"), message.get("tool_calls")
    if not isinstance(content, _CONTENT):
        wanted = "write a text, a list of parts or null"
        raise UsageError(f"{where}.content is {content!r}; {wanted}")
    if isinstance(content, list | tuple):
        _check_maps(f"{where}.content", content, '{"type": "text", "text": …}')
    if calls is not None:
        _check_calls(f"{where}.tool_calls", calls)


def _check_calls(where: str, calls: Any) -> None:
    _check_maps(where, calls, _CALL)
    for number, call in enumerate(calls):
        if not isinstance(call.get("function"), Mapping | None):
            raise UsageError(f"{where}[{number}] is {call!r}; write {_CALL}")


def _check_maps(where: str, value: Any, wanted: str) -> None:
    if not isinstance(value, list | tuple):
        raise UsageError(f"{where} is {value!r}; it must be a list of {wanted}")
    for number, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise UsageError(f"{where}[{number}] is {item!r}; write {wanted}")


def check_tools(tools: Any, choice: Any) -> None:
    """Refuse tools that are no functions with a name, and a choice of them that names none."""
    if not isinstance(tools, tuple):
        raise UsageError(f"tools is {tools!r}; it must be a list of tools")
    for index, tool in enumerate(tools):
        if not _is_tool(tool):
            raise UsageError(f"tools[{index}] is {tool!r}; a tool is {_TOOL}")
    named = choice.get("function") if isinstance(choice, Mapping) else None
    if not isinstance(choice, str | Mapping | None) or not isinstance(named, Mapping | None):
        raise UsageError(f"tool_choice is {choice!r}; write auto, none, required or {_CHOICE}")


def _is_tool(tool: Any) -> bool:
    """Whether it is a function, or something else with a type, which only its provider knows."""
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    if kind != "function":
        return isinstance(kind, str)
    function = tool.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        return False
    return isinstance(function.get("parameters"), Mapping | None)


def check_form(form: Any) -> None:
    """Refuse a form of the answer that is no object where it must be one."""
    told = form.get("json_schema") if isinstance(form, Mapping) else None
    schema = told.get("schema") if isinstance(told, Mapping) else None
    if not all(isinstance(one, Mapping | None) for one in (form, told, schema)):
        raise UsageError(f"response_format is {form!r}; write {_FORM}")


def check_list(name: str, value: Any) -> None:
    """Refuse what is no list of texts."""
    if not isinstance(value, tuple):
        raise UsageError(f"{name} is {value!r}; it must be a list")
    for item in value:
        if not isinstance(item, str):
            raise UsageError(f"{name} holds {item!r}; it must be a list of texts")


def check_text(name: str, value: Any) -> None:
    """Refuse what is neither a text nor left out."""
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} is {value!r}; it must be a text")


def check_number(name: str, value: Any, *, whole: bool = False) -> None:
    """Refuse what is neither a number nor left out; `whole` ones have no fraction."""
    if value is None:
        return
    number = isinstance(value, int) if whole else isinstance(value, int | float)
    if number and abs(value) > _LARGEST:
        raise UsageError(f"{name} is too large; at most {_LARGEST:,} is possible")
    if not number or isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(f"{name} is {value!r}; it must be a {'whole ' * whole}number")


def unknown_field(
    what: str,
    unknown: Collection[str],
    known: Collection[str],
    meant: Mapping[str, str] = MappingProxyType({}),
) -> UsageError:
    """Return the error of fields that nobody knows, with the one that was meant.

    `meant` says so of names that are not alike.
    """
    from difflib import get_close_matches

    name = min(unknown)
    close = get_close_matches(meant.get(name, name), sorted(known), n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(sorted(known))}"
    return UsageError(f'unknown {what} field "{name}"; {hint}')
