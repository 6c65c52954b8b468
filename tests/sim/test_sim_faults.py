"""Every fault does on the wire what it says; read with raw sockets."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sim_wire import chunks, drained, opened, post, raw

from llmroute.sim import Fault, Pace, Sim

CHAT = "/v1/chat/completions"
SHORT = 0.15


def body(stream: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": "one two three four"}]
    return {"model": "gpt-6-sol", "messages": messages, "stream": stream}


def deltas(data: bytes) -> list[str]:
    """The pieces of text in the events received so far."""
    found = []
    for line in data.split(b"\n"):
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:]).get("choices", ())
            found += [choice["delta"].get("content") or "" for choice in choices]
    return [piece for piece in found if piece]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 418, 429, 500, 502, 503, 504, 529, 599])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "ollama", "lm_studio"])
def test_a_status_has_the_provider_s_body(kind: str, code: int) -> None:
    paths = {"anthropic": "/v1/messages", "ollama": "/api/chat"}
    with Sim(kind) as sim:
        sim.script(Fault.status(code, retry_after="soon", headers={"x-more": "1"}))
        got = post(sim, paths.get(kind, CHAT), body())
    assert got.status == code
    assert (got.headers["retry-after"], got.headers["x-more"]) == ("soon", "1")
    assert got.json["error"]


def test_a_status_may_have_another_body(openai: Sim) -> None:
    openai.script(Fault.status(500, body=b"oops"), Fault.status(500, body={"detail": "x"}))
    assert post(openai, CHAT, body()).body == b"oops"
    assert post(openai, CHAT, body()).json == {"detail": "x"}


@pytest.mark.parametrize("stream", [False, True])
def test_hang_before_the_headers(openai: Sim, stream: bool) -> None:
    openai.script(Fault.hang())
    assert raw(openai, CHAT, body(stream), timeout=SHORT) == (b"", "silent")


@pytest.mark.parametrize("stream", [False, True])
def test_hang_before_the_first_token(openai: Sim, stream: bool) -> None:
    openai.script(Fault.hang("first_token"))
    received, end = raw(openai, CHAT, body(stream), timeout=SHORT)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert end == "silent"
    assert (b'"role":"assistant"' in received) is stream
    assert deltas(received) == []


def test_hang_midway(openai: Sim) -> None:
    openai.script(Fault.hang("midway", after=2))
    received, end = raw(openai, CHAT, body(stream=True), timeout=SHORT)
    assert (deltas(received), end) == (["gpt-6-sol ", "heard: "], "silent")


def test_hang_in_the_middle_of_a_whole_answer(openai: Sim) -> None:
    openai.script(Fault.hang("midway"))
    received, end = raw(openai, CHAT, body(), timeout=SHORT)
    head, _, part = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert (len(part), end) == (length // 2, "silent")


@pytest.mark.parametrize("at", ["headers", "first_token", "midway"])
@pytest.mark.parametrize("stream", [False, True])
def test_reset(openai: Sim, at: Any, stream: bool) -> None:
    openai.script(Fault.reset(at))
    received, end = raw(openai, CHAT, body(stream))
    assert end == "reset"
    assert bool(deltas(received)) <= (at == "midway")


def test_a_stream_cut_without_its_terminator_is_clean_http(openai: Sim) -> None:
    openai.script(Fault.truncate(after=1))
    received, _ = raw(openai, CHAT, body(stream=True), extra="connection: close\r\n")
    data, ended = chunks(received)
    assert (deltas(data), ended) == (["gpt-6-sol "], True)
    assert b'finish_reason":"stop' not in data
    assert b"[DONE]" not in data


def test_a_stream_cut_below_http(openai: Sim) -> None:
    openai.script(Fault.truncate(after=1, ending="cut"))
    received, end = raw(openai, CHAT, body(stream=True))
    data, ended = chunks(received)
    assert (deltas(data), ended, end) == (["gpt-6-sol "], False, "closed")


def test_a_stream_that_ends_by_closing(openai: Sim) -> None:
    openai.script(Fault.truncate(after=1, ending="close"))
    received, end = raw(openai, CHAT, body(stream=True))
    head, _, data = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert (deltas(data), end) == (["gpt-6-sol "], "closed")


def test_a_whole_answer_cut_in_half(openai: Sim) -> None:
    openai.script(Fault.truncate())
    got = post(openai, CHAT, body())
    assert got.body.startswith(b'{"id"')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(got.body)


def test_a_whole_answer_shorter_than_announced(openai: Sim) -> None:
    openai.script(Fault.truncate(ending="cut"))
    received, end = raw(openai, CHAT, body())
    head, _, part = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert (len(part), end) == (length // 2, "closed")


def test_closed_before_the_headers(openai: Sim) -> None:
    openai.script(Fault.truncate(at="headers"))
    assert raw(openai, CHAT, body()) == (b"", "closed")


def test_html_and_garbage(openai: Sim) -> None:
    openai.script(Fault.html(), Fault.garbage(), Fault.body(b"", code=204))
    got = post(openai, CHAT, body())
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert got.body.startswith(b"<!doctype html>")
    got = post(openai, CHAT, body(stream=True))
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(got.body)
    assert post(openai, CHAT, body()).status == 204


def test_an_empty_completion(openai: Sim) -> None:
    openai.script(Fault.empty(), times=2)
    got = post(openai, CHAT, body()).json
    assert got["choices"][0]["message"]["content"] == ""
    assert got["usage"]["completion_tokens"] == 0
    streamed = post(openai, CHAT, body(stream=True)).body
    assert deltas(streamed) == []
    assert streamed.endswith(b"data: [DONE]\n\n")


ERRORS = {
    "openai": (CHAT, b'data: {"error":{"message":"The server had an error'),
    "anthropic": ("/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"overl'),
    "ollama": ("/api/chat", b'{"error":"an error was encountered while running the model"}\n'),
    "lm_studio": (CHAT, b'event: error\ndata: {"error":{"message":'),
}
ENDS = (b"[DONE]", b"message_stop", b'"done":true')


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_an_error_event_midway(kind: str) -> None:
    path, error = ERRORS[kind]
    with Sim(kind, models=["m"]) as sim:
        sim.script(Fault.error_event(after=2))
        asked = {**body(stream=True), "model": "m", "max_tokens": 50}
        asked |= {} if kind == "anthropic" else {"think": False}
        got = post(sim, path, asked, {"x-api-key": "k", "anthropic-version": "2023-06-01"})
    assert got.status == 200
    assert error in got.body
    assert got.body.index(b"heard: ") < got.body.index(error)
    assert not any(end in got.body for end in ENDS)


def test_an_error_event_before_the_first_token(openai: Sim) -> None:
    openai.script(Fault.error_event(at="first_token"))
    got = post(openai, CHAT, body(stream=True))
    assert deltas(got.body) == []
    assert b'data: {"error"' in got.body


def test_an_error_at_status_200(openai: Sim) -> None:
    openai.script(Fault.error_event())
    got = post(openai, CHAT, body())
    assert (got.status, got.json["error"]["type"]) == (200, "server_error")


def test_drip(openai: Sim) -> None:
    openai.script(Fault.drip(0.001, size=40))
    with opened(openai, CHAT, body(stream=True)) as connection:
        first = connection.recv(65536)
        time.sleep(0.01)
        rest, _ = b"", connection.settimeout(SHORT)
        rest = drained(connection)[0]
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    data, ended = chunks(first + rest)
    assert ended
    assert "".join(deltas(data)) == "gpt-6-sol heard: one two three four"


def test_headers_that_drip(openai: Sim) -> None:
    openai.script(Fault.drip(0.02, at="headers"))
    with opened(openai, CHAT, body()) as connection:
        assert connection.recv(65536) == b"H"


def test_endless_comments(openai: Sim) -> None:
    openai.script(Fault.endless(b": keep-alive\n\n", 0.005))
    with opened(openai, CHAT, body(stream=True)) as connection:
        received = b""
        while received.count(b": keep-alive\n\n") < 5:
            received += connection.recv(65536)
    assert deltas(received) == []
    assert openai.wait_idle()
    assert openai.requests[0].client_left


def test_raw_bytes(openai: Sim) -> None:
    openai.script(Fault.raw(b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\nok"))
    assert raw(openai, CHAT, body()) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "closed",
    )


def test_a_fault_happens_even_in_a_shorter_answer(openai: Sim) -> None:
    openai.script(Fault.reset("midway", after=1000))
    received, end = raw(openai, CHAT, body(stream=True))
    assert end == "reset"
    assert b"[DONE]" not in received


def test_a_fault_lasts_as_long_as_scripted(openai: Sim) -> None:
    openai.script(Fault.status(500), times=2)
    assert [post(openai, CHAT, body()).status for _ in range(3)] == [500, 500, 200]
    openai.script(Fault.status(500), times=None)
    assert [post(openai, CHAT, body()).status for _ in range(5)] == [500] * 5
    assert post(openai.clear(), CHAT, body()).status == 200


def test_a_fault_of_one_model_or_of_discovery(openai: Sim) -> None:
    openai.script(Fault.status(500), model="gpt-6-luna", times=None)
    openai.script(Fault.status(503), scope="discovery")
    assert post(openai, CHAT, body()).status == 200
    assert post(openai, CHAT, {**body(), "model": "gpt-6-luna"}).status == 500
    assert post(openai, "/v1/models", {}).status == 503


def test_steps_are_taken_in_order(openai: Sim) -> None:
    openai.script(Fault.status(429), "second", Fault.status(500))
    assert post(openai, CHAT, body()).status == 429
    assert post(openai, CHAT, body()).json["choices"][0]["message"]["content"] == "second"
    assert post(openai, CHAT, body()).status == 500


def test_pace_is_slept_by_the_given_sleep() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with Sim("openai", pace=Pace(first_token=2.0, tokens_per_second=4), sleep=sleep) as sim:
        sim.script("abcd efgh")
        post(sim, CHAT, body(stream=True))
        # "abcd " is 2 tokens, "efgh" 1; 2 and 1 over 4 a second.
        assert slept == [2.0, 0.5, 0.25]
        slept.clear()
        sim.script("abcd efgh").pace(Pace(first_token=1.0), model="gpt-6-sol")
        post(sim, CHAT, body())
        assert slept == [1.0]
