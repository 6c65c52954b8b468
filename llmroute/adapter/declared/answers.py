"""Reading answers by a declared protocol's expressions: whole ones, and pieces of streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llmroute.adapter.declared.expressions import Evaluate
from llmroute.adapter.declared.faults import Fault, Path
from llmroute.adapter.declared.scopes import ANY
from llmroute.adapter.declared.templates import Maker
from llmroute.adapter.jsontext import compact
from llmroute.adapter.opaque import seal
from llmroute.adapter.protocols.extract import malformed
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import FinishReason, Usage

__all__ = [
    "FINISH",
    "CallPiece",
    "Calls",
    "Reader",
    "UsageCounts",
    "check_finish",
    "failure_of",
    "finish_of",
    "left_out",
    "make_reader",
    "said",
    "sealed",
    "text_or_none",
]

#: What the end of an answer may be called, besides the kinds of errors.
FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
#: What of a usage is a word, no count.
_WORDS = frozenset({"tier", "speed", "region"})


class CallPiece(NamedTuple):
    """One piece of a tool call; `signature` is what only its own target can read of it."""

    number: int | None
    id: str | None
    name: str | None
    arguments: str
    signature: str | None = None


def said(value: Any, what: str) -> str:
    """Return what an expression found as text: nothing, a text, or a list of texts.

    Raises:
        TargetError: it is something else.

    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str | None) for part in value):
        return "".join(part or "" for part in value)
    raise malformed(f"{what} is not text but {type(value).__name__}")


def text_or_none(value: Any) -> str | None:
    """Return a text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def finish_of(word: Any, names: Mapping[str, str], *, calls: Any, refusal: Any) -> FinishReason:
    """Return the canonical reason for a provider's word, by the file's `finish`.

    What was called or refused counts more than `stop`.

    Raises:
        TargetError: the file does not know the word, or gives it the kind of an error.

    """
    meant = names.get(word) if isinstance(word, str) else None
    if meant is None:
        raise malformed(f"the answer ended with {word!r}, which the protocol does not explain")
    if meant not in FINISH:
        raise TargetError(ErrorKind(meant), f"the answer ended with {word}", code=word)
    if meant != "stop":
        return FINISH[meant]
    return "content_filter" if refusal else "tool_calls" if calls else "stop"


@dataclass(slots=True)
class UsageCounts:
    """Token counts of one answer; what comes later replaces what came before."""

    counts: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def update(self, found: Mapping[str, Any]) -> None:
        """Take what was found; what is no count is left out."""
        for name, value in found.items():
            if name in _WORDS:
                self.words |= {name: word} if (word := text_or_none(value)) else {}
            elif (count := _count(value)) is not None:
                self.counts[name] = count

    def usage(self) -> Usage:
        """Return the counts; without input or output they are marked as estimated."""
        known = self.counts
        whole = "input" in known and "output" in known
        return Usage(
            input=known.get("input", 0),
            output=known.get("output", 0),
            cached=known.get("cached", 0),
            cache_written=known.get("cache_written", 0),
            cache_written_1h=known.get("cache_written_1h", 0),
            reasoning=known.get("reasoning", 0),
            tier=self.words.get("tier"),
            speed=self.words.get("speed"),
            region=self.words.get("region"),
            estimated=not whole,
        )


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == int(value) else None


@dataclass(frozen=True, slots=True)
class Calls:
    """Where tool calls are: `each` lists them, without it the scope itself is one.

    Arguments are JSON text, a piece of it, or a map.
    """

    each: Evaluate | None
    fields: Mapping[str, Evaluate]

    def pieces(self, scope: Any) -> Iterator[CallPiece]:
        """Yield what is found of each call."""
        listed = [scope] if self.each is None else self.each(scope) or ()
        for call in listed:
            found = {name: read(call) for name, read in self.fields.items()}
            index, arguments = found.get("index"), found.get("arguments")
            if arguments is not None and not isinstance(arguments, str):
                arguments = compact(arguments)
            yield CallPiece(
                index if isinstance(index, int) else None,
                text_or_none(found.get("id")),
                text_or_none(found.get("name")),
                arguments or "",
                text_or_none(found.get("signature")),
            )


@dataclass(frozen=True, slots=True)
class Reader:
    """What is read of a whole answer, or of an event that meets `when`.

    `exit_code` is the program's own after that event. With `last` the text is the answer only if
    no other such text follows.
    """

    when: Evaluate | None = None
    values: Mapping[str, Evaluate] = field(default_factory=dict)
    calls: Calls | None = None
    usage: tuple[tuple[str, Evaluate], ...] = ()
    exit_code: int = 0
    last: bool = False

    def value(self, name: str, scope: Any) -> Any:
        """Return what a field's expression finds, None where the file has none."""
        read = self.values.get(name)
        return None if read is None else read(scope)

    def counts(self, scope: Any) -> dict[str, Any]:
        """Return the token counts that are found."""
        return {name: read(scope) for name, read in self.usage}

    def of_event(self) -> Reader:
        """Return the reader for events whose data is shaped like a whole answer."""
        calls = self.calls
        if calls is not None:
            each = _of_data(calls.each) if calls.each else lambda scope: [scope["data"]]
            calls = Calls(each, calls.fields)
        values = {name: _of_data(read) for name, read in self.values.items()}
        usage = tuple((name, _of_data(read)) for name, read in self.usage)
        return Reader(None, values, calls, usage)

    def over(self, base: Reader) -> Reader:
        """Return this reader with another one's fields where it has none of its own."""
        values = {**base.values, **self.values}
        calls, usage = self.calls or base.calls, self.usage or base.usage
        return Reader(self.when, values, calls, usage, self.exit_code, self.last)


def _of_data(read: Evaluate) -> Evaluate:
    return lambda scope: read(scope["data"])


_VALUES = (
    *("text", "reasoning", "refusal", "model", "id", "finish"),
    *("error", "done", "left_out"),
)


def make_reader(maker: Maker, data: Mapping[str, Any], path: Path, scope: Any) -> Reader:
    """Compile `response` or one rule of a stream."""
    when = maker.expression(data.get("when"), (*path, "when"), scope)
    values = {}
    for name in _VALUES:
        if made := maker.expression(_text(data.get(name)), (*path, name), scope):
            values[name] = made.evaluate
    usage = _map(data.get("usage"))
    counts = {
        name: maker.expression(_text(text), (*path, "usage", name), scope)
        for name, text in usage.items()
    }
    return Reader(
        when.evaluate if when else None,
        values,
        _calls(maker, data.get("tool_calls"), (*path, "tool_calls"), scope),
        tuple((name, made.evaluate) for name, made in counts.items() if made),
        int(data.get("exit_code", 0)),
        data.get("last") is True,
    )


def _text(value: Any) -> Any:
    """Return an expression; `true` may be written without backticks."""
    return "`true`" if value is True else value


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _calls(maker: Maker, data: Any, path: Path, scope: Any) -> Calls | None:
    if not isinstance(data, Mapping):
        return None
    each = maker.expression(data.get("each"), (*path, "each"), scope)
    inner = ANY if "each" in data else scope
    fields = {}
    for name in ("index", "id", "name", "arguments", "signature"):
        if made := maker.expression(data.get(name), (*path, name), inner):
            fields[name] = made.evaluate
    return Calls(each.evaluate if each else None, fields)


def sealed(signature: str | None, number: int, target: str = "") -> Mapping[str, Any] | None:
    """Return the block that carries a call's signature through a conversation."""
    if signature is None:
        return None
    return seal({"type": "thinking", "thinking": "", "signature": signature}, target, number)


def failure_of(found: Any, whole: Any) -> Any:
    """Return what an error is classified by: the whole answer where it is a map, else its text."""
    return whole if isinstance(whole, Mapping) else {"error": found}


def left_out(found: Any) -> Iterator[str]:
    """Yield a warning for each part of an answer that has no place in the canonical one."""
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else ()
    for name in dict.fromkeys(name for name in names if isinstance(name, str)):
        yield f"a part of type {name} was left out of the answer"


def check_finish(data: Any) -> Iterator[Fault]:
    """Yield a fault for each meaning that `finish` gives and that does not exist."""
    known = (*FINISH, *ErrorKind)
    for word, meant in _map(data).items():
        if meant not in known:
            message = f"`{meant}` is neither a way to end nor a kind of error"
            help_text = f"write one of: {', '.join(known)}"
            yield Fault(("finish", word), "schema-enum", message, help_text)
