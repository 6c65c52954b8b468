"""Rows 51–54 and 56: how the bytes of a stream are cut, ended and put together again."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest

from tests.faults.bench import Bench, Record, answered_by_first, failed_over, interrupted
from tests.faults.chat import DONE, HELLO, ROLE, chunk, used
from tests.faults.server import EVENTS, OPEN_ENDED, FaultServer, Wire, http, sse

MIB = 1024 * 1024
PATIENT = "{first_token: 20s, idle: 20s, total: 30s}"


def test_row_51_characters_cut_in_two(bench: Bench, record: Record, form: str) -> None:
    said = "Grüße, 世界 🌍"
    unescaped = json.dumps(chunk(said), ensure_ascii=False)
    data = sse(ROLE, unescaped, chunk(finish="stop"), used(), DONE)

    def bytewise(wire: Wire) -> None:
        wire.send(OPEN_ENDED)
        start = data.index(b"Gr")
        wire.send(data[:start])
        for place in range(start, start + len(said.encode()) + 2):
            wire.send(data[place : place + 1])
            time.sleep(0.002)
        wire.send(data[place + 1 :])

    with FaultServer(bytewise) as server:
        bench.first(server.url, timeouts=PATIENT)
        seen = bench.ask(form)
    answered_by_first(seen, said)
    assert seen.answered.warnings == ()
    record(51, "UTF-8 split across reads", "intact", seen, form)


@pytest.mark.parametrize("streamed", [True, False], ids=["events", "whole"])
def test_row_52_invalid_utf8(bench: Bench, record: Record, form: str, streamed: bool) -> None:
    if streamed:
        body = sse(*HELLO, DONE).replace(b"there", b"th\xff\xfere")
        say = http(body, content_type=EVENTS)
    else:
        body = json.dumps({"id": "c", "model": "m", "choices": [
            {"message": {"content": "Hi there"}, "finish_reason": "stop"}]}).encode()  # fmt: skip
        say = http(body.replace(b"there", b"th\xff\xfere"))
    with FaultServer(say) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    answered_by_first(seen, "Hi th\ufffd\ufffdre")
    assert "2 of the answer's characters were no UTF-8" in seen.answered.warnings[0]
    if streamed:
        record(52, "invalid UTF-8", "replaced, counted", seen, form)


def _lines(end: str) -> bytes:
    return sse(*HELLO, DONE).decode().replace("\n", end).encode()


MULTI = "".join(
    "".join(f"data: {line}\n" for line in json.dumps(event, indent=1).splitlines()) + "\n"
    for event in HELLO
)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (_lines("\r\n"), "lines end with CR LF"),
        (_lines("\r"), "lines end with CR"),
        (_lines("\n"), "lines end with LF"),
        (MULTI.encode() + b"data: [DONE]\n\n", "data over several lines"),
        (b": hello\n\n" + sse(*HELLO[:2]) + b": ping\n" + sse(*HELLO[2:], DONE), "comments"),
        (b"\xef\xbb\xbf" + sse(*HELLO, DONE), "a BOM first"),
        (sse(*HELLO, DONE).replace(b"data: ", b"data:"), "no space behind the colon"),
        (b"retry: 5\nid: 7\n" + sse(*HELLO, DONE), "fields that say nothing"),
        (sse(*HELLO, DONE).rstrip(b"\n"), "no blank line at the end"),
    ],
    ids=["crlf", "cr", "lf", "multi", "comments", "bom", "tight", "fields", "end"],
)
def test_row_53_lines(bench: Bench, record: Record, form: str, data: bytes, fault: str) -> None:
    def halves(wire: Wire) -> None:
        middle = len(data) // 2
        wire.send(OPEN_ENDED + data[:middle])
        time.sleep(0.01)
        wire.send(data[middle:])

    with FaultServer(halves) as server:
        bench.first(server.url, timeouts=PATIENT)
        seen = bench.ask(form)
    answered_by_first(seen, "Hi there")
    record(53, fault, "parsed", seen, form)


@pytest.mark.parametrize("said", [False, True], ids=["first", "midway"])
def test_row_54_line_of_100_megabytes(bench: Bench, record: Record, form: str, said: bool) -> None:
    def endless(wire: Wire) -> None:
        wire.send(OPEN_ENDED + (sse(chunk("Hi ")) if said else b"") + b"data: ")
        block = b"x" * MIB
        for _ in range(100):
            wire.send(block)

    with FaultServer(endless) as server:
        bench.first(server.url, timeouts=PATIENT)
        tracemalloc.start()
        try:
            seen = bench.ask(form)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert server.all_gone()
        assert server.sent < 40 * MIB  # the cap, and what the kernel's buffers took
    hold = interrupted if said and form == "stream" else failed_over
    hold(seen, "malformed", "a line is longer than 16777216 bytes")
    assert peak < 80 * MIB
    if not said:
        record(54, "line of 100 MB", "aborted at 16 MiB, memory bounded", seen, form)


def _call(index: int | None, arguments: str, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **{k: v for k, v in fields.items() if k == "name"}}
    made = {"function": function, **({} if index is None else {"index": index})}
    if "id" in fields:
        made |= {"id": fields["id"], "type": "function"}
    return chunk(tool_calls=[made])


ONE = [("a", "f", '{"x": 1}')]
TWO = [*ONE, ("b", "g", '{"y": 2}')]


@pytest.mark.parametrize(
    ("events", "calls", "fault"),
    [
        (
            [
                _call(0, '{"x"', id="a", name="f"),
                _call(0, ": 1}", id="a", name="f"),
            ],
            ONE,
            "id and name repeated in each piece",
        ),
        (
            [_call(0, '{"x": 1}', id="a", name="f"), _call(0, '{"x": 1}', id="a", name="f")],
            ONE,
            "a whole call sent twice",
        ),
        (
            [
                _call(None, '{"x": 1}', id="a", name="f"),
                _call(None, '{"y"', id="b", name="g"),
                _call(None, ": 2}"),
            ],
            TWO,
            "the index is missing",
        ),
        (
            [
                _call(0, '{"x"', id="a", name="f"),
                _call(0, ": 1}"),
                _call(0, '{"y": 2}', id="b", name="g"),
            ],
            TWO,
            "index 0 again with a new id",
        ),
    ],
    ids=["repeated", "twice", "missing", "reused"],
)
def test_row_56_tool_calls(
    bench: Bench, record: Record, form: str, events: Any, calls: Any, fault: str
) -> None:
    data = sse(ROLE, *events, chunk(finish="tool_calls"), used(), DONE)
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in "fg"
    ]
    with FaultServer(http(data, content_type=EVENTS)) as server:
        bench.first(server.url)
        seen = bench.ask(form, tools=tools)
    assert seen.outcomes == [("first/m", "ok")]
    made = seen.answered.tool_calls
    assert [(call.id, call.name, call.arguments) for call in made] == calls
    assert seen.answered.finish_reason == "tool_calls"
    count = "one call" if len(calls) == 1 else "two calls"
    record(56, fault, "never two calls in one", f"→ `first` answers with {count}", form)
