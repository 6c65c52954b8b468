"""A simulator as a server: life and death, connections, records, limits."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from typing import Any

import pytest
from sim_wire import ask, drained, opened, post, raw

from llmroute.sim import Fault, Loop, Pace, RateLimit, Sim

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "gpt-6-sol", "messages": [{"role": "user", "content": "hi"}]}


def test_it_starts_quickly() -> None:
    begun = time.perf_counter()
    with Sim("openai"):
        pass
    assert time.perf_counter() - begun < 0.5


def test_several_share_a_thread() -> None:
    before = threading.active_count()
    loop = Loop()
    with Sim("openai", loop=loop) as first, Sim("ollama", loop=loop) as second:
        assert threading.active_count() == before + 1
        assert first.port != second.port
        assert post(first, CHAT, BODY).status == 200
        assert ask(second, "GET", "/").status == 200
    loop.close()
    assert threading.active_count() == before


def test_nothing_is_left_after_the_end() -> None:
    before = threading.active_count()
    with Sim("openai") as sim:
        idle = socket.create_connection(("127.0.0.1", sim.port))
    assert threading.active_count() == before
    assert drained(idle)[1] == "closed"
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sim.port))


def test_a_hanging_reply_does_not_keep_it_alive() -> None:
    with Sim("openai") as sim:
        sim.script(Fault.hang())
        connection = opened(sim, CHAT, BODY)
        while not sim.requests:
            time.sleep(0.001)
        begun = time.perf_counter()
        sim.close(grace=0.01)
        assert time.perf_counter() - begun < 0.4
        assert drained(connection)[1] in ("reset", "closed")
        connection.close()


def test_a_reply_under_way_is_finished() -> None:
    with Sim("openai", pace=Pace(first_token=0.1)) as sim:
        connection = opened(sim, CHAT, BODY)
        while not sim.requests:
            time.sleep(0.001)
    received, end = drained(connection)
    connection.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert end in ("closed", "reset")


def test_it_takes_the_port_it_is_given() -> None:
    with Sim("openai") as first:
        port = first.port
        with pytest.raises(OSError, match="in use"):
            Sim("openai", port=port).start()
    with Sim("openai", port=port) as again:
        assert again.port == port
        assert again.url == f"http://127.0.0.1:{port}"


def test_kill_resets_and_refuses_and_revive_serves_again(openai: Sim) -> None:
    openai.script(Fault.hang("midway"))
    busy = opened(openai, CHAT, {**BODY, "stream": True})
    assert busy.recv(65536)
    idle = socket.create_connection(("127.0.0.1", openai.port))
    openai.kill()
    assert not openai.alive
    assert drained(busy)[1] == "reset"
    assert drained(idle)[1] == "reset"
    busy.close()
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", openai.port))
    openai.kill()
    openai.revive()
    assert openai.alive
    assert post(openai, CHAT, BODY).status == 200


def test_a_killed_server_can_be_closed() -> None:
    with Sim("openai") as sim:
        sim.kill()


def test_connections_are_kept_alive(openai: Sim) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", openai.port, timeout=3)
    ports = set()
    for stream in (False, True, False):
        connection.request("POST", CHAT, json.dumps({**BODY, "stream": stream}))
        response = connection.getresponse()
        assert response.read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_connection_close_is_obeyed(openai: Sim) -> None:
    received, end = raw(openai, CHAT, BODY, extra="connection: close\r\n")
    assert received.startswith(b"HTTP/1.1 200")
    assert end == "closed"


def test_chunked_requests_and_expect(openai: Sim) -> None:
    data = json.dumps(BODY).encode()
    head = f"POST {CHAT} HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    with socket.create_connection(("127.0.0.1", openai.port), timeout=2) as connection:
        connection.sendall(f"{head}expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        assert b'"gpt-6-sol heard: hi"' in drained(connection)[0]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 100_000, b"431"),
    ],
)
def test_what_is_no_request(openai: Sim, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", openai.port), timeout=2) as connection:
        connection.sendall(sent)
        assert drained(connection)[0].split(b" ")[1] == status


def test_requests_are_recorded(openai: Sim) -> None:
    post(openai, f"{CHAT}?beta=true", {**BODY, "stream": True}, {"X-Thing": "a"})
    ask(openai, "GET", "/v1/models")
    first, second = openai.requests
    assert (first.method, first.path, first.query) == ("POST", CHAT, "beta=true")
    assert first.headers["x-thing"] == "a"
    assert first.body == {**BODY, "stream": True}
    assert json.loads(first.raw) == first.body
    assert (first.model, first.stream, first.status, first.fault) == ("gpt-6-sol", True, 200, None)
    assert (second.method, second.body, second.model) == ("GET", None, None)
    assert openai.inferences == [first]


@pytest.mark.parametrize("at", ["headers", "first_token", "midway"])
def test_a_client_that_leaves_is_noticed(openai: Sim, at: Any) -> None:
    openai.script(Fault.hang(at))
    connection = opened(openai, CHAT, {**BODY, "stream": True})
    while not openai.requests:
        time.sleep(0.001)
    assert not openai.requests[0].done
    connection.close()
    assert openai.wait_idle(1.0)
    assert (openai.requests[0].client_left, openai.requests[0].fault) == (True, "hang")


def test_a_client_that_leaves_a_slow_answer_is_noticed() -> None:
    with Sim("openai", pace=Pace(first_token=30)) as sim:
        opened(sim, CHAT, BODY).close()
        while not sim.requests:
            time.sleep(0.001)
        assert sim.wait_idle(1.0)
        assert sim.requests[0].client_left


def test_concurrency_above_the_limit_is_refused() -> None:
    with Sim("ollama", limit=RateLimit(concurrency=1)) as sim:
        sim.script(Fault.hang())
        asked = {"model": "qwen3:8b", "messages": BODY["messages"]}
        first = opened(sim, "/api/chat", asked)
        while not sim.requests:
            time.sleep(0.001)
        got = post(sim, "/api/chat", asked)
        first.close()
        assert (got.status, got.json["error"].split(",")[0]) == (503, "server busy")
        assert sim.wait_idle(1.0)
        assert post(sim, "/api/chat", asked).status == 200


def test_a_limit_opens_again_with_the_next_window() -> None:
    now = [0.0]
    with Sim("openai", limit=RateLimit(requests=1, window=10, clock=lambda: now[0])) as sim:
        assert post(sim, CHAT, BODY).status == 200
        now[0] = 9.0
        limited = post(sim, CHAT, BODY)
        assert (limited.status, limited.headers["retry-after"]) == (429, "1")
        now[0] = 10.0
        assert post(sim, CHAT, BODY).status == 200


def test_many_at_once(openai: Sim) -> None:
    openai.pace(Pace(first_token=0.05))
    connections = [opened(openai, CHAT, BODY, "connection: close\r\n") for _ in range(50)]
    answers = [drained(connection)[0] for connection in connections]
    for connection in connections:
        connection.close()
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_an_unknown_kind_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="'gpt'; there are anthropic, cohere, gemini, "):
        Sim("gpt")


def test_answers_are_the_same_in_every_run() -> None:
    def answers() -> list[bytes]:
        with Sim("openai", clock=lambda: 1_795_000_000.0) as sim:
            return [post(sim, CHAT, {**BODY, "stream": stream}).body for stream in (False, True)]

    assert answers() == answers()


def test_the_date_is_the_clock_s() -> None:
    with Sim("openai", clock=lambda: 0.0) as sim:
        assert post(sim, CHAT, BODY).headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
