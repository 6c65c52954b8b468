from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.adapter.framing import (
    FRAMINGS,
    FramingError,
    NdjsonFramer,
    SseFramer,
    StreamEvent,
)
from tests.adapter.wire import pieces


def sse(*blocks: bytes) -> list[StreamEvent]:
    framer = SseFramer()
    return [event for block in blocks for event in framer.feed(block)] + framer.close()


def event(data: str, name: str = "") -> StreamEvent:
    return StreamEvent(name, data)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_each_line_end_ends_lines(end: bytes) -> None:
    raw = b"event: a" + end + b"data: 1" + end + b"data: 2" + end + end + b"data:3" + end + end
    assert sse(raw) == [event("1\n2", "a"), event("3")]


def test_fields_by_the_rules_of_the_standard() -> None:
    raw = b": comment\nid: 7\nretry: 10\ndata\ndata:  two spaces\nevent:x\nother: y\n\n"
    assert sse(raw) == [event("\n two spaces", "x")]


def test_an_event_without_data_is_none_and_its_name_does_not_stick() -> None:
    assert sse(b"event: lost\n\ndata: 1\n\n") == [event("1")]


def test_comments_alone_are_no_event() -> None:
    assert sse(b": ping\n\n: ping\n\n") == []


def test_a_leading_mark_is_skipped_once() -> None:
    mark = "\ufeff".encode()
    assert sse(mark + b"data: 1\n\n") == [event("1")]
    assert sse(mark[:1], mark[1:] + b"data: 1\n\n", mark + b"data: 2\n\n") == [event("1")]


def test_the_last_event_needs_no_line_end() -> None:
    assert sse(b"data: 1\n\ndata: [DONE]") == [event("1"), event("[DONE]")]


def test_cr_and_lf_in_two_reads_are_one_line_end() -> None:
    assert sse(b"data: 1\r", b"\ndata: 2\r", b"\n\r", b"\n") == [event("1\n2")]


def test_invalid_utf8_is_replaced_and_counted() -> None:
    framer = SseFramer()
    assert framer.feed(b"data: a\xffb\xfe\n\n") == [event("a\ufffdb\ufffd")]
    assert framer.replaced == 2


@pytest.mark.parametrize("name", sorted(FRAMINGS))
def test_a_line_above_the_cap_is_refused(name: str) -> None:
    framer = FRAMINGS[name](1000)
    framer.feed(b"data: " + b"x" * 900)
    with pytest.raises(FramingError, match="1000"):
        framer.feed(b"x" * 200)


def test_an_event_of_many_lines_is_capped_too() -> None:
    framer = SseFramer(1000)
    with pytest.raises(FramingError, match="event"):
        framer.feed((b"data: " + b"x" * 90 + b"\n") * 20)


def test_ndjson_lines() -> None:
    framer = NdjsonFramer()
    assert framer.feed(b'{"a":1}\r\n\n{"b"') == [event('{"a":1}\r')]
    assert framer.feed(b":2}") == []
    assert framer.close() == [event('{"b":2}')]


_LINES = st.lists(
    st.sampled_from(
        [
            "data: x",
            "data: 日本語 \U0001f600",
            "event: e",
            "",
            "",
            ": c",
            "data",
            "id: 1",
            "datax: y",
        ]
    ),
    max_size=12,
)


@given(
    lines=_LINES,
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=12, max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_any_cut_gives_the_same_events(lines: list[str], ends: list[str], cuts: list[int]) -> None:
    raw = "".join(line + end for line, end in zip(lines, ends, strict=False)).encode()
    assert sse(*pieces(raw, cuts)) == sse(raw)


@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=9)),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_any_cut_gives_the_same_lines(lines: list[str], cuts: list[int]) -> None:
    raw = "\n".join(lines).encode()
    whole, parts = NdjsonFramer(), NdjsonFramer()
    expected = whole.feed(raw) + whole.close()
    found = [e for block in pieces(raw, cuts) for e in parts.feed(block)] + parts.close()
    assert found == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_no_bytes_break_it(raw: bytes, cuts: list[int]) -> None:
    assert sse(*pieces(raw, cuts)) == sse(raw)
