"""Rows 34–43: whole answers that are none, too much, or not what they say."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from llmroute.types import Usage
from tests.faults.bench import Bench, Record, answered_by_first, failed_over
from tests.faults.chat import USAGE, chunk, used, whole
from tests.faults.server import (
    CHUNKED,
    EVENTS,
    OPEN_JSON,
    FaultServer,
    Say,
    Wire,
    http,
    sse,
)

MIB = 1024 * 1024
PATIENT = "{first_token: 20s, total: 30s}"


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Hold what Python allocates meanwhile to a limit, in bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def _events(body: bytes) -> bytes:
    return http(body, content_type=EVENTS)


@pytest.mark.parametrize(
    ("say", "fault"),
    [
        (http(json.dumps(whole())[:-20]), "whole"),
        (_events(b"data: " + json.dumps(chunk("Hi")).encode()[:-20] + b"\n\n"), "stream"),
    ],
    ids=["whole", "stream"],
)
def test_row_34_truncated_json(
    bench: Bench, record: Record, form: str, say: bytes, fault: str
) -> None:
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "malformed", "not JSON")
    record(34, f"JSON that breaks off, {fault}", "F", seen, form)


SHORT = http(whole()).replace(b"content-length: ", b"content-length: 9")


def _cut_chunked(wire: Wire) -> None:
    wire.send(CHUNKED + b"40\r\n" + sse(chunk(role="assistant"))[:16])


@pytest.mark.parametrize(
    ("say", "fault"),
    [(SHORT, "content-length"), (_cut_chunked, "chunks")],
    ids=["length", "chunks"],
)
def test_row_35_body_shorter_than_announced(
    bench: Bench, record: Record, form: str, say: Say, fault: str
) -> None:
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "unavailable", "broke off its answer")
    record(35, f"body shorter than its {fault} said", "F", seen, form)


@pytest.mark.parametrize("kind", ["application/json", EVENTS], ids=["json", "events"])
def test_row_36_gzip_bomb(bench: Bench, record: Record, form: str, kind: str) -> None:
    bomb = gzip.compress(b" " * (200 * MIB), 1)
    with FaultServer(http(bomb, headers={"content-encoding": "gzip"}, content_type=kind)) as server:
        bench.first(server.url, timeouts=PATIENT)
        with memory_below(80 * MIB):
            seen = bench.ask(form)
    failed_over(seen, "malformed", "than 16777216 bytes")
    fault = f"200 MiB of {kind} in a small gzip"
    record(36, fault, "aborted at 16 MiB, F", seen, form)


def test_row_37_body_of_500_megabytes(bench: Bench, record: Record, form: str) -> None:
    def endless(wire: Wire) -> None:
        wire.send(OPEN_JSON)
        block = b" " * MIB
        for _ in range(500):
            wire.send(block)

    with FaultServer(endless) as server:
        bench.first(server.url, timeouts=PATIENT)
        with memory_below(80 * MIB):
            seen = bench.ask(form)
        assert server.all_gone()
        assert server.sent < 40 * MIB  # the cap, and what the kernel's buffers took
    failed_over(seen, "malformed", "larger than 16777216 bytes")
    record(37, "body of 500 MB", "aborted at the cap, memory bounded, F", seen, form)


def _raw(old: str, new: str) -> Callable[[bool], bytes]:
    """Return an answer with a part that no JSON writer makes, whole or as a stream."""

    def made(streamed: bool) -> bytes:
        if streamed:
            body = sse(chunk("Hi", "stop"), used(), "[DONE]").decode()
            return _events(body.replace(old, new).encode())
        return http(json.dumps(whole("Hi")).replace(old, new))

    return made


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "events"])
@pytest.mark.parametrize(
    ("make", "words", "fault"),
    [
        (_raw('"Hi"', '"\\ud83d"'), "surrogate", "half of a surrogate pair"),
        (_raw(": 9", ": NaN"), "NaN", "NaN"),
        (_raw(": 9", ": -Infinity"), "Infinity", "-Infinity"),
        (_raw(": 9", ": 1e999"), "out of range", "1e999"),
        (_raw(": 9", ": " + "9" * 5000), "5000 digits", "a number of 5,000 digits"),
        (_raw('"Hi"', "[" * 100_000 + "]" * 100_000), "nested", "100,000 levels"),
    ],
    ids=["surrogate", "NaN", "infinity", "1e999", "digits", "depth"],
)
def test_row_38_json_that_breaks_readers(
    bench: Bench, record: Record, form: str, make: Any, words: str, fault: str, streamed: bool
) -> None:
    with FaultServer(make(streamed)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    if streamed and words != "surrogate" and words != "nested" and form == "stream":
        assert seen.response is None  # the usage chunk comes after the content: too late to move on
        assert seen.outcomes == [("first/m", "malformed")]
    else:
        failed_over(seen, "malformed", words)
    if not streamed:
        record(38, f"JSON with {fault}", "F, no crash", seen, form)


def test_row_39_duplicate_keys(bench: Bench, record: Record, form: str) -> None:
    body = json.dumps(whole("last")).replace(
        '"content": "last"', '"content":"first","content":"last"'
    )
    with FaultServer(http(body)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    answered_by_first(seen, "last")
    record(39, "a key twice in one object", "defined: the last one counts", seen, form)


EMPTY = {"prompt_tokens": 9, "completion_tokens": 0}


@pytest.mark.parametrize(
    "body",
    [
        whole("", "", usage=EMPTY),
        whole(None, "stop", usage=EMPTY),
        whole("", "stop", usage={}),
        whole("", None),
    ],
    ids=["blank", "null", "unknown", "unfinished"],
)
def test_row_40_nothing_said(bench: Bench, record: Record, form: str, body: dict[str, Any]) -> None:
    with FaultServer(http(body)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    kind = "empty" if body["choices"][0]["finish_reason"] else "malformed"
    failed_over(seen, kind)
    finish = body["choices"][0]["finish_reason"]
    count = body["usage"].get("completion_tokens", "unknown")
    record(40, f"no text, finish {finish!r}, output tokens {count}", "F", seen, form)


def test_row_40_what_an_empty_answer_cost_is_recorded(bench: Bench, form: str) -> None:
    with FaultServer(http(whole("", "stop", usage=EMPTY))) as server:
        bench.first(server.url)
        assert bench.ask(form).first.cost == Decimal(9) / 1_000_000


def test_row_41_reasoning_alone(bench: Bench, record: Record, form: str) -> None:
    body = whole("", "length", message={"reasoning_content": "Hm, let me see"})
    with FaultServer(http(body)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    assert seen.outcomes == [("first/m", "ok")]
    answer = seen.answered
    assert (answer.text, answer.reasoning) == (None, "Hm, let me see")
    assert answer.finish_reason == "length"
    assert "allow more tokens" in answer.warnings[0]
    record(41, "finish `length` after reasoning alone", "N, flagged", seen, form)


def test_row_42_another_model(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(whole("Hi there", model="other"))) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        answered_by_first(seen, "Hi there")
        assert seen.answered.model == "other"
        assert seen.answered.warnings == ("asked for m, the server answered with other",)
    record(42, "another model answers", "N, flagged", seen, form)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "events"])
def test_row_42_another_model_where_that_is_not_allowed(
    bench: Bench, record: Record, form: str, streamed: bool
) -> None:
    events = [chunk("Hi", "stop") | {"model": "other"}, used(), "[DONE]"]
    say = _events(sse(*events)) if streamed else http(whole("Hi", model="other"))
    with FaultServer(say) as server:
        bench.first(server.url, endpoint_more="\n  strict_model: true")
        seen = bench.ask(form)
    failed_over(seen, "model_missing", "the server answered with other", counted=False)
    assert seen.standing == "model off"
    if not streamed:
        record(42, "another model answers, `strict_model: true`", "F", seen, form)


@pytest.mark.parametrize(
    "usage",
    [{}, None, {"prompt_tokens": -9, "completion_tokens": -4}, {"prompt_tokens": "many"}],
    ids=["absent", "null", "negative", "text"],
)
def test_row_43_usage_that_is_none(bench: Bench, record: Record, form: str, usage: Any) -> None:
    with FaultServer(http(whole("Hi there", usage=usage))) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    answered_by_first(seen, "Hi there")
    counted = seen.answered.usage
    assert counted.estimated
    assert (counted.input > 0, counted.output > 0) == (True, True)
    # $1 in and $10 out per million tokens
    assert seen.answered.cost == Decimal(counted.input + 10 * counted.output) / 1_000_000
    observed = "→ `first` answers; usage and cost are estimated and marked so"
    record(43, f"usage is {json.dumps(usage)}", "estimated, flagged", observed, form)


def test_row_43_usage_that_is_given_is_taken(bench: Bench, form: str) -> None:
    with FaultServer(http(whole("Hi there"))) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    assert seen.answered.usage == Usage(USAGE["prompt_tokens"], USAGE["completion_tokens"])
    assert seen.answered.cost == Decimal(9 + 40) / 1_000_000


def _stalls(wire: Wire) -> None:
    wire.send(OPEN_JSON + b"{")
    wire.stall()


@pytest.mark.parametrize(
    ("say", "kind", "words"),
    [
        (http(json.dumps(whole())[:-20]), "malformed", "not JSON"),
        (SHORT, "unavailable", "broke off its answer"),
        (http(whole("", "stop", usage=EMPTY)), "empty", "the answer was empty"),
        (http(b"x", 500), "transient", "x"),
        (_stalls, "timeout", "waited for the whole answer (0.4 s)"),
        (lambda wire: wire.stall(), "timeout", "waited for the whole answer (0.4 s)"),
    ],
    ids=["truncated", "short", "empty", "500", "stall", "silence"],
)
def test_targets_that_do_not_stream(bench: Bench, say: Say, kind: str, words: str) -> None:
    """Asked for a whole answer, without a stream underneath."""
    with FaultServer(say) as server:
        bench.first(server.url, streaming="false", timeouts="{first_token: 100ms, total: 400ms}")
        seen = bench.ask()
        assert server.all_gone()
        assert b'"stream":true' not in server.requests[0]
    failed_over(seen, kind, words)
    assert seen.first.duration < 1.0
