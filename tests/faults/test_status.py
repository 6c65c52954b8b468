"""Rows 10–21 and 33: what the head of an answer says, and errors by their class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.bench import Bench, Record, answered_by_first, failed_over, returned
from tests.faults.chat import STREAM, error, whole
from tests.faults.server import EVENTS, FaultServer, Wire, http

ASKED_403 = error("Your chosen model requires moderation and your input was flagged", code=403)
SPENT = error("You exceeded your current quota", code="insufficient_quota")


def test_row_10_headers_that_drip(bench: Bench, record: Record, form: str) -> None:
    def slowly(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\n")
        wire.drip(b"x-more: 1\r\n", 0.02)

    with FaultServer(slowly) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        assert server.all_gone()
    failed_over(seen, "timeout", "waited for the first token (0.3 s)")
    assert 0.29 <= seen.first.duration < 0.8
    record(10, "headers drip in (slow loris)", "F at the first-token timer", seen, form)


def test_row_11_headers_without_number(bench: Bench, record: Record, form: str) -> None:
    many = http(whole(), headers={f"x{number}": "a" for number in range(20_000)})
    with FaultServer(many) as server:
        bench.first(server.url, timeouts="{first_token: 2s}")
        seen = bench.ask(form)
    failed_over(seen, "malformed", "does not answer in HTTP")
    record(11, "20,000 headers", "F", seen, form)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_row_12_redirects(bench: Bench, record: Record, form: str, status: int) -> None:
    with FaultServer(http(whole("trapped"))) as trap:
        moved = http("", status, {"location": f"{trap.url}/v1/chat/completions?token=t"})
        with FaultServer(moved) as server:
            bench.first(server.url)
            seen = bench.ask(form)
        assert trap.connections == 0
    failed_over(seen, "unavailable", "redirects are never followed")
    assert seen.first.status == status
    assert "token=t" not in (seen.first.message or "")
    record(12, f"redirect {status}", "F, never followed", seen, form)


def test_row_13_html(bench: Bench, record: Record, form: str) -> None:
    page = "<!doctype html><title>Sign in</title>"
    with FaultServer(http(page, content_type="text/html; charset=utf-8")) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "malformed", "answered with a web page")
    assert "login page" in (seen.first.help or "")
    record(13, "status 200 with a web page", "F", seen, form)


@pytest.mark.parametrize(
    ("body", "kind", "counted", "standing"),
    [
        (error("busy", type="overloaded_error"), "overloaded", True, ""),
        (SPENT, "quota", False, "credential off"),
        (error("no such model", code="model_not_found"), "model_missing", False, "model off"),
        ({"error": "model runner has unexpectedly stopped"}, "transient", True, ""),
    ],
    ids=["overloaded", "quota", "model", "text"],
)
def test_row_14_error_at_status_200(
    bench: Bench, record: Record, form: str, body: Any, kind: str, counted: bool, standing: str
) -> None:
    with FaultServer(http(body)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, kind, counted=counted)
    assert seen.standing == standing
    record(14, f"status 200 with an error in the body: {kind}", "by its class", seen, form)


def test_row_14_error_at_status_200_of_the_request(bench: Bench, form: str) -> None:
    with FaultServer(http(error("bad", type="invalid_request_error"))) as server:
        bench.first(server.url)
        returned(bench.ask(form), "invalid_request", "bad")


@pytest.mark.parametrize(
    ("say", "kind", "words"),
    [
        (http(b"", 204), "empty", "no body"),
        (http(b""), "empty", "no body"),
        (http(b" \n"), "empty", "no body"),
        (http(b"", 204, content_type=None), "malformed", "without its terminator"),
        (http(b"", content_type=EVENTS), "malformed", "without its terminator"),
    ],
    ids=["204", "200", "blank", "204-untyped", "200-events"],
)
def test_row_15_nothing(
    bench: Bench, record: Record, form: str, say: bytes, kind: str, words: str
) -> None:
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, kind, words)
    status = say[9:12].decode()
    typed = "" if b"json" in say else ", no JSON announced"
    record(15, f"status {status} without a body{typed}", "F", seen, form)


def test_row_16_bad_request(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(error("temperature must be below 2"), 400)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    returned(seen, "invalid_request", "temperature must be below 2")
    record(16, "status 400", "N", seen, form)


OVERFLOW = error("maximum context length is 4096 tokens", code="context_length_exceeded")


def test_row_17_context_overflow(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(OVERFLOW, 400)) as server:
        bench.first(server.url, window=100_000)
        seen = bench.ask(form)
    failed_over(seen, "context", "maximum context length", counted=False)
    assert seen.standing == ""
    record(17, "prompt too long, a larger window is left", "larger window", seen, form)


def test_row_17_context_overflow_without_a_larger_window(
    bench: Bench, record: Record, form: str
) -> None:
    with FaultServer(http(OVERFLOW, 400)) as server:
        bench.first(server.url, window=100_000, second={"window": 100_000})
        seen = bench.ask(form)
    returned(seen, "context", "maximum context length")
    assert "shorten the prompt" in (seen.first.help or "")
    record(17, "prompt too long, no larger window", "N", seen, form)


def _guarded(wire: Wire) -> None:
    good = b"authorization: bearer new" in wire.request.lower()
    refusal = http(error("Incorrect API key provided", code="invalid_api_key"), 401)
    wire.send(http(STREAM, content_type=EVENTS) if good else refusal)


def _keyed(bench: Bench, server: FaultServer) -> Path:
    file = bench.root / "key"
    file.write_text("old")
    file.chmod(0o600)
    bench.first(server.url, endpoint_more="\n  auth: {bearer: 'file:key'}")
    return file


def test_row_18_key_that_was_rotated(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(_guarded) as server:
        _keyed(bench, server).write_text("new")
        seen = bench.ask(form)
        assert seen.outcomes == [("first/m", "auth"), ("first/m", "ok")]
        assert [a.role for a in seen.attempts] == ["first", "repeat"]
        assert (seen.answered.text, seen.standing) == ("Hi there", "")
        assert seen.after > seen.before
        record(18, "status 401, and its file holds another key by now", "re-read once", seen, form)
        answered_by_first(bench.ask(form), "Hi there")
        assert len(server.requests) == 3


@pytest.mark.parametrize("meanwhile", ["old", "wrong"])
def test_row_18_key_that_is_refused(
    bench: Bench, record: Record, form: str, meanwhile: str
) -> None:
    with FaultServer(_guarded) as server:
        _keyed(bench, server).write_text(meanwhile)
        seen = bench.ask(form)
        calls = 1 if meanwhile == "old" else 2
        assert seen.outcomes == [("first/m", "auth")] * calls + [("second/m", "ok")]
        assert (seen.after, seen.standing) == (seen.before, "credential off")
        assert "file:key" in (seen.first.help or "")
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        assert len(server.requests) == calls
    fault = "the key is as it was" if meanwhile == "old" else "its file's new key is refused too"
    record(18, f"status 401, {fault}", "F0, credential off", seen, form)


def test_row_19_moderation(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(ASKED_403, 403)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    returned(seen, "policy", "requires moderation")
    record(19, "status 403 by moderation", "N", seen, form)


def test_row_20_model_that_was_retired(bench: Bench, record: Record, form: str) -> None:
    gone = error("The model `m` has been retired", code="model_not_found")
    with FaultServer(http(gone, 404)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        failed_over(seen, "model_missing", "has been retired", counted=False)
        assert seen.standing == "model off"
        assert "check that m is what this provider calls the model" in (seen.first.help or "")
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        assert len(server.requests) == 1
    record(20, "status 404, model retired", "F0, model off, told", seen, form)


def test_row_21_request_too_large(bench: Bench, record: Record, form: str) -> None:
    large = error("Request exceeds the maximum size", type="request_too_large")
    with FaultServer(http(large, 413)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    returned(seen, "too_large", "exceeds the maximum size")
    record(21, "status 413", "N", seen, form)


def test_row_33_status_299(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(whole("Hi there"), 299)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    answered_by_first(seen, "Hi there")
    record(33, "status 299 with an answer", "by its class", seen, form)


def test_row_33_status_599(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http("x", 599)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "transient", "x")
    record(33, "status 599", "by its class", seen, form)
