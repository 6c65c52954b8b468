"""Anthropic's clients: what they ask becomes canonical, and answers come in their shape."""

from __future__ import annotations

import pytest

from llmroute.adapter.answering.anthropic_messages import AnthropicMessagesClients
from llmroute.adapter.opaque import seal
from llmroute.errors import ErrorKind, RouteFailed, TargetError, UsageError
from llmroute.types import Chunk, Response, ToolCall, ToolCallDelta, Usage
from tests.adapter.answering.parts import events, stamp
from tests.adapter.wire import encoded

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
ASK = {"model": "balanced", "max_tokens": 64, "messages": [{"role": "user", "content": "q"}]}


def asked(**more):
    return AnthropicMessagesClients(stamp()).read({**ASK, **more})


def document(**more):
    pdf = {**PNG["source"], "media_type": "application/pdf"}
    block = {"type": "document", "source": pdf, **more}
    return {"messages": [{"role": "user", "content": [block]}]}


def messages(*turns, **more):
    return [dict(m) for m in asked(messages=list(turns), **more).request.messages]


def test_the_plain_request():
    found = asked(stop_sequences=["END"], metadata={"user_id": "u1"}, stream=True)
    assert found.model == "balanced"
    request = found.request
    assert request.messages == ({"role": "user", "content": "q"},)
    assert (request.max_tokens, request.stop, request.user) == (64, ("END",), "u1")
    assert request.stream is True


def test_system_blocks_become_one_text():  # T49
    blocks = [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert messages({"role": "user", "content": "q"}, system=blocks)[0] == {
        "role": "system",
        "content": "A\n\nB",
    }


def test_cached_system_blocks_stay_apart_with_their_marks():
    cached = {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}
    system = messages({"role": "user", "content": "q"}, system=[cached])[0]
    assert system["content"] == [cached]


MARK = {"type": "ephemeral", "ttl": "1h"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def test_marks_of_caches_stay_on_calls_and_their_results():
    result = {"type": "tool_result", "tool_use_id": "t", "content": "1", "cache_control": MARK}
    inside = [{"type": "text", "text": "1", "cache_control": MARK}]
    asking = {"role": "assistant", "content": [{**USE, "cache_control": MARK}]}
    for told in (result, {"type": "tool_result", "tool_use_id": "t", "content": inside}):
        _, called, answered = messages(
            *ASK["messages"], asking, {"role": "user", "content": [told]}
        )
        assert called["tool_calls"][0]["cache_control"] == MARK
        assert answered == {"role": "tool", "tool_call_id": "t", "content": inside}
        conversation = asked(
            messages=[*ASK["messages"], asking, {"role": "user", "content": [told]}]
        )
        turns = encoded("anthropic-messages", conversation.request).body["messages"]
        assert turns[1]["content"] == asking["content"]
        plain = {"type": "text", "text": "1"}
        assert turns[2]["content"] == [{**result, "content": [plain]}]


@pytest.mark.parametrize(
    "last",
    [
        {"role": "user", "content": "q"},
        {"role": "user", "content": [PNG, {"type": "text", "text": "q"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "q"}]},
    ],
)
def test_the_mark_of_a_whole_request_stands_at_its_end(last):
    before = ({"role": "user", "content": "?"}, {"role": "assistant", "content": [USE]})
    found = messages(*before, last, cache_control=MARK)
    assert found[0] == {"role": "user", "content": "?"}
    assert found[-1]["content"][-1] == {"type": "text", "text": "q", "cache_control": MARK}


def test_a_failed_tool_says_so():  # T47
    result = {"type": "tool_result", "tool_use_id": "t", "content": "boom", "is_error": True}
    assert messages({"role": "user", "content": [result]}) == [
        {"role": "tool", "tool_call_id": "t", "content": "Error: boom"}
    ]


def test_an_image_in_a_result_follows_in_the_users_message():  # T32
    result = {"type": "tool_result", "tool_use_id": "t", "content": [PNG]}
    assert messages({"role": "user", "content": [result]}) == [
        {"role": "tool", "tool_call_id": "t", "content": "[image attached below]"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}],
        },
    ]


def test_results_come_before_what_the_user_says():  # T16
    turn = [
        {"type": "text", "text": "and now?"},
        {"type": "tool_result", "tool_use_id": "c1", "content": "1"},
    ]
    roles = [m["role"] for m in messages({"role": "user", "content": turn})]
    assert roles == ["tool", "user"]


def test_an_assistants_turn_keeps_text_calls_and_sealed_thoughts():  # T43, T46
    thought = {"type": "thinking", "thinking": "", "signature": "llmroute:0:anthropic/m:S"}
    turn = [
        thought,
        {"type": "text", "text": "x"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    assert messages({"role": "assistant", "content": turn}) == [
        {
            "role": "assistant",
            "content": "x",
            "tool_calls": [
                {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
            "thinking_blocks": [thought],
        }
    ]


@pytest.mark.parametrize(
    ("choice", "canonical", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}, None),
    ],
)
def test_the_choice_of_tools(choice, canonical, parallel):
    tool = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    request = asked(tools=[tool], tool_choice=choice).request
    assert (request.tool_choice, request.parallel_tool_calls) == (canonical, parallel)
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    assert request.tools == ({"type": "function", "function": function},)


@pytest.mark.parametrize(
    ("more", "effort"),
    [
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8192}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, "high"),
        ({"output_config": {"effort": "xhigh"}}, "xhigh"),
    ],
)
def test_thinking_becomes_an_effort(more, effort):
    assert asked(**more).request.reasoning_effort == effort


def test_the_schema_of_the_answer():
    schema = {"type": "object", "properties": {}}
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert asked(output_config=form).request.json_schema == schema


def test_labels_for_policies_come_in_an_object_of_their_own():
    request = asked(llmroute={"tags": ["hard"], "metadata": {"privacy": "private"}}).request
    assert request.tags == ("hard",)
    assert request.metadata == {"privacy": "private"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_tokens": None}, "max_tokens is missing"),
        ({"max_tokens": True}, "max_tokens is True"),
        ({"wat": 1}, "unknown fields in the request: wat"),
        ({"llmroute": {"tag": "x"}}, "known are tags, task, metadata, route"),
        ({"messages": [{"role": "user"}]}, "messages[0]: a message needs a role"),
        ({"messages": [{"role": "user", "content": [{"type": "wat"}]}]}, "type wat"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]},
            "messages[0]: a block of type server_tool_use runs at one provider alone",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "runs at one"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers cannot be routed"),
        (document(citations={"enabled": True}), "citations and context of a document"),
        (document(context="A contract."), "citations and context of a document"),
    ],
)
def test_what_cannot_be_meant_is_refused(more, said):
    with pytest.raises(UsageError, match=said.replace("[", r"\[").replace("]", r"\]")):
        asked(**more)


def test_what_nobody_obeys_is_warned_of():
    assert asked(top_k=5).warnings == ("top_k was dropped: llmroute does not pass it on",)
    shown = asked(thinking={"type": "adaptive", "display": "summarized"}).warnings
    assert shown == ("thinking.display was dropped: llmroute does not pass it on",)


def answer(**fields):
    fields = {"text": "x", "finish_reason": "stop", "usage": Usage(), "model": "m", **fields}
    return AnthropicMessagesClients(stamp()).answer(Response(**fields), asked())


def test_usage_counts_cached_tokens_apart():  # T50, the other way round
    usage = Usage(input=2048, output=120, cached=1024, cache_written=512, reasoning=64)
    assert answer(usage=usage)["usage"] == {
        "input_tokens": 512,
        "cache_read_input_tokens": 1024,
        "cache_creation_input_tokens": 512,
        "cache_creation": {"ephemeral_5m_input_tokens": 512, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 120,
        "output_tokens_details": {"thinking_tokens": 64},
    }


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
    ],
)
def test_reasons(finish, stop):  # T52
    assert answer(finish_reason=finish)["stop_reason"] == stop


def test_a_refusal_explains_itself():  # T53
    found = answer(text=None, refusal="E", finish_reason="content_filter")
    assert found["stop_details"] == {"type": "refusal", "category": None, "explanation": "E"}


def test_sealed_thoughts_return_to_their_places():
    thought = {"type": "thinking", "thinking": "hm", "signature": "S"}
    later = {"type": "thinking", "thinking": "oh", "signature": "T"}
    sealed = [seal(thought, "anthropic/m", 0), seal(later, "anthropic/m", 2)]
    content = answer(
        reasoning="hmoh", thinking_blocks=tuple(sealed), tool_calls=(ToolCall("t", "f", "{}"),)
    )["content"]
    assert [block["type"] for block in content] == ["thinking", "text", "thinking", "tool_use"]
    assert content[2] == sealed[1]


def written(*chunks, end=True):
    writer = AnthropicMessagesClients(stamp()).writer(asked())
    found = [event for chunk in chunks for event in writer.feed(chunk)]
    return events([*found, *(writer.finish() if end else ())])


def call(index, arguments, name=None):
    return Chunk(tool_call=ToolCallDelta(index, f"c{index}" if name else None, name, arguments))


def cut_in_arguments(finish, *arguments):
    calls = tuple(ToolCall(f"c{n}", "f", text) for n, text in enumerate(arguments))
    return Response(None, finish, Usage(), "m", "p/m", tool_calls=calls)


def test_a_call_that_was_cut_in_its_arguments_is_left_out():
    response = cut_in_arguments("length", '{"a": 1}', '{"a": "hel')
    answer = AnthropicMessagesClients(stamp()).answer(response, asked())
    assert answer["content"] == [{"type": "tool_use", "id": "c0", "name": "f", "input": {"a": 1}}]
    assert answer["stop_reason"] == "max_tokens"
    assert answer["llmroute"]["warnings"] == [
        "the call of f was left out: it was cut in its arguments"
    ]


@pytest.mark.parametrize("arguments", ['{"a": ', "[1]", '"x"'])
def test_arguments_that_are_no_object_are_an_error(arguments):
    response = cut_in_arguments("tool_calls", arguments)
    with pytest.raises(TargetError, match="the call of f are not a JSON object") as found:
        AnthropicMessagesClients(stamp()).answer(response, asked())
    assert (found.value.kind, found.value.target) == (ErrorKind.MALFORMED, "p/m")


@pytest.mark.parametrize("arguments", ["", "null", "{}"])
def test_no_arguments_are_an_empty_object(arguments):
    response = cut_in_arguments("tool_calls", arguments)
    answer = AnthropicMessagesClients(stamp()).answer(response, asked())
    assert answer["content"][0]["input"] == {}


def test_parallel_calls_are_written_one_after_the_other():  # T55
    found = written(
        Chunk(model="gpt", id="i"),
        call(0, "", "f"),
        call(0, '{"a":'),
        call(1, "", "g"),
        call(1, '{"b":1}'),
        call(0, "1}"),
        Chunk(finish_reason="tool_calls"),
        Chunk(usage=Usage(input=10, output=5)),
    )
    assert [name for name, _ in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    deltas = [
        (d["index"], d["delta"]["partial_json"])
        for n, d in found
        if n and "_delta" in n and "index" in d
    ]
    assert deltas == [(0, '{"a":'), (0, "1}"), (1, '{"b":1}')]
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert found[-2][1]["usage"]["input_tokens"] == 10
    assert found[0][1]["message"]["model"] == "gpt"


def test_text_behind_a_call_waits_for_its_end():
    found = written(call(0, "{", "f"), Chunk(text="so"), call(0, "}"), Chunk(finish_reason="stop"))
    kinds = [d["content_block"]["type"] for n, d in found if n == "content_block_start"]
    assert kinds == ["tool_use", "text"]
    pieces = [d["delta"].get("partial_json") for n, d in found if n == "content_block_delta"]
    assert pieces == ["{", "}", None]


def test_a_thought_is_signed_at_its_end():
    sealed = seal({"type": "thinking", "thinking": "hm", "signature": "S"}, "a/m", 0)
    found = written(Chunk(reasoning="hm"), Chunk(thinking_block=sealed), Chunk(text="x"))
    deltas = [d["delta"]["type"] for n, d in found if n == "content_block_delta"]
    assert deltas == ["thinking_delta", "signature_delta", "text_delta"]


def test_an_answer_that_broke_has_no_end():  # T56
    failed = RouteFailed("gone", last=TargetError(ErrorKind.OVERLOADED, "busy", native={"a": 1}))
    writer = AnthropicMessagesClients(stamp()).writer(asked())
    writer.feed(Chunk(text="x"))
    ((name, data),) = events(writer.fail(failed))
    assert name == "error"
    assert data["error"]["type"] == "overloaded_error"
    assert data["native"] == {"a": 1}


def test_errors_before_the_answer():
    limited = TargetError(ErrorKind.RATE_LIMIT, "slow down", retry_after=1.2)
    found = AnthropicMessagesClients(stamp()).failure(RouteFailed("all failed", last=limited))
    assert (found.status, dict(found.headers)) == (429, {"retry-after": "2"})
    assert found.body["error"]["type"] == "rate_limit_error"
