"""Putting streamed tool calls together, from servers that count badly.

Seen on the wire: the index missing, the same index used for the next call, a whole call sent
twice, ids left out, repeated or made anew in every fragment, empty names in fragments. Whatever
arrives, two calls never become one: each begins with its name.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from llmroute.adapter.jsontext import JsonError, parse
from llmroute.adapter.protocols.extract import malformed
from llmroute.types import ToolCallDelta

__all__ = ["ToolCallAssembler", "new_call_id"]


def new_call_id() -> str:
    """Return an id for a call that its server left without one."""
    return f"call_{secrets.token_hex(12)}"


@dataclass(slots=True)
class _Call:
    number: int
    id: str
    given_id: str | None
    name: str | None
    arguments: str = ""

    def complete(self) -> bool:
        try:
            parse(self.arguments)
        except JsonError:
            return False
        return True


class ToolCallAssembler:
    """Follows the calls of one answer; `new_id` makes ids where the server gives none."""

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        self._new_id = new_id
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(
        self,
        index: int | None,
        call_id: str | None,
        name: str | None,
        arguments: str,
    ) -> list[ToolCallDelta]:
        """Take one piece of a call and return what is new about it."""
        call = self._find(index, call_id, name)
        if call is None:
            return [self._start(index, call_id, name, arguments)]
        if self._repeats(call, call_id, name, arguments):
            return []
        late_name = name if call.name is None else None
        call.given_id = call.given_id or call_id
        call.name = call.name or name
        call.arguments += arguments
        if not arguments and not late_name:
            return []
        return [ToolCallDelta(call.number, name=late_name, arguments=arguments)]

    def finish(self) -> list[ToolCallDelta]:
        """Return what completes the calls: arguments that were never sent are an empty object.

        Raises:
            TargetError: a call has no name.

        """
        if any(call.name is None for call in self._calls):
            raise malformed("a tool call came without a name")
        return [ToolCallDelta(c.number, arguments="{}") for c in self._calls if not c.arguments]

    def _find(self, index: int | None, call_id: str | None, name: str | None) -> _Call | None:
        if index is None:
            return self._without_index(call_id, name)
        call = self._by_index.get(index)
        if call is None or self._starts_anew(call, call_id, name):
            return None
        return call

    @staticmethod
    def _starts_anew(call: _Call, call_id: str | None, name: str | None) -> bool:
        if not name:
            return False
        if call.given_id is None:
            return call.complete()
        return call_id is not None and call_id != call.given_id

    def _without_index(self, call_id: str | None, name: str | None) -> _Call | None:
        known = next((c for c in self._calls if call_id and c.given_id == call_id), None)
        if known is not None or name or not self._calls:
            return known
        return self._calls[-1]

    def _start(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> ToolCallDelta:
        call = _Call(len(self._calls), call_id or self._new_id(), call_id, name, arguments)
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return ToolCallDelta(call.number, call.id, name, arguments)

    @staticmethod
    def _repeats(call: _Call, call_id: str | None, name: str | None, arguments: str) -> bool:
        named = bool(call_id and name and call.name == name)
        return named and bool(arguments) and arguments == call.arguments and call.complete()
