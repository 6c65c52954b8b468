"""The official SDKs, streamed and not, accept what `llmroute.adapter.answering` writes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai
import pytest

from llmroute.adapter.answer import collect
from llmroute.adapter.answering import client_protocol
from llmroute.adapter.opaque import seal
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, ToolCallDelta, Usage
from tests.adapter.wire import target

PATHS = {
    "/v1/chat/completions": "openai-chat",
    "/v1/responses": "openai-responses",
    "/v1/messages": "anthropic-messages",
}
USAGE = Usage(input=30, output=12, cached=10, reasoning=4)
SIGNED = seal({"type": "thinking", "thinking": "hm", "signature": "S"}, "anthropic/m", 0)
TEXT = (
    Chunk(model="m-1", id="answer-1"),
    Chunk(reasoning="hm"),
    Chunk(text="Hello "),
    Chunk(text="Graz."),
    Chunk(usage=USAGE),
    Chunk(finish_reason="stop"),
)
THOUGHT = (TEXT[0], TEXT[1], Chunk(thinking_block=SIGNED), *TEXT[2:])
CALLS = (
    Chunk(model="m-1", id="answer-2"),
    Chunk(tool_call=ToolCallDelta(0, "call_1", "get_weather")),
    Chunk(tool_call=ToolCallDelta(0, arguments='{"city":')),
    Chunk(tool_call=ToolCallDelta(1, "call_2", "now")),
    Chunk(tool_call=ToolCallDelta(0, arguments='"Graz"}')),
    Chunk(tool_call=ToolCallDelta(1, arguments="{}")),
    Chunk(usage=USAGE),
    Chunk(finish_reason="tool_calls"),
)
ANSWERS = {"text": TEXT, "thought": THOUGHT, "calls": CALLS}


class Answering(BaseHTTPRequestHandler):
    """Answers with the chunks that the request's model names."""

    def log_message(self, *args):
        """Stay silent."""

    def do_POST(self):
        dialect = client_protocol(PATHS[self.path])
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = dialect.read(body)
        if asked.model == "busy":
            failed = dialect.failure(TargetError(ErrorKind.RATE_LIMIT, "slow", retry_after=7))
            self.give(failed.status, json.dumps(failed.body).encode(), dict(failed.headers))
            return
        chunks = ANSWERS[asked.model]
        if not asked.request.stream:
            answer = dialect.answer(collect(chunks, target()), asked)
            self.give(200, json.dumps(answer).encode())
            return
        writer = dialect.writer(asked)
        written = [event for chunk in chunks for event in writer.feed(chunk)]
        written += writer.finish()
        self.give(200, b"".join(written), {"content-type": "text/event-stream"})

    def give(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def openai_client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as made:
        yield made


@pytest.fixture
def anthropic_client(url):
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as made:
        yield made


ASK = [{"role": "user", "content": "hi"}]


def test_chat(openai_client):
    answer = openai_client.chat.completions.create(model="text", messages=ASK)
    assert answer.choices[0].message.content == "Hello Graz."
    assert answer.usage.prompt_tokens_details.cached_tokens == 10


def test_chat_stream(openai_client):
    with openai_client.chat.completions.stream(
        model="calls", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert [(c.id, c.function.name, c.function.arguments) for c in calls] == [
        ("call_1", "get_weather", '{"city":"Graz"}'),
        ("call_2", "now", "{}"),
    ]
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.usage.total_tokens == 42


def test_responses(openai_client):
    answer = openai_client.responses.create(model="text", input="hi")
    assert answer.output_text == "Hello Graz."
    assert answer.status == "completed"


def test_responses_stream(openai_client):
    with openai_client.responses.stream(model="text", input="hi") as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == final.output_text == "Hello Graz."
    assert final.usage.output_tokens_details.reasoning_tokens == 4


def test_responses_stream_of_calls(openai_client):
    with openai_client.responses.stream(model="calls", input="hi") as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert [(i.call_id, i.name, i.arguments) for i in final.output] == [
        ("call_1", "get_weather", '{"city":"Graz"}'),
        ("call_2", "now", "{}"),
    ]


def test_messages(anthropic_client):
    answer = anthropic_client.messages.create(model="thought", max_tokens=9, messages=ASK)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[1].text == "Hello Graz."
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (20, 10)


def test_messages_stream(anthropic_client):
    with anthropic_client.messages.stream(model="thought", max_tokens=9, messages=ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Hello Graz."
    assert final.content[0].thinking == "hm"
    assert final.content[0].signature == SIGNED["signature"]
    assert final.stop_reason == "end_turn"


def test_messages_stream_of_calls(anthropic_client):
    with anthropic_client.messages.stream(model="calls", max_tokens=9, messages=ASK) as stream:
        final = stream.get_final_message()
    assert [(b.id, b.name, b.input) for b in final.content] == [
        ("call_1", "get_weather", {"city": "Graz"}),
        ("call_2", "now", {}),
    ]
    assert final.stop_reason == "tool_use"
    assert final.usage.output_tokens == 12


def test_errors_are_the_sdks_own(openai_client, anthropic_client):
    with pytest.raises(openai.RateLimitError) as first:
        openai_client.chat.completions.create(model="busy", messages=ASK)
    assert first.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.RateLimitError):
        anthropic_client.messages.create(model="busy", max_tokens=9, messages=ASK)
