"""Rows 44–50, 55 and 57: streams that stall, drip, end early or say too much."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.faults.bench import (
    PROMPT,
    Bench,
    Record,
    answered_by_first,
    failed_over,
    interrupted,
)
from tests.faults.chat import DONE, HELLO, ROLE, chunk, error, used
from tests.faults.server import CHUNKED, EVENTS, OPEN_ENDED, FaultServer, Say, Wire, http, sse

MILLION = Decimal(1_000_000)
BOOM = error("boom", type="server_error")


def _held(form: str) -> str:
    return "T" if form == "stream" else "F: a whole answer commits at its end"


@pytest.mark.parametrize("role", [False, True], ids=["head", "role"])
def test_row_44_no_first_token(bench: Bench, record: Record, form: str, role: bool) -> None:
    def silent(wire: Wire) -> None:
        wire.send(OPEN_ENDED + (sse(ROLE) if role else b""))
        wire.stall()

    with FaultServer(silent) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        assert server.all_gone()
    failed_over(seen, "timeout", "waited for the first token (0.3 s)")
    assert 0.29 <= seen.first.duration < 0.8
    record(44, f"silence after the {'role' if role else 'headers'}", "F", seen, form)


def test_row_44_half_of_the_deadline_is_left_for_others(bench: Bench, form: str) -> None:
    with FaultServer(lambda wire: wire.stall()) as server:
        bench.first(server.url, timeouts="{first_token: 20s}")
        seen = bench.ask(form, timeout=0.8)
    # 0.4 s are less than what is usual of a cloud model, 1 s: it is not blamed
    failed_over(seen, "timeout", "waited for the first token", counted=False)
    assert 0.39 <= seen.first.duration < 0.6


def test_row_45_stall_after_the_first_content(bench: Bench, record: Record, form: str) -> None:
    def stalls(wire: Wire) -> None:
        wire.send(OPEN_ENDED + sse(ROLE, chunk("Hi ")))
        wire.stall()

    with FaultServer(stalls) as server:
        bench.first(server.url, timeouts="{first_token: 2s, idle: 200ms}")
        seen = bench.ask(form)
        assert server.all_gone()
    hold = interrupted if form == "stream" else failed_over
    hold(seen, "timeout", "waited for progress (0.2 s)")
    assert 0.19 <= seen.first.duration < 0.7
    record(45, "stall after the first content", f"{_held(form)}, at the idle timer", seen, form)


def test_row_46_drip_without_end(bench: Bench, record: Record, form: str) -> None:
    def drips(wire: Wire) -> None:
        wire.send(OPEN_ENDED)
        wire.drip(sse(chunk("x")), 0.03)

    with FaultServer(drips) as server:
        bench.first(server.url, timeouts="{idle: 600ms, total: 900ms}")
        seen = bench.ask(form)
        assert server.all_gone()
    hold = interrupted if form == "stream" else failed_over
    hold(seen, "timeout", "waited for the whole answer (0.9 s)")
    assert 0.89 <= seen.first.duration < 1.4
    record(46, "drip of content without end", f"{_held(form)}, at total", seen, form)


CLEAN_END = b"0\r\n\r\n"


def _chunked(data: bytes) -> bytes:
    return CHUNKED + b"%x\r\n%b\r\n" % (len(data), data) + CLEAN_END


@pytest.mark.parametrize("ending", ["close", "chunked"])
def test_row_47_end_before_the_first_content(
    bench: Bench, record: Record, form: str, ending: str
) -> None:
    said = sse(ROLE)
    say = OPEN_ENDED + said if ending == "close" else _chunked(said)
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "malformed", "without its terminator")
    record(47, f"stream ends without terminator ({ending}), no content yet", "F", seen, form)


@pytest.mark.parametrize("ending", ["close", "chunked"])
def test_row_48_end_after_the_first_content(
    bench: Bench, record: Record, form: str, ending: str
) -> None:
    said = sse(ROLE, chunk("Hi "), chunk("there"))
    say = OPEN_ENDED + said if ending == "close" else _chunked(said)
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    hold = interrupted if form == "stream" else failed_over
    hold(seen, "malformed", "without its terminator")
    if form == "stream":
        assert seen.text == "Hi there"
    record(48, f"stream ends without terminator ({ending}), midway", _held(form), seen, form)


def test_row_48_finish_without_done_is_no_end(bench: Bench) -> None:
    """`finish_reason` came, `[DONE]` did not: the last words may be missing."""
    with FaultServer(OPEN_ENDED + sse(*HELLO)) as server:
        bench.first(server.url)
        seen = bench.ask("stream")
    interrupted(seen, "malformed", "without its terminator")


@pytest.mark.parametrize("role", [False, True], ids=["first", "after-role"])
def test_row_49_error_event_first(bench: Bench, record: Record, form: str, role: bool) -> None:
    events = [ROLE, BOOM] if role else [BOOM]
    with FaultServer(http(sse(*events), content_type=EVENTS)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "transient", "boom")
    if not role:
        record(49, "error event first", "F", seen, form)


def test_row_50_error_event_midway(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(http(sse(ROLE, chunk("Hi "), BOOM), content_type=EVENTS)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    hold = interrupted if form == "stream" else failed_over
    hold(seen, "transient", "boom")
    record(50, "error event midway", _held(form), seen, form)


def test_row_50_continuation(bench: Bench, record: Record) -> None:
    with FaultServer(http(sse(ROLE, chunk("Hi, "), BOOM), content_type=EVENTS)) as server:
        bench.first(server.url, fallback="{continuation: true}", second={"prefill": "true"})
        seen = bench.ask("stream")
    assert seen.outcomes == [("first/m", "transient"), ("second/m", "ok")]
    assert seen.attempts[1].role == "continuation"
    assert seen.text == seen.answered.text
    assert seen.text.startswith("Hi, ")
    assert len(seen.text) > len("Hi, ")
    assert "broke off and was continued by second/m" in seen.answered.warnings[0]
    sent = bench.good.inferences[-1].body["messages"]
    assert sent[-1] == {"role": "assistant", "content": "Hi,"}
    record(50, "error event midway, `continuation: true`", "continued once", seen, "stream")


@pytest.mark.parametrize("after", ["tool call", "reasoning", "no target"])
def test_row_50_what_is_never_continued(bench: Bench, after: str) -> None:
    tool = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}
    extra = {
        "tool call": chunk(tool_calls=[tool]),
        "reasoning": chunk(reasoning_content="Hm"),
        "no target": chunk("Hi "),
    }[after]
    say = http(sse(ROLE, chunk("Hi "), extra, BOOM), content_type=EVENTS)
    with FaultServer(say) as server:
        prefill = "false" if after == "no target" else "true"
        second = {"prefill": prefill}
        bench.first(server.url, fallback="{continuation: true}", second=second)
        interrupted(bench.ask("stream"), "transient", "boom")


@pytest.mark.parametrize("piece", [b": ping\n\n", b"event: ping\n\n"], ids=["comment", "event"])
def test_row_55_signs_of_life_are_no_progress(
    bench: Bench, record: Record, form: str, piece: bytes
) -> None:
    def pings(wire: Wire) -> None:
        wire.send(OPEN_ENDED)
        wire.drip(piece, 0.02)

    with FaultServer(pings) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        assert server.all_gone()
    failed_over(seen, "timeout", "waited for the first token (0.3 s)")
    assert 0.29 <= seen.first.duration < 0.8
    if piece.startswith(b":"):
        record(55, "comments and nothing else", "F at the first-token timer", seen, form)


def _slow_tail(wire: Wire) -> None:
    wire.send(OPEN_ENDED + sse(*HELLO, DONE))
    wire.sse(chunk("not this"), DONE)
    wire.stall()


@pytest.mark.parametrize(
    "say",
    [
        http(sse(*HELLO, DONE, chunk(" and more"), BOOM), content_type=EVENTS),
        http(sse(*HELLO, DONE) + b"garbage \xff\x00", content_type=EVENTS),
        _slow_tail,
    ],
    ids=["events", "garbage", "open"],
)
def test_row_57_data_after_the_terminator(
    bench: Bench, record: Record, form: str, say: Say
) -> None:
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        assert server.all_gone()
    answered_by_first(seen, "Hi there")
    assert PROMPT not in seen.text
    record(57, "data after the terminator", "ignored", seen, form)


@pytest.mark.parametrize(
    ("tail", "tokens"),
    [
        ((), None),
        ((used(), used()), (9, 4)),
        ((used(completion_tokens=1), used()), (9, 4)),
    ],
    ids=["absent", "repeated", "corrected"],
)
def test_row_58_usage_chunks(
    bench: Bench,
    record: Record,
    form: str,
    tail: tuple[object, ...],
    tokens: tuple[int, int] | None,
) -> None:
    events = sse(*HELLO[:-1], *tail, DONE)
    with FaultServer(http(events, content_type=EVENTS)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    answered_by_first(seen, "Hi there")
    usage = seen.answered.usage
    assert usage.estimated is (tokens is None)
    assert tokens is None or (usage.input, usage.output) == tokens
    assert seen.answered.cost == seen.first.cost == (usage.input + 10 * usage.output) / MILLION
    how = "absent: estimated" if tokens is None else "the last count, charged once"
    fault = "usage chunk absent" if tokens is None else "usage chunk repeated"
    record(58, fault, "settled once", f"→ `first` answers; {how}", form)
