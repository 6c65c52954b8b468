"""Responses there and back: both of our sides of the protocol, which were written apart.

The reader of clients' requests and the writer of clients' answers know nothing of the code that
calls providers; what comes back through them is what was sent.
"""

from __future__ import annotations

from random import Random
from typing import Any

from llmroute.adapter.answer import unfolded
from llmroute.adapter.answering import Asked, client_protocol
from llmroute.adapter.protocols import protocol
from llmroute.types import Request, Response, ToolCall, Usage
from tests.adapter.wire import encoded, folded, target
from tests.conversations import conversations

P = "openai-responses"
CALLS = (ToolCall("call_1", "f", '{"city": "日本"}'), ToolCall("call_2", "g", "{}"))
#: What a client's request does not lead back to: OpenAI's name of `user` is no concern of a router.
_OURS = ("safety_identifier", "store", "include")


def plain(message: Any) -> Any:
    """Return a message without what is the same in two spellings."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part["text"] for part in content if part["type"] == "text"]
        images = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        content = ("".join(texts), images)
    return {**message, "content": content if isinstance(content, tuple) else (content or "", [])}


def test_requests() -> None:
    for request in conversations(300, seed=11):
        sent = encoded(P, request)
        back = client_protocol(P).read(dict(sent.body)).request
        again = encoded(P, back).body
        assert {k: v for k, v in again.items() if k not in _OURS} == {
            k: v for k, v in sent.body.items() if k not in _OURS
        }
        assert said(back, {}) == said(request, {v: k for k, v in sent.tool_ids.items()})


def said(request: Request, ids: dict[str, str]) -> list[Any]:
    """Return the messages, neighbouring leading system ones as one, with ids as on the wire."""
    rest = list(request.messages)
    leading = []
    while rest and rest[0]["role"] == "system":
        leading.append(rest.pop(0)["content"])
    return ["\n\n".join(leading), *(plain(_with_ids(message, ids)) for message in rest)]


def _with_ids(message: Any, ids: dict[str, str]) -> Any:
    renamed = dict(message)
    if "tool_call_id" in message:
        renamed["tool_call_id"] = ids.get(message["tool_call_id"], message["tool_call_id"])
    if "tool_calls" in message:
        renamed["tool_calls"] = [
            {**call, "id": ids.get(call["id"], call["id"])} for call in message["tool_calls"]
        ]
    return renamed


def answers() -> list[Response]:
    draw, made = Random(3), []
    for _ in range(120):
        kind = draw.choice(("stop", "length", "tool_calls", "content_filter"))
        calls = CALLS[: draw.randrange(1, 3)] if kind == "tool_calls" else ()
        refused = kind == "content_filter"
        made.append(
            Response(
                text=None if refused or (calls and draw.random() < 0.5) else "Grüß\n\nGott 🌧",
                finish_reason=kind,  # type: ignore[arg-type]
                usage=Usage(2048, 120, 1024, 512, 0, 64),
                model="served",
                id="resp_1",
                tool_calls=calls,
                reasoning=draw.choice((None, "Hm, so.")),
                refusal="I can't." if refused else None,
            )
        )
    return made


def content(response: Response) -> Any:
    usage = response.usage
    tokens = (usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning)
    told = (response.text, response.refusal, response.reasoning, response.tool_calls)
    return (*told, response.finish_reason, tokens)


def test_whole_answers() -> None:
    asked = Asked(Request.of("hi"), "m")
    for response in answers():
        wire = client_protocol(P).answer(response, asked)
        assert content(protocol(P).decode(dict(wire), target(P))) == content(response)


def test_streamed_answers() -> None:
    asked = Asked(Request.of("hi"), "m")
    for response in answers():
        writer = client_protocol(P).writer(asked)
        events = [event for chunk in unfolded(response) for event in writer.feed(chunk)]
        stream = b"".join([*events, *writer.finish()])
        assert content(folded(P, stream)) == content(response)
