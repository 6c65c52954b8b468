"""Both HTTP transports against the same faults, on real sockets."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import time
import tracemalloc
from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.adapter.transports.base import NEVER_SENT
from llmroute.adapter.transports.http import HttpTransport
from llmroute.catalog.model import Auth, Timeouts
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request
from tests.adapter.http_ways import (
    ANSWER,
    BOTH,
    EVENTS,
    HEAD,
    MANY_HEADERS,
    MOVED,
    SHORT,
    STREAM,
    TAIL,
    Make,
    ask,
    asked,
    fails,
)
from tests.adapter.wire import (
    CANARY,
    ByteServer,
    bearer,
    endpoint,
    http,
    run,
    sse,
    target,
)

K = ErrorKind


@pytest.fixture(params=list(BOTH.values()), ids=list(BOTH))
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def test_an_answer_and_what_was_sent(make: Make) -> None:
    with ByteServer(http(ANSWER)) as server:
        response = ask(
            make,
            f"{server.url}/v1/",
            auth=bearer(),
            headers={"X-Static": "s", "Cookie": "no", "Host": "evil", "connection": "upgrade"},
        )
    assert (response.text, response.usage.input) == ("Hi", 3)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/chat/completions http/1.1"
    assert b"authorization: bearer " + CANARY.encode() in lines
    assert b"x-static: s" in lines
    assert b"content-type: application/json" in lines
    assert not any(line.startswith((b"cookie", b"host: evil", b"referer")) for line in lines)
    assert json.loads(body)["model"] == "upstream-m"


def test_a_stream(make: Make) -> None:
    with ByteServer(http(STREAM, content_type=EVENTS)) as server:
        chunks = ask(make, server.url, stream=True)
    assert "".join(chunk.text for chunk in chunks) == "Hello"
    assert chunks[-1].finish_reason == "stop"


def test_a_whole_answer_to_a_stream_request(make: Make) -> None:
    with ByteServer(http(ANSWER)) as server:
        chunks = ask(make, server.url, stream=True)
    assert "".join(chunk.text for chunk in chunks) == "Hi"
    assert chunks[-1].finish_reason == "stop"


def test_cookies_are_not_kept(make: Make) -> None:
    say = http(ANSWER, headers={"set-cookie": "a=b"})

    async def work(url: str) -> None:
        transport = HttpTransport()
        for _ in range(2):
            await asked(transport, url, stream=False)

    with ByteServer(say) as server:
        run(work(server.url))
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("say", "kind", "words"),
    [
        (MOVED, K.UNAVAILABLE, "redirect"),
        (http(status=307, headers={"location": "/x"}), K.UNAVAILABLE, "redirect"),
        (http(status=304), K.UNAVAILABLE, "redirect"),
        (http("<html>hi</html>", content_type="text/html; charset=utf-8"), K.MALFORMED, "web page"),
        (http("<h1>no</h1>", 502, content_type="text/html"), K.TRANSIENT, "<h1>"),
        (http("", 204), K.EMPTY, "no body"),
        (http(" \n"), K.EMPTY, "no body"),
        (http("{"), K.MALFORMED, "not JSON"),
        (http(ANSWER.replace("3", "NaN")), K.MALFORMED, "NaN"),
        (http(ANSWER.replace("3", "9" * 5000)), K.MALFORMED, "digits"),
        (http("[" * 100_000), K.MALFORMED, "nested"),
        (http(ANSWER.replace("Hi", "\\ud800")), K.MALFORMED, "surrogate"),
        (http('{"error":{"message":"m","code":"model_not_found"}}'), K.MODEL_MISSING, "m"),
        (http(ANSWER.replace('"Hi"', "null").replace(": 1", ": 0")), K.EMPTY, "empty"),
        (http('{"error":{"type":"overloaded_error"}}', 529), K.OVERLOADED, "overloaded"),
        (SHORT, K.UNAVAILABLE, "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\nconnection: close\r\n\r\n", K.MALFORMED, "HTTP"),
        (MANY_HEADERS, K.MALFORMED, ""),
    ],
)  # fmt: skip
def test_answers_that_are_none(
    make: Make, say: bytes, kind: ErrorKind, words: str, stream: bool
) -> None:
    error = fails(make, say, stream=stream)
    assert error.kind is kind
    assert words in str(error)
    assert "token=t" not in str(error)


def test_status_299_is_read_and_599_is_the_servers_fault(make: Make) -> None:
    with ByteServer(http(ANSWER, 299)) as server:
        assert ask(make, server.url).text == "Hi"
    assert fails(make, http("x", 599)).kind is K.TRANSIENT


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (sse(HEAD, TAIL), "terminator"),
        (sse(HEAD), "terminator"),
        ("", "terminator"),
        (": ping\n\n: ping\n\n", "terminator"),
        (sse(HEAD, "{"), "not JSON"),
        (sse(HEAD, "[DONE]"), "finish"),
        (sse(HEAD.replace("Hel", "\\ud800")), "surrogate"),
    ],
)
def test_streams_that_do_not_end_well(make: Make, body: str, words: str) -> None:
    error = fails(make, http(body, content_type=EVENTS), stream=True)
    assert error.kind is K.MALFORMED
    assert words in error.message


def test_an_error_event_midway_comes_after_the_content(make: Make) -> None:
    body = sse(HEAD, '{"error":{"message":"boom","type":"server_error"}}')

    async def work(url: str) -> list[str]:
        stream = Adapter({"http": make()}).stream(target(endpoint(url)), Request.of("hi"))
        seen = [(await anext(stream)).text, (await anext(stream)).text]
        with pytest.raises(TargetError, match="boom"):
            await anext(stream)
        return seen

    with ByteServer(http(body, content_type=EVENTS)) as server:
        assert run(work(server.url)) == ["", "Hel"]


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_midway(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + HEAD.encode()
    )
    time.sleep(0.05)
    _reset(connection)


def _cut_chunked(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{")


@pytest.mark.parametrize(
    ("say", "code"),
    [(_reset, "connection_reset"), (lambda _: None, "connection_reset"), (_cut_chunked, "cut_off")],
)
def test_broken_connections(make: Make, say: Any, code: str) -> None:
    assert fails(make, say).code == code


def test_a_reset_midway(make: Make) -> None:
    assert fails(make, _reset_midway, stream=True).code == "cut_off"


def test_an_address_without_a_way_to_it(make: Make) -> None:
    """A link-local address without its link: the system refuses, and nothing leaves the machine."""
    with pytest.raises(TargetError) as caught:
        ask(make, "http://[fe80::1]:9")
    assert caught.value.kind is K.UNAVAILABLE
    assert caught.value.code in NEVER_SENT


def test_nobody_there(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(TargetError) as caught:
        ask(make, f"http://127.0.0.1:{port}")
    assert (caught.value.kind, caught.value.code) == (K.UNAVAILABLE, "connection_refused")
    assert f"127.0.0.1:{port}" in str(caught.value)
    with pytest.raises(TargetError) as caught:
        ask(make, "http://nobody.invalid")
    assert (caught.value.kind, caught.value.code) == (K.UNAVAILABLE, "dns")


def test_connections_that_are_not_accepted_in_time(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        held = [socket.socket() for _ in range(8)]
        for waiting in held:
            waiting.setblocking(False)
            waiting.connect_ex(address)
        started = time.monotonic()
        with pytest.raises(TargetError) as caught:
            ask(make, f"http://127.0.0.1:{address[1]}", timeouts=Timeouts(connect=0.2))
        for waiting in held:
            waiting.close()
    assert (caught.value.kind, caught.value.code) == (K.TIMEOUT, "connect_timeout")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["http://[", "not a url", "http://"])
def test_addresses_that_are_none(make: Make, url: str) -> None:
    with pytest.raises(TargetError) as caught:
        ask(make, url)
    assert caught.value.kind is K.UNAVAILABLE


def test_no_proxy_from_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with ByteServer(http(ANSWER)) as server:
        assert ask(make, server.url).text == "Hi"


def test_a_missing_secret_says_what_to_do(make: Make) -> None:
    auth = Auth("Authorization", "Bearer ", "env:SOME_KEY", None, "set SOME_KEY")
    with pytest.raises(TargetError) as caught:
        ask(make, "http://127.0.0.1:1", auth=auth)
    assert (caught.value.kind, caught.value.help) == (K.AUTH, "set SOME_KEY")


def test_a_secret_that_cannot_be_a_header_is_not_shown(make: Make) -> None:
    with pytest.raises(TargetError) as caught:
        ask(make, "http://127.0.0.1:1", auth=bearer(f"{CANARY}\r\nx: y"))
    assert caught.value.kind is K.AUTH
    assert CANARY not in str(caught.value)


def test_an_echoed_secret_is_not_shown(make: Make) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {CANARY}"}})
    for stream in (False, True):
        error = fails(make, http(body, 401), stream=stream, auth=bearer())
        assert error.kind is K.AUTH
        assert CANARY not in str(error) + repr(error.native) + repr(error)


def test_compressed_answers(make: Make) -> None:
    packed = gzip.compress(ANSWER.encode())
    with ByteServer(http(packed, headers={"content-encoding": "gzip"})) as server:
        assert ask(make, server.url).text == "Hi"
    assert fails(make, http("abc", headers={"content-encoding": "gzip"})).kind is K.MALFORMED


def test_a_bomb_is_stopped_at_the_cap(make: Make) -> None:
    bomb = gzip.compress(b" " * (200 * 1024 * 1024), 9)
    tracemalloc.start()
    try:
        error = fails(make, http(bomb, headers={"content-encoding": "gzip"}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code == "too_long"
    assert peak < 120 * 1024 * 1024


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def test_a_body_without_end_is_stopped_at_the_cap(make: Make) -> None:
    assert fails(make, _endless).code == "too_long"


def _endless_line(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ")
    while True:
        connection.sendall(b"x" * 65536)


def test_a_line_without_end_is_stopped_at_the_cap(make: Make) -> None:
    error = fails(make, _endless_line, stream=True)
    assert error.kind is K.MALFORMED
    assert "longer than" in error.message
