"""The sources that an answer names have no place in the canonical one: each protocol says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.adapter.framing import SseFramer
from llmroute.adapter.protocols import protocol
from tests.adapter.wire import sse, target

WARNING = "citations were left out of the answer"
URL = {"type": "url_citation", "url": "https://x/y", "title": "t", "start_index": 0, "end_index": 1}
PLACE = {"type": "char_location", "cited_text": "x", "document_index": 0}
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "input_tokens": 1, "output_tokens": 1}


def chat(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "a", **message}}
    return {"model": "m", "choices": [choice], "usage": USAGE}


def responses(**part: Any) -> dict[str, Any]:
    said = {"type": "output_text", "text": "a", **part}
    item = {"id": "i", "type": "message", "role": "assistant", "content": [said]}
    return {"model": "m", "status": "completed", "output": [item], "usage": USAGE}


def messages(**block: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "a", **block}]
    return {"model": "m", "content": content, "stop_reason": "end_turn", "usage": USAGE}


@pytest.mark.parametrize(
    ("name", "cited", "plain"),
    [
        ("openai-chat", chat(annotations=[URL]), chat(annotations=[])),
        ("openai-responses", responses(annotations=[URL]), responses(annotations=[])),
        ("anthropic-messages", messages(citations=[PLACE]), messages(citations=None)),
    ],
)
def test_a_whole_answer(name: str, cited: Any, plain: Any) -> None:
    assert protocol(name).decode(cited, target(name)).warnings == (WARNING,)
    assert protocol(name).decode(plain, target(name)).warnings == ()


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def block_delta(**delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


STREAMS: dict[str, list[Any]] = {
    "openai-chat": [chunk(content="a"), chunk(annotations=[URL]), chunk("stop"), "[DONE]"],
    "openai-responses": [
        {"type": "response.completed", "response": responses(annotations=[URL])},
    ],
    "anthropic-messages": [
        {"type": "message_start", "message": {"model": "m", "usage": USAGE}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        block_delta(type="citations_delta", citation=PLACE),
        block_delta(type="text_delta", text="a"),
        block_delta(type="citations_delta", citation=PLACE),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
        {"type": "message_stop"},
    ],
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream(name: str) -> None:
    told = [data if isinstance(data, str) else json.dumps(data) for data in STREAMS[name]]
    decoder = protocol(name).decoder()
    for event in SseFramer().feed(sse(*told).encode()):
        decoder.feed(event)
    assert decoder.done
    assert decoder.warnings == [WARNING]
