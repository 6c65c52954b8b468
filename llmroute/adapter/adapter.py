"""The one generic adapter: every provider is called through it, by its declared data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from llmroute.adapter.answer import Tally, check_answer, check_prompt, collect
from llmroute.adapter.classify import is_stale
from llmroute.adapter.opaque import KEY, own_blocks
from llmroute.adapter.protocols import Encoded, WireProtocol, protocol
from llmroute.adapter.reading import Source, read_json, read_stream, read_whole
from llmroute.adapter.scrubbing import scrub
from llmroute.adapter.transports import TRANSPORTS, make_transport
from llmroute.adapter.transports.base import Call, Reply, Transport
from llmroute.catalog.model import Endpoint, Target
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.types import Chunk, Request, Response

__all__ = ["Adapter", "OnHeaders", "collect"]

#: Seconds that closing the wire may take; nobody's answer or error waits longer.
_CLOSING = 5.0

#: Takes the headers of an answer, names in lower case.
OnHeaders = Callable[[Mapping[str, str]], None]

_PARALLEL = "parallel_tool_calls"
_FORGOTTEN = "thoughts of earlier answers were left out: the target does not take them back"


def _ignore(_headers: Mapping[str, str]) -> None:
    """Take no headers."""


class Adapter:
    """Calls targets. `transports` replaces transports by name, for tests and own clients."""

    def __init__(self, transports: Mapping[str, Transport] | None = None) -> None:
        self._transports: dict[str, Transport] = dict(transports or {})

    def encode(self, target: Target, request: Request, *, stream: bool) -> Encoded:
        """Return what a call would send, without calling; its `warnings` say what is lost.

        Raises:
            TargetError: the target or its protocol cannot carry the request.

        """
        with _blame(target, request):
            return _encoded(_dialect(target), request, target, stream=stream)

    async def complete(
        self, target: Target, request: Request, *, on_headers: OnHeaders = _ignore
    ) -> Response:
        """Call a target for a whole answer.

        The answer has a finish reason and is not empty; its `target`, `cost` and `attempts` are
        left to the caller. `on_headers` is called once the provider has begun to answer. Where the
        target refuses its own earlier thoughts it is asked again without them, once.

        Raises:
            TargetError: the call failed.

        """
        try:
            return await self._complete(target, request, on_headers)
        except TargetError as exc:
            if (bare := _without_thoughts(request, target, exc)) is None:
                raise
        response = await self._complete(target, bare, on_headers)
        return replace(response, warnings=(_FORGOTTEN, *response.warnings))

    async def _complete(self, target: Target, request: Request, on_headers: OnHeaders) -> Response:
        dialect = _dialect(target)
        if dialect.only_streams:
            return await self._complete_stream(target, request, on_headers)
        with _blame(target, request):
            encoded = _encoded(dialect, request, target, stream=False)
            async with self._opened(_call(target, encoded, stream=False)) as reply:
                on_headers(reply.headers)
                response = await read_whole(reply, dialect, target)
            found = check_answer(Tally.of(response), target)
            found += check_prompt(request, response.usage, target)
            warnings = (*encoded.warnings, *response.warnings, *found)
            return replace(response, warnings=warnings) if warnings else response

    async def stream(
        self,
        target: Target,
        request: Request,
        warnings: list[str] | None = None,
        *,
        on_headers: OnHeaders = _ignore,
    ) -> AsyncGenerator[Chunk, None]:
        """Call a target and yield the answer as it arrives.

        The last chunks carry the finish reason and the usage. `warnings` receives what was
        dropped from the request or is unusual about the answer; `on_headers` is called once the
        provider has begun to answer. Closing the generator closes the wire.

        Raises:
            TargetError: the call failed, the answer was empty, an error came midway or the
                stream ended without its terminator.

        """
        told: list[str] = [] if warnings is None else warnings
        before, begun = len(told), False
        try:
            async with aclosing(self._stream(target, request, told, on_headers)) as chunks:
                async for chunk in chunks:
                    begun = True
                    yield chunk
                return
        except TargetError as exc:
            if begun or (bare := _without_thoughts(request, target, exc)) is None:
                raise
        told[before:] = [_FORGOTTEN]
        async with aclosing(self._stream(target, bare, told, on_headers)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def get_json(
        self, endpoint: Endpoint, path: str, *, method: str = "GET", body: Any = None
    ) -> Any:
        """Fetch JSON from an endpoint, for discovery.

        Raises:
            TargetError: nobody answered, or not with JSON and a 2xx status.

        """
        call = Call(endpoint, path, body=body, method=method, timeouts=endpoint.timeouts)
        try:
            async with self._opened(call) as reply:
                return await read_json(reply, Source(endpoint))
        except TargetError as exc:
            scrub(exc, endpoint)
            raise

    def add_transport(self, name: str, transport: Transport) -> None:
        """Add a way for bytes to travel, under a name that endpoints may give.

        Raises:
            UsageError: the name is taken.

        """
        if name in self._transports or name in TRANSPORTS:
            raise UsageError(f"there is already a transport {name!r}; choose another name")
        self._transports[name] = transport

    async def aclose(self) -> None:
        """Close every transport."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    async def _complete_stream(
        self, target: Target, request: Request, on_headers: OnHeaders
    ) -> Response:
        warnings: list[str] = []
        async with aclosing(self._stream(target, request, warnings, on_headers)) as stream:
            chunks = [chunk async for chunk in stream]
        with _blame(target, request):
            response = collect(chunks, target)
        return replace(response, warnings=tuple(dict.fromkeys((*warnings, *response.warnings))))

    async def _stream(
        self, target: Target, request: Request, warnings: list[str], on_headers: OnHeaders
    ) -> AsyncGenerator[Chunk, None]:
        dialect = _dialect(target)
        with _blame(target, request):
            encoded = _encoded(dialect, request, target, stream=True)
            warnings += encoded.warnings
            usage = None
            async with (
                self._opened(_call(target, encoded, stream=True)) as reply,
                aclosing(read_stream(reply, dialect, target, warnings)) as chunks,
            ):
                on_headers(reply.headers)
                async for chunk in chunks:
                    usage = chunk.usage or usage
                    yield chunk
            warnings += check_prompt(request, usage, target)

    @asynccontextmanager
    async def _opened(self, call: Call) -> AsyncIterator[Reply]:
        name = call.endpoint.transport
        transport = self._transports.get(name)
        if transport is None:
            transport = self._transports.setdefault(name, make_transport(name))
        reply = await transport.open(call)
        try:
            yield reply
        finally:
            await _closed(reply)


async def _closed(reply: Reply) -> None:
    """Close the wire; what goes wrong with that takes the place of no answer and of no error.

    The event loop's exception handler is told, as of everything that nobody waits for, but for the
    exception itself: what a client raises may hold headers.
    """
    try:
        async with asyncio.timeout(_CLOSING):
            await reply.aclose()
    except MemoryError:
        raise
    except Exception as exc:  # noqa: BLE001 - transports may be anybody's
        told = f"a transport failed to close an answer: {type(exc).__name__}"
        asyncio.get_running_loop().call_exception_handler({"message": told})


def _without_thoughts(request: Request, target: Target, error: TargetError) -> Request | None:
    """Return a request without thoughts, where an error was about those of its own target."""
    if not is_stale(error) or not any(own_blocks(m, target.id) for m in request.messages):
        return None
    messages = ({k: v for k, v in m.items() if k != KEY} for m in request.messages)
    return replace(request, messages=tuple(messages))


def _encoded(dialect: WireProtocol, request: Request, target: Target, *, stream: bool) -> Encoded:
    """Encode a request; values of types that no protocol takes are the caller's mistake.

    The flag of parallel calls, which protocols write in different ways, is dropped here where the
    target rejects it.
    """
    rejected = request.parallel_tool_calls is not None and _PARALLEL in target.wire.reject
    kept = replace(request, parallel_tool_calls=None) if rejected else request
    try:
        encoded = dialect.encode(kept, target, stream=stream)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:
        message = f"the request is malformed: {exc!r}"
        raise TargetError(ErrorKind.INVALID_REQUEST, message) from exc
    if not rejected:
        return encoded
    told = f"{_PARALLEL} was dropped: {target.id} rejects it"
    return replace(encoded, warnings=(*encoded.warnings, told))


def _dialect(target: Target) -> WireProtocol:
    endpoint = target.provider.endpoint
    return protocol(target.protocol or endpoint.protocol, endpoint.declared)


def _call(target: Target, encoded: Encoded, *, stream: bool) -> Call:
    endpoint = target.provider.endpoint
    return Call(
        endpoint=endpoint,
        path=encoded.path,
        body=encoded.body,
        headers=encoded.headers,
        values=encoded.values,
        stdin=encoded.stdin,
        stream=stream,
        model=target.upstream,
        timeouts=endpoint.timeouts,
    )


@contextmanager
def _blame(target: Target, request: Request) -> Iterator[None]:
    """Put the target's name into errors, and take its secret and the prompt out of them."""
    try:
        yield
    except TargetError as exc:
        exc.target = exc.target or target.id
        scrub(exc, target.provider.endpoint, request.messages)
        raise
