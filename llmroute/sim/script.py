"""What a simulator is told to do: faults, answers, pace and limits, as plain data.

A script is a queue of steps. Each step applies to its next `times` requests (to all of them
until `clear` where `times` is None); the first step that fits a request is used. Everything
else is answered well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmroute.sim.answer import Answer

__all__ = ["At", "Ending", "Fault", "Pace", "RateLimit", "Scope", "Script", "Step"]

#: Where in an answer a fault happens: before the status line, after the headers (and whatever
#: precedes the first content), or after some pieces of content.
At = Literal["headers", "first_token", "midway"]

#: How a truncated body ends: well-formed for HTTP (`clean`), with the connection closed before
#: the announced end (`cut`), or with a close where no length was announced (`close`).
Ending = Literal["clean", "cut", "close"]

#: Which requests a step applies to: those that ask a model, those that list models, or both.
Scope = Literal["inference", "discovery", "any"]

_Kind = Literal[
    "body", "drip", "endless", "error_event", "failure", "hang", "raw", "reset", "truncate"
]
_HTML = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for an answer to go wrong; made by the class methods.

    `after` counts pieces of content before a fault at `midway`; where an answer has fewer, the
    fault happens at its end. `every` is in seconds.
    """

    kind: _Kind
    at: At = "headers"
    after: int = 1
    code: int | None = None
    condition: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Any = None
    pieces: tuple[bytes, ...] = ()
    every: float = 0.0
    size: int = 1
    ending: Ending = "clean"

    @classmethod
    def status(
        cls,
        code: int,
        *,
        retry_after: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Fault:
        """Answer with an HTTP status and the provider's own error body and headers for it.

        `retry_after` is sent as given, so a date or nonsense may be tried; `headers` are added,
        and `body` (bytes, or anything that JSON can hold) replaces the provider's.
        """
        extra = {} if retry_after is None else {"retry-after": str(retry_after)}
        return cls("failure", code=code, headers={**extra, **(headers or {})}, payload=body)

    @classmethod
    def failure(cls, condition: str, *, headers: Mapping[str, str] | None = None) -> Fault:
        """Answer with the provider's own error for a condition.

        Conditions: `auth`, `bad_request`, `context`, `model_missing`, `overloaded`,
        `permission`, `policy`, `quota`, `rate_limit`, `server_error`, `timeout`, `too_large`.
        """
        return cls("failure", condition=condition, headers=headers or {})

    @classmethod
    def quota(cls) -> Fault:
        """Answer that the account is out of money."""
        return cls.failure("quota")

    @classmethod
    def hang(cls, at: At = "headers", *, after: int = 1) -> Fault:
        """Send nothing more, but keep the connection open until the client leaves."""
        return cls("hang", at=at, after=after)

    @classmethod
    def reset(cls, at: At = "headers", *, after: int = 1) -> Fault:
        """Reset the connection (TCP RST)."""
        return cls("reset", at=at, after=after)

    @classmethod
    def truncate(cls, *, after: int = 1, ending: Ending = "clean", at: At = "midway") -> Fault:
        """End the answer early: a stream without its terminator, a whole answer cut in half.

        With `at="headers"` the connection is closed before a status line.
        """
        return cls("truncate", at=at, after=after, ending=ending)

    @classmethod
    def error_event(cls, *, after: int = 1, at: At = "midway") -> Fault:
        """Break a stream with the provider's error event; a whole answer is its error at 200."""
        return cls("error_event", at=at, after=after)

    @classmethod
    def drip(cls, every: float = 0.02, *, size: int = 1, at: At = "first_token") -> Fault:
        """Send `size` bytes every `every` seconds; with `at="headers"` the headers as well."""
        return cls("drip", at=at, every=every, size=size)

    @classmethod
    def endless(cls, piece: bytes, every: float = 0.02, *, at: At = "first_token") -> Fault:
        """Repeat `piece` in the body until the client leaves (comments, pings, content)."""
        return cls("endless", at=at, pieces=(piece,), every=every)

    @classmethod
    def html(cls, code: int = 200) -> Fault:
        """Answer with a proxy's HTML page."""
        return cls.body(_HTML, code=code, content_type="text/html; charset=utf-8")

    @classmethod
    def garbage(cls, data: bytes = b'{"id": "x", "choices": [tru') -> Fault:
        """Answer 200 with a body that is no JSON."""
        return cls.body(data)

    @classmethod
    def body(
        cls,
        data: bytes = b"",
        *,
        code: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with exactly this body."""
        return cls(
            "body",
            code=code,
            payload=data,
            headers={"content-type": content_type, **(headers or {})},
        )

    @classmethod
    def raw(cls, *pieces: bytes, every: float = 0.0) -> Fault:
        """Send exactly these bytes on the socket, status line included, then close it."""
        return cls("raw", pieces=pieces, every=every)

    @staticmethod
    def empty(finish: str = "stop") -> Answer:
        """Return a well-formed answer without any content and without output tokens."""
        return Answer(finish=finish, output_tokens=0)


#: What a script holds: a fault, an answer, or the text of an answer.
Step = Fault | Answer | str


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answers: seconds to the first token, then tokens per second.

    `tokens_per_second` None means at once.
    """

    first_token: float = 0.0
    tokens_per_second: float | None = None

    def spacing(self, tokens: int) -> float:
        """Seconds that generating `tokens` takes."""
        return tokens / self.tokens_per_second if self.tokens_per_second else 0.0


@dataclass(slots=True)
class RateLimit:
    """At most `requests` per `window` seconds, and at most `concurrency` at the same time.

    Windows are fixed: the first request opens one. Used by one simulator, in its own thread.
    """

    requests: int | None = None
    window: float = 60.0
    concurrency: int | None = None
    clock: Callable[[], float] = time.monotonic
    _opened: float = field(default=float("-inf"), init=False)
    _used: int = field(default=0, init=False)

    def take(self) -> float | None:
        """Count one request; None if it may pass, else the seconds until the window ends."""
        now = self.clock()
        if now - self._opened >= self.window:
            self._opened, self._used = now, 0
        if self.requests is not None and self._used >= self.requests:
            return self._opened + self.window - now
        self._used += 1
        return None

    def headers(self) -> dict[str, int]:
        """`limit`, `remaining` and `reset` (seconds) of the window, where requests are limited."""
        if self.requests is None:
            return {}
        left = self._opened + self.window - self.clock()
        return {
            "limit": self.requests,
            "remaining": self.requests - self._used,
            "reset": max(0, round(left)),
        }


@dataclass(slots=True)
class _Entry:
    step: Fault | Answer
    left: int | None
    model: str | None
    scope: Scope

    def fits(self, model: str | None, scope: Scope) -> bool:
        return self.scope in (scope, "any") and self.model in (None, model)


class Script:
    """The steps still to come, and each model's pace; safe to change from any thread."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._lock = threading.Lock()
        self._entries: list[_Entry] = []
        self._paces: dict[str | None, Pace] = {None: pace or Pace()}

    def add(
        self,
        *steps: Step,
        times: int | None = 1,
        model: str | None = None,
        scope: Scope = "inference",
    ) -> None:
        """Queue `steps`, each for its next `times` requests (None: until cleared)."""
        made = [Answer(text=step) if isinstance(step, str) else step for step in steps]
        with self._lock:
            self._entries += [_Entry(step, times, model, scope) for step in made]

    def take(self, model: str | None, scope: Scope) -> Fault | Answer | None:
        """Use up one turn of the first step that fits."""
        with self._lock:
            for entry in self._entries:
                if entry.fits(model, scope):
                    return self._use(entry)
        return None

    def _use(self, entry: _Entry) -> Fault | Answer:
        if entry.left is not None:
            entry.left -= 1
            if entry.left <= 0:
                self._entries.remove(entry)
        return entry.step

    def clear(self) -> None:
        """Forget every step; paces stay."""
        with self._lock:
            self._entries.clear()

    def pace(self, model: str | None) -> Pace:
        """Return the pace of a model, or of all."""
        return self._paces.get(model, self._paces[None])

    def set_pace(self, pace: Pace, model: str | None = None) -> None:
        """Set the pace of one model, or of every model that has none of its own."""
        self._paces[model] = pace
