"""What whole answers of OpenAI's Responses become."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter.classify import classify
from llmroute.adapter.opaque import unseal
from llmroute.adapter.protocols import ProviderError, protocol
from llmroute.errors import ErrorKind
from llmroute.types import Usage
from tests.adapter.responses_wire import (
    CALL,
    CALLED,
    THOUGHT,
    P,
    answer,
    decode,
    event,
    incomplete,
    message,
)
from tests.adapter.wire import SHARED, decoded, encoded, endpoint, failure, folded, target

EXAMPLES = SHARED / "wire" / "examples" / "openai_responses"
needs_examples = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")


def test_a_whole_answer() -> None:
    response = decode(answer(message(), service_tier="flex"))
    assert (response.text, response.finish_reason) == ("Hello.", "stop")
    assert (response.model, response.id) == ("served", "resp_1")
    assert response.usage == Usage(2048, 120, 1024, 512, 128, 64, "flex")


def test_calls_and_reasoning() -> None:
    response = decode(answer(THOUGHT, message("Let me look."), CALL))
    assert response.tool_calls == (CALLED,)
    assert response.reasoning == "One.\n\nTwo."
    (block,) = response.thinking_blocks
    own = unseal(block)
    assert own is not None
    assert (own.target, own.place, own.block) == ("p/m", 0, THOUGHT)
    bare = decode(answer({**CALL, "arguments": ""}))
    assert bare.tool_calls[0].arguments == "{}"


@pytest.mark.parametrize(
    ("data", "finish"),
    [
        (answer(message()), "stop"),
        (answer(CALL), "tool_calls"),
        (incomplete("max_output_tokens", message("Hel")), "length"),
        (incomplete("max_output_tokens", CALL), "length"),
        (incomplete("content_filter", message("Hel")), "content_filter"),
        (answer(message("No.", "refusal")), "content_filter"),
    ],
)
def test_t73_why_an_answer_ended(data: Any, finish: str) -> None:
    assert decode(data).finish_reason == finish


def test_a_refusal() -> None:
    response = decode(answer(message("I can't.", "refusal")))
    assert (response.text, response.refusal) == (None, "I can't.")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "m"}, ErrorKind.TRANSIENT),
        ({"code": "rate_limit_exceeded", "message": "m"}, ErrorKind.RATE_LIMIT),
        ({"code": "invalid_prompt", "message": "m"}, ErrorKind.POLICY),
        ({"code": "bio_policy", "message": "m"}, ErrorKind.POLICY),
        ({"code": "data_residency_mismatch", "message": "m"}, ErrorKind.AUTH),
        ({"code": "image_file_too_large", "message": "m"}, ErrorKind.TOO_LARGE),
        ({"code": "invalid_base64_image", "message": "m"}, ErrorKind.INVALID_REQUEST),
        (None, ErrorKind.TRANSIENT),
    ],
)
def test_t73_a_failed_answer_is_an_error(error: Any, kind: ErrorKind) -> None:
    failed = answer(status="failed", error=error)
    stream = event("response.failed", response=failed)
    for read in (lambda: decode(failed), lambda: decoded(P, stream)):
        with pytest.raises(ProviderError) as caught:
            read()
        found = classify(caught.value.body, endpoint=endpoint(), model="m")
        assert found.kind is kind


@pytest.mark.parametrize("data", [answer(status="cancelled"), incomplete("steered", message())])
def test_a_cancelled_or_steered_answer_is_an_error(data: Any) -> None:
    with pytest.raises(ProviderError):
        decode(data)


def test_reasoning_that_lost_its_key_can_be_dropped() -> None:
    error = {"message": "The encrypted content gAAA... could not be verified."}
    body = {
        "error": {**error, "type": "invalid_request_error", "code": "invalid_encrypted_content"}
    }
    found = classify(body, endpoint=endpoint(), model="m", status=400)
    assert found.kind is ErrorKind.CAPABILITY


@pytest.mark.parametrize(
    "data",
    [
        [],
        "x",
        {},
        {"status": "completed"},
        answer("x"),
        answer(message(), status=None),
        answer(message(), status="queued"),
        incomplete("surprise", message()),
        answer({**CALL, "name": None}),
        answer({**CALL, "arguments": {}}),
        answer({**message(), "content": [{"type": "output_text", "text": 5}]}),
    ],
)
def test_other_shapes_are_malformed(data: Any) -> None:
    assert failure(lambda: decode(data)).kind is ErrorKind.MALFORMED


def test_what_an_answer_cannot_say_is_named() -> None:
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    response = decode(answer(search, message()))
    assert response.text == "Hello."
    assert response.warnings == ("an item of type web_search_call was left out of the answer",)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -1, "output_tokens": 3}])
def test_missing_or_impossible_usage_is_flagged(usage: Any) -> None:
    assert decode(answer(message(), usage=usage)).usage.estimated


# The examples beside the checkout.


def load(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text())


@needs_examples
def test_examples_of_answers() -> None:
    called = decode(load("response_function_call.json"))
    assert (called.tool_calls, called.finish_reason) == ((CALLED,), "tool_calls")
    assert called.usage == Usage(200, 90, 0, 0, 0, 64, "default")
    assert decode(load("response_incomplete.json")).finish_reason == "length"
    text = folded(P, (EXAMPLES / "stream_text.sse").read_bytes())
    assert (text.text, text.finish_reason) == ("Hello.", "stop")
    streamed_call = folded(P, (EXAMPLES / "stream_function_call.sse").read_bytes())
    assert (streamed_call.tool_calls, streamed_call.usage) == ((CALLED,), called.usage)
    with pytest.raises(ProviderError) as caught:
        decoded(P, (EXAMPLES / "stream_error_context.sse").read_bytes())
    found = classify(caught.value.body, endpoint=endpoint(), model="m", status=200)
    assert found.kind is ErrorKind.CONTEXT


@needs_examples
def test_examples_of_requests() -> None:
    wanted = load("request_tools_reasoning.json")
    (flat,) = wanted["tools"]
    tool = {"type": "function", "function": {k: v for k, v in flat.items() if k != "type"}}
    question = [{"type": "text", "text": "Weather in Graz?"}]
    made = encoded(
        _named("gpt-6.2-sol"),
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}],
        tools=(tool,),
        tool_choice="auto",
        parallel_tool_calls=True,
        reasoning_effort="medium",
        max_tokens=2048,
    )
    assert made.body == wanted


@needs_examples
def test_an_example_of_a_followup() -> None:
    wanted = load("request_followup_stateless.json")
    aim = _named("gpt-6.2-sol")
    first = protocol(P).decode(load("response_function_call.json"), aim)
    asked = {"role": "user", "content": "Weather in Graz?"}
    done = {"role": "tool", "tool_call_id": "call_a1", "content": "12 C"}
    (flat,) = wanted["tools"]
    tool = {"type": "function", "function": {k: v for k, v in flat.items() if k != "type"}}
    made = encoded(aim, [asked, first.message, done], tools=(tool,), reasoning_effort="medium")
    # The ids and states of calls are the provider's own; a client may leave them out.
    for item in wanted["input"]:
        if item.get("type") == "function_call":
            del item["id"], item["status"]
    assert made.body == {**wanted, "stream": False}


def _named(upstream: str) -> Any:
    return replace(target(P), upstream=upstream)
