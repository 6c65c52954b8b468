"""Reading replies: status, body or stream, by what the protocol says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from llmroute.adapter.answer import Tally, check_answer, check_model, unfolded
from llmroute.adapter.classify import classify, help_for
from llmroute.adapter.framing import FRAMINGS, Framer, FramingError, StreamEvent, count_invalid
from llmroute.adapter.jsontext import JsonError, parse
from llmroute.adapter.opaque import addressed
from llmroute.adapter.protocols import ProviderError, WireProtocol
from llmroute.adapter.protocols.base import Judge
from llmroute.adapter.transports.base import MAX_BODY, Reply, read_body
from llmroute.catalog.model import Endpoint, Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Response

__all__ = ["Source", "read_json", "read_stream", "read_whole"]

#: How much of an error's body is read, in bytes; more would say nothing more.
_MAX_ERROR = 256 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Who answers, for the words of errors."""

    endpoint: Endpoint
    model: str = "the model"
    help: Mapping[ErrorKind, str] = field(default_factory=dict)
    judge: Judge | None = None

    def error(self, body: Any, reply: Reply, status: int | None) -> TargetError:
        """Classify what the provider sent."""
        made = classify(
            body,
            endpoint=self.endpoint,
            model=self.model,
            status=status,
            headers=reply.headers,
            help_texts=self.help,
        )
        self.correct(made, reply)
        return made

    def correct(self, error: TargetError, reply: Reply) -> None:
        """Let the protocol's own rules correct an error that was classified by the general ones."""
        if self.judge is not None:
            self.judge(error, reply.headers)
            own = help_for(error.kind, self.endpoint, self.model, self.help)
            error.help = error.help or own


async def read_json(reply: Reply, source: Source) -> Any:
    """Read a whole JSON answer.

    Raises:
        TargetError: the status is an error's, or the body is empty or not JSON.

    """
    return _parsed(await _body(reply, source), reply)


async def _body(reply: Reply, source: Source) -> bytes:
    if reply.status >= 400:
        raise source.error(await _start_of_body(reply), reply, reply.status)
    body = await read_body(reply, MAX_BODY)
    await _finished(reply, source)
    if not body.strip():
        message = f"the answer has no body (status {reply.status})"
        raise TargetError(ErrorKind.EMPTY, message, status=reply.status)
    return body


def _parsed(body: bytes, reply: Reply) -> Any:
    try:
        return parse(body)
    except JsonError as exc:
        native = body[:500].decode("utf-8", "replace")
        message = f"the answer is not JSON: {exc}"
        raise TargetError(ErrorKind.MALFORMED, message, status=reply.status, native=native) from exc


async def read_whole(reply: Reply, dialect: WireProtocol, target: Target) -> Response:
    """Read an answer that is not streamed.

    Raises:
        TargetError: the provider reports an error, or the answer is not the protocol's.

    """
    source = _source(dialect, target)
    body = await _body(reply, source)
    with _classified(source, reply), _shaped():
        response = dialect.decode(_parsed(body, reply), target)
    found = [*check_model(response.model, target), *_undecodable(count_invalid(body))]
    return replace(response, warnings=(*response.warnings, *found)) if found else response


async def read_stream(
    reply: Reply, dialect: WireProtocol, target: Target, warnings: list[str]
) -> AsyncGenerator[Chunk, None]:
    """Read a streamed answer, chunk by chunk; `warnings` receives what is unusual about it.

    The chunks of the terminator are given out only after the wire has ended well, so that an
    answer never looks finished which is not.

    Raises:
        TargetError: the provider reports an error, the stream is not the protocol's, it lacks
            its terminator, or the answer is empty.

    """
    source, tally = _source(dialect, target), Tally()
    if reply.status >= 400:
        raise source.error(await _start_of_body(reply), reply, reply.status)
    with _classified(source, reply):
        if framed := _is_framed(reply, dialect):
            inner = _decoded(reply, dialect, source, warnings)
        else:
            inner = _whole_as_chunks(reply, dialect, target, warnings)
        async with aclosing(inner) as chunks:
            async for chunk in chunks:
                tally.add(chunk)
                if framed and chunk.model:
                    warnings += check_model(chunk.model, target)
                block = chunk.thinking_block
                yield replace(chunk, thinking_block=addressed(block, target.id)) if block else chunk
    warnings += check_answer(tally, target)


def _is_framed(reply: Reply, dialect: WireProtocol) -> bool:
    content_type = reply.headers.get("content-type", "")
    if dialect.framing == "json":
        return False
    return dialect.framing != "sse" or not content_type.startswith("application/json")


async def _whole_as_chunks(
    reply: Reply, dialect: WireProtocol, target: Target, warnings: list[str]
) -> AsyncGenerator[Chunk, None]:
    response = await read_whole(reply, dialect, target)
    warnings += response.warnings
    for chunk in unfolded(response):
        yield chunk


async def _decoded(
    reply: Reply, dialect: WireProtocol, source: Source, warnings: list[str]
) -> AsyncGenerator[Chunk, None]:
    decoder, framer = dialect.decoder(), FRAMINGS[dialect.framing]()
    async with aclosing(_events(reply, framer)) as events:
        async for event in events:
            with _shaped():
                chunks = decoder.feed(event)
            if decoder.done:
                await _finished(reply, source, decoder.exit_code)
                warnings += [*decoder.warnings, *_undecodable(framer.replaced)]
            for chunk in chunks:
                yield chunk
            if decoder.done:
                return
    await _finished(reply, source)
    message = "the stream ended without its terminator"
    raise TargetError(ErrorKind.MALFORMED, message, status=reply.status, code="no_terminator")


async def _finished(reply: Reply, source: Source, exit_code: int = 0) -> None:
    try:
        await reply.finish()
    except TargetError as exc:
        if exit_code and (exc.code, exc.status) == ("exit", exit_code):
            return
        source.correct(exc, reply)
        raise


def _undecodable(count: int) -> list[str]:
    """Say how much of an answer was no UTF-8."""
    return [f"{count} of the answer's characters were no UTF-8: each is now U+FFFD"] * (count > 0)


async def _events(reply: Reply, framer: Framer) -> AsyncGenerator[StreamEvent, None]:
    try:
        async with aclosing(reply.chunks()) as blocks:
            async for data in blocks:
                for event in framer.feed(data):
                    yield event
        for event in framer.close():
            yield event
    except FramingError as exc:
        raise TargetError(ErrorKind.MALFORMED, str(exc), status=reply.status) from exc


async def _start_of_body(reply: Reply) -> bytes:
    body = bytearray()
    async with aclosing(reply.chunks()) as blocks:
        async for data in blocks:
            body += data
            if len(body) > _MAX_ERROR:
                break
    return bytes(body)


def _source(dialect: WireProtocol, target: Target) -> Source:
    return Source(target.provider.endpoint, target.upstream, dialect.help, dialect.judge)


@contextmanager
def _shaped() -> Iterator[None]:
    """Take what breaks on an answer of another shape for what it is."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        message = f"the answer does not have the protocol's shape ({exc!r})"
        raise TargetError(ErrorKind.MALFORMED, message) from exc


@contextmanager
def _classified(source: Source, reply: Reply) -> Iterator[None]:
    try:
        yield
    except ProviderError as exc:
        status = exc.status or (None if reply.status < 400 else reply.status)
        raise source.error(exc.body, reply, status) from exc
