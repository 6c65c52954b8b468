from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.adapter.classify import classify
from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Usage
from tests.adapter.wire import WEATHER, at, decoded, encoded, endpoint, failure, folded, target

P = "claude-code"


def stdin(prompt: Any, **fields: Any) -> Any:
    return json.loads(encoded(P, prompt, **fields).stdin)["message"]["content"]


def test_one_message_goes_alone_and_the_system_prompt_apart() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Really."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, image]},
    ]
    made = encoded(P, prompt)
    assert made.values == {"model": "upstream-m", "system": "Be brief.\n\nReally."}
    assert json.loads(made.stdin) == {
        "type": "user",
        "message": {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"},
                },
            ],
        },
    }
    assert made.stdin.endswith(b"\n")


def test_a_conversation_goes_as_one_transcript() -> None:
    prompt = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    said = "".join(block["text"] for block in stdin(prompt))
    assert "<user>a</user><assistant>b</assistant><user>c</user>" in said


def test_values_of_the_command() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    made = encoded(P, response_format=form, reasoning_effort="none", max_tokens=5, seed=1)
    assert made.values["json_schema"] == '{"type":"object"}'
    assert made.values["effort"] == "low"
    assert [warning.split(" ")[0] for warning in made.warnings] == [
        "reasoning_effort",
        "max_tokens",
        "seed",
    ]
    aim = at(target(P), command=("x", ("--max", "{max_tokens}")))
    assert encoded(aim, max_tokens=5).values["max_tokens"] == "5"


def test_what_the_cli_cannot_take() -> None:
    link = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    called = {"role": "assistant", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    for refused in (
        {"prompt": "hi", "tools": (WEATHER,)},
        {"prompt": [{"role": "user", "content": [link]}]},
        {"prompt": [{"role": "user", "content": "q"}, called, result]},
        {"prompt": "hi", "response_format": {"type": "json_object"}},
    ):
        error = failure(lambda r=refused: encoded(P, **r))  # type: ignore[misc]
        assert error.kind is ErrorKind.CAPABILITY


def lines(*data: Any) -> str:
    return "".join(json.dumps(line) + "\n" for line in data)


def partial(**event: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": None}


def text(said: str) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": said}
    return partial(type="content_block_delta", index=0, delta=delta)


START = partial(type="message_start", message={"id": "m1", "model": "claude-x", "usage": {}})
USAGE = {
    "input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 300,
    "output_tokens": 50,
}


def result(**data: Any) -> dict[str, Any]:
    usual = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "Hello.",
        "stop_reason": "end_turn",
        "terminal_reason": "completed",
        "usage": USAGE,
    }
    return {**usual, **data}


def init(*tools: str) -> dict[str, Any]:
    return {"type": "system", "subtype": "init", "tools": list(tools)}


def test_a_run() -> None:
    stream = lines(
        init(),
        START,
        text("Hel"),
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "Hello."}]}},
        {"type": "rate_limit_event"},
        text("lo."),
        partial(type="message_stop"),
        result(),
    )
    assert decoded(P, stream) == [
        Chunk(model="claude-x", id="m1"),
        Chunk(text="Hel"),
        Chunk(text="lo."),
        Chunk(usage=Usage(1500, 50, 300, 200)),
        Chunk(finish_reason="stop"),
    ]


def test_without_partial_lines_the_result_is_the_text() -> None:
    assert folded(P, lines(init(), result())).text == "Hello."


def test_structured_output_is_the_text_and_nothing_else_is() -> None:
    stream = lines(
        init("StructuredOutput"),
        START,
        text("Let me see."),
        result(stop_reason="tool_use", structured_output={"name": "Ada"}),
    )
    response = folded(P, stream)
    assert (response.text, response.finish_reason) == ('{"name":"Ada"}', "stop")
    with pytest.raises(TargetError, match="structured output"):
        decoded(P, lines(init("StructuredOutput"), START, result()))


def test_a_refusal_is_no_error() -> None:
    said = result(is_error=True, stop_reason="refusal", result="No.", terminal_reason="api_error")
    response = folded(P, lines(init(), said))
    assert (response.refusal, response.finish_reason) == ("No.", "content_filter")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"api_error_status": 401, "api_error_type": "authentication_error"}, ErrorKind.AUTH),
        ({"api_error_status": 429, "api_error_type": "rate_limit_error"}, ErrorKind.RATE_LIMIT),
        ({"api_error_status": 529, "api_error_type": "overloaded_error"}, ErrorKind.OVERLOADED),
        ({"api_error_status": 500, "api_error_type": "api_error"}, ErrorKind.TRANSIENT),
        (
            {"api_error_status": 404, "result": "issue with the selected model"},
            ErrorKind.MODEL_MISSING,
        ),
        ({"api_error_status": 400, "result": "Credit balance is too low"}, ErrorKind.QUOTA),
        ({"api_error_status": 400, "terminal_reason": "prompt_too_long"}, ErrorKind.CONTEXT),
        ({"api_error": "connection_failed", "result": "ECONNREFUSED"}, ErrorKind.UNAVAILABLE),
        ({"result": "Not logged in · Please run /login"}, ErrorKind.AUTH),
        ({"result": None, "subtype": "error_max_turns"}, ErrorKind.TRANSIENT),
    ],
)
def test_failures(data: dict[str, Any], kind: ErrorKind) -> None:
    failed = result(**{"is_error": True, "terminal_reason": "api_error", "result": "x", **data})
    with pytest.raises(ProviderError) as caught:
        decoded(P, lines(init(), failed))
    error = classify(caught.value.body, endpoint=endpoint(), model="m", status=caught.value.status)
    assert error.kind is kind


def test_subagents_and_their_text_do_not_count() -> None:
    other = {**text("elsewhere"), "parent_tool_use_id": "t1"}
    assert folded(P, lines(init(), START, other, text("here"), result())).text == "here"


@pytest.mark.parametrize("line", ["Welcome!", "[1]", "{"])
def test_garbage_is_malformed(line: str) -> None:
    assert failure(lambda: decoded(P, line + "\n")).kind is ErrorKind.MALFORMED


def test_it_never_answers_whole() -> None:
    with pytest.raises(TargetError, match="streams"):
        protocol(P).decode({}, target(P))
