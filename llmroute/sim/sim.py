"""A simulated provider: one dialect on a loopback port, in a thread of its own or a shared one."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from llmroute.sim.answer import Answer
from llmroute.sim.delivery import Delivery
from llmroute.sim.dialects import dialect_of
from llmroute.sim.dialects.base import Dialect, Settings
from llmroute.sim.exchange import Recorded, Reply, Whole, json_bytes
from llmroute.sim.line import BadRequestError, Gone, Line, head
from llmroute.sim.models import Model
from llmroute.sim.script import Fault, Pace, RateLimit, Scope, Script, Step

__all__ = ["Loop", "Sim"]

T = TypeVar("T")

_HOST = "127.0.0.1"
_BODY_CAP = 32 * 1024 * 1024
_PATIENCE = 10.0
_BACKLOG = 512


class Loop:
    """An asyncio loop in a daemon thread, in which several simulators may run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="llmroute-sim", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)


class Sim:
    """A provider's server on a loopback socket; a context manager.

    `kind` is `openai`, `anthropic`, `ollama`, `lm_studio`, `gemini`, `cohere` or `tgi`. `port` 0
    takes a free one. `key` makes the server demand that API key. `models` replaces the default
    ones; a bare name is a model that accepts everything. `pace` and `limit` are how fast it
    answers and how often.
    `quirks` are the dialect's own switches (see its module). `sleep` and `clock` (wall time, in
    seconds) may be replaced where a test owns time. `requests` records what arrived.
    """

    def __init__(
        self,
        kind: str,
        *,
        port: int = 0,
        key: str | None = None,
        models: Iterable[Model | str] | None = None,
        pace: Pace | None = None,
        limit: RateLimit | None = None,
        quirks: Mapping[str, Any] | None = None,
        loop: Loop | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dialect: Dialect = dialect_of(
            kind, Settings(models=models, key=key, limit=limit, quirks=quirks or {}, clock=clock)
        )
        self.kind = kind
        self.port = port
        self.requests: list[Recorded] = []
        self._script = Script(pace)
        self._limit = limit
        self._own_loop = loop is None
        self._loop = loop
        self._sleep = sleep
        self._clock = clock
        self._lines: dict[Line, asyncio.Task[Any] | None] = {}
        self._joining: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._listening = False
        self._idle = threading.Condition()

    @property
    def url(self) -> str:
        """The server's address without a path, such as `http://127.0.0.1:40123`."""
        return f"http://{_HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the server listens."""
        return self._listening

    def start(self) -> Self:
        """Listen; `port` is the real one from here on."""
        if self._loop is None:
            self._loop = Loop()
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        self._loop.call(self._listen())
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self, grace: float = 0.5) -> None:
        """Stop listening, give replies under way `grace` seconds, then close everything."""
        if self._loop is None:
            return
        self._loop.call(self._stop(grace))
        self._drop_socket()
        if self._own_loop:
            self._loop.close()
            self._loop = None

    def kill(self) -> None:
        """Refuse connections from now on and reset the open ones; the port stays reserved."""
        if self._loop is not None and self.alive:
            self._loop.call(self._die())

    def revive(self) -> None:
        """Listen on the same port again after `kill`."""
        if self._loop is not None and not self.alive:
            self._loop.call(self._listen())

    def script(
        self,
        *steps: Step,
        times: int | None = 1,
        model: str | None = None,
        scope: Scope = "inference",
    ) -> Self:
        """Queue faults or answers, each for its next `times` requests (None: until `clear`).

        A step is a `Fault`, an `Answer`, or the text of an answer; `model` restricts it to
        requests for that model, `scope` to requests that ask a model or that list models.
        """
        self._script.add(*steps, times=times, model=model, scope=scope)
        return self

    def clear(self) -> Self:
        """Forget the script."""
        self._script.clear()
        return self

    def pace(self, pace: Pace, model: str | None = None) -> Self:
        """Change how fast one model, or every model, answers."""
        self._script.set_pace(pace, model)
        return self

    @property
    def inferences(self) -> list[Recorded]:
        """Those of `requests` that ask a model."""
        return [one for one in self.requests if self.dialect.scope(one) == "inference"]

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until no reply is under way; False if there still was one after `timeout`."""
        with self._idle:
            return self._idle.wait_for(lambda: all(one.done for one in self.requests), timeout)

    def _bind(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((_HOST, self.port))
        except OSError:
            made.close()
            raise
        return made

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _listen(self) -> None:
        if self._socket is None:
            self._socket = self._bind()
        self._socket.setblocking(False)
        self._socket.listen(_BACKLOG)
        self._listening = True
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def _accept(self, listener: socket.socket) -> None:
        """Take every connection that waits; an asyncio server may lose one when it closes."""
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            joining = asyncio.get_running_loop().create_task(self._join(taken))
            self._joining.add(joining)
            joining.add_done_callback(self._joining.discard)

    async def _join(self, taken: socket.socket) -> None:
        taken.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Line(self._serve, self._sleep, _BODY_CAP), sock=taken
        )

    async def _unlisten(self) -> None:
        if self._listening and self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._drop_socket()
            await asyncio.gather(*self._joining)
            await asyncio.sleep(0)
            self._listening = False

    async def _die(self) -> None:
        await self._unlisten()
        for line in list(self._lines):
            line.reset()
        await self._settled(1.0)
        self._socket = self._bind()

    async def _stop(self, grace: float) -> None:
        await self._unlisten()
        for line in list(self._lines):
            if not line.busy:
                line.close()
        await self._settled(grace)
        for line in list(self._lines):
            line.reset()
        await self._settled(1.0)

    async def _settled(self, patience: float) -> None:
        """Wait until every connection's task has ended, but no longer than `patience` seconds."""
        tasks = [task for task in self._lines.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        await asyncio.sleep(0)

    async def _serve(self, line: Line) -> None:
        self._lines[line] = asyncio.current_task()
        try:
            while await self._turn(line) and self.alive:
                line.busy = False
        except (Gone, ConnectionError):
            pass
        finally:
            line.close()
            self._lines.pop(line, None)

    async def _turn(self, line: Line) -> bool:
        """Serve one request; whether the connection can take another."""
        try:
            request = await line.read()
        except BadRequestError as exc:
            await self._reject(line, exc)
            return False
        if request is None:
            return False
        line.busy = True
        self.requests.append(request)
        try:
            return await self._exchange(line, request)
        except Gone:
            request.client_left = True
            raise
        finally:
            with self._idle:
                request.done = True
                self._idle.notify_all()

    async def _reject(self, line: Line, error: BadRequestError) -> None:
        body = json_bytes({"error": str(error)})
        headers = {"content-length": str(len(body)), "connection": "close"}
        await line.send(head(error.status, headers, self._clock) + body)

    async def _exchange(self, line: Line, request: Recorded) -> bool:
        asked = request.body.get("model") if isinstance(request.body, dict) else None
        request.model = asked if isinstance(asked, str) else None
        scope = self.dialect.scope(request)
        step = self._script.take(request.model, scope)
        fault = step if isinstance(step, Fault) else None
        request.fault = fault.kind if fault else None
        reply, broken = self._reply(request, step, scope)
        delivery = Delivery(
            line,
            request,
            self._script.pace(request.model) if scope == "inference" else Pace(),
            broken,
            self.dialect.error_frame,
            lambda: self.dialect.failure("server_error").body,
            self._clock,
        )
        keep = await delivery.send(reply)
        return keep and request.headers.get("connection", "").lower() != "close"

    def _reply(
        self, request: Recorded, step: Fault | Answer | None, scope: Scope
    ) -> tuple[Reply, Fault | None]:
        """Build the reply, and the fault that is left for its delivery."""
        if isinstance(step, Fault) and step.kind in ("failure", "body"):
            return self._scripted(step), None
        if scope == "inference" and (limited := self._limited()):
            return limited, None
        answer = step if isinstance(step, Answer) else None
        fault = step if isinstance(step, Fault) else None
        try:
            return self.dialect.respond(request, answer), fault
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            message = f"The request has a shape that no server accepts: {exc!r}"
            return self.dialect.failure("bad_request", message=message), None

    def _scripted(self, fault: Fault) -> Whole:
        if fault.kind == "body":
            return Whole(fault.code or 200, fault.payload, fault.headers)
        if fault.condition is not None:
            made = self.dialect.failure(fault.condition)
        else:
            made = self.dialect.failure_of_status(fault.code or 500)
        payload = fault.payload
        if payload is not None:
            made = replace(
                made, body=payload if isinstance(payload, bytes) else json_bytes(payload)
            )
        return replace(made, headers={**made.headers, **fault.headers})

    def _limited(self) -> Whole | None:
        """Build the refusal of a request above the rate limit or the concurrency."""
        limit = self._limit
        if limit is None:
            return None
        if limit.concurrency is not None and self._in_flight() > limit.concurrency:
            return self.dialect.failure("overloaded")
        wait = limit.take()
        if wait is None:
            return None
        made = self.dialect.failure("rate_limit")
        extra = {**self.dialect.limit_headers(), "retry-after": f"{max(1, round(wait))}"}
        return replace(made, headers={**made.headers, **extra})

    def _in_flight(self) -> int:
        return sum(line.busy for line in self._lines)
