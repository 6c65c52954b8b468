"""Logs of requests: what is read, and what is said of lines that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmroute.lab.diffing.log import read_log

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def read(*lines: bytes):
    return read_log(lines, "log.jsonl", NOW)


def test_requests_of_every_form():
    found, wrong = read(
        b'{"prompt": "fix this", "tags": ["code"], "count": 3, "policy": "p"}\n',
        b'{"request": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}}\n',
        b'\xef\xbb\xbf{"prompt": "x", "tools": true, "images": true, "json_schema": true}\r\n',
        b"\n",
        b'{"input_tokens": 2000, "metadata": {"privacy": "private"}, "user": null}',
    )
    assert wrong == []
    assert [(item.times, item.policy, item.origin) for item in found] == [
        (3, "p", "log.jsonl:1"),
        (1, None, "log.jsonl:2"),
        (1, None, "log.jsonl:3"),
        (1, None, "log.jsonl:5"),
    ]
    requests = [item.situation.request for item in found]
    assert requests[0].tags == ("code",)
    assert requests[1].max_tokens == 5
    assert requests[2].tools
    assert requests[2].json_schema
    assert requests[3].metadata == {"privacy": "private"}
    assert {item.situation.now for item in found} == {NOW}


def test_keys_that_are_no_part_of_a_request_are_left_alone():
    found, wrong = read(b'{"prompt": "x", "model": "m", "time": 12.5, "user_id": {}}')
    assert (len(found), wrong) == (1, [])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"prompt": "x"', "this line is no JSON"),
        (b"[]", "no JSON object"),
        (b'"x"', "no JSON object"),
        (b"{}", "holds no request"),
        (b'{"model": "m"}', "holds no request"),
        (b'{"prompt": "\xff"}', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"prompt": 5}', "prompt: 5 is not of type"),
        (b'{"prompt": "x", "messages": [{"role": "user"}]}', "not both"),
        (b'{"messages": "x"}', "messages: "),
        (b'{"messages": [{"role": "nobody", "content": "x"}]}', "nobody"),
        (b'{"prompt": "x", "tags": "code"}', "tags: "),
        (b'{"prompt": "x", "max_tokens": 0}', "max_tokens: "),
        (b'{"prompt": "x", "input_tokens": 1e400}', "input_tokens"),
        (b'{"prompt": "x", "input_tokens": NaN}', "NaN is no JSON number"),
        (b'{"prompt": "x", "metadata": []}', "metadata: "),
        (b'{"prompt": "x", "route": {"onyl": ["a"]}}', "route: "),
        (b'{"prompt": "x", "tools": [5]}', "tools"),
        (b'{"prompt": "x", "count": 0}', "count is 0"),
        (b'{"prompt": "x", "count": true}', "count is true"),
        (b'{"prompt": "x", "count": 1.5}', "count is 1.5"),
        (b'{"prompt": "x", "policy": 5}', "policy is 5"),
        (b'{"request": {"prompt": 1}}', "prompt: 1"),
    ],
)
def test_a_bad_line_is_told_and_loses_nothing_else(line: bytes, told: str):
    found, wrong = read(b'{"prompt": "a"}', line, b'{"prompt": "b"}')
    assert [item.situation.request.messages[0]["content"] for item in found] == ["a", "b"]
    (text,) = wrong
    assert text.startswith("log.jsonl:2: ")
    assert told in text
    assert len(text) < 230
