"""Bytes to events: server-sent events and newline-delimited JSON, incrementally.

Server-sent events follow the WHATWG algorithm (HTML standard, 9.2.6): lines end with CR LF, LF
or CR, several `data` lines are joined with LF, comments start with a colon, one leading BOM is
skipped. One thing is more lenient: an event that the end of the stream left without its blank
line is delivered, since servers forget it; a cut-off answer still lacks its terminator.

Lines are split as bytes, so a character that arrives in two reads stays whole. Invalid UTF-8
is replaced by U+FFFD and counted in `replaced`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

__all__ = [
    "FRAMINGS",
    "MAX_LINE",
    "Framer",
    "FramingError",
    "NdjsonFramer",
    "SseFramer",
    "StreamEvent",
    "count_invalid",
]

#: Longest line, and largest event, in bytes.
MAX_LINE = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class FramingError(ValueError):
    """The bytes cannot be an answer in this framing; the message says why."""


class StreamEvent(NamedTuple):
    """One event: its name (empty where the framing has none) and its data as text."""

    name: str
    data: str


class Framer(Protocol):
    """Turns bytes into events, however the bytes are cut."""

    replaced: int

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and return the events that they complete."""
        ...

    def close(self) -> list[StreamEvent]:
        """Return what the end of the stream completes."""
        ...


class _Lines:
    """Cuts bytes into lines that end with LF, CR LF or (if `bare_cr`) CR."""

    def __init__(self, limit: int, *, bare_cr: bool) -> None:
        self._limit = limit
        self._bare_cr = bare_cr
        self._rest = bytearray()
        self._skip_lf = False
        self._first = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._bare_cr:
            data = self._normalise(data)
        if b"\n" not in data:
            self._keep(data)
            return
        *lines, last = data.split(b"\n")
        if self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        for line in lines:
            yield self._finished(line)
        self._keep(last)

    def close(self) -> Iterator[bytes]:
        if self._rest:
            yield self._finished(bytes(self._rest))
            self._rest.clear()

    def _normalise(self, data: bytes) -> bytes:
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._skip_lf = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _keep(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > self._limit:
            raise FramingError(f"a line is longer than {self._limit} bytes")

    def _finished(self, line: bytes) -> bytes:
        if len(line) > self._limit:
            raise FramingError(f"a line is longer than {self._limit} bytes")
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        return line


class SseFramer:
    """Server-sent events; `id` and `retry` fields are ignored."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self.replaced = 0
        self._limit = limit
        self._lines = _Lines(limit, bare_cr=True)
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and return the events that they complete.

        Raises:
            FramingError: a line or an event is larger than the limit.

        """
        return [event for line in self._lines.feed(data) if (event := self._line(line))]

    def close(self) -> list[StreamEvent]:
        """Return the event that the end of the stream completes, if any."""
        events = [event for line in self._lines.close() if (event := self._line(line))]
        if last := self._line(b""):
            events.append(last)
        return events

    def _line(self, line: bytes) -> StreamEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._append(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.removeprefix(b" ")
        return None

    def _append(self, value: bytes) -> None:
        self._size += len(value)
        if self._size > self._limit:
            raise FramingError(f"an event is larger than {self._limit} bytes")
        self._data.append(value)

    def _dispatch(self) -> StreamEvent | None:
        name, parts = self._name, self._data
        self._name, self._data, self._size = b"", [], 0
        if not parts:
            return None
        data, replaced = _decode(parts[0] if len(parts) == 1 else b"\n".join(parts))
        self.replaced += replaced
        return StreamEvent(name.decode("utf-8", "replace") if name else "", data)


class NdjsonFramer:
    """Newline-delimited JSON; blank lines are skipped."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self.replaced = 0
        self._lines = _Lines(limit, bare_cr=False)

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and return the lines that they complete.

        Raises:
            FramingError: a line is longer than the limit.

        """
        return [event for line in self._lines.feed(data) if (event := self._line(line))]

    def close(self) -> list[StreamEvent]:
        """Return the last line where it had no line end."""
        return [event for line in self._lines.close() if (event := self._line(line))]

    def _line(self, line: bytes) -> StreamEvent | None:
        if not line.strip():
            return None
        data, replaced = _decode(line)
        self.replaced += replaced
        return StreamEvent("", data)


def count_invalid(data: bytes) -> int:
    """Return how many characters stand for bytes that are no UTF-8."""
    return _decode(data)[1]


def _decode(data: bytes) -> tuple[str, int]:
    try:
        return data.decode(), 0
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        return text, max(text.count("�") - data.count("�".encode()), 1)


#: Framing name → its framer.
FRAMINGS: dict[str, type[Framer]] = {"ndjson": NdjsonFramer, "sse": SseFramer}
