"""Cases of translating requests, one test each; the numbers are the cases' own.

The cases stand here by hand. Where `translate/cases.json` lies beside the checkout, none of its
cases may be untested. What a case means is in its docstring where its name does not say it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from llmroute.adapter.answering import client_protocol
from llmroute.catalog.model import Capabilities, Target, WireRules
from llmroute.errors import UsageError
from llmroute.types import Request
from tests.adapter import test_translate_answers
from tests.adapter.translating import (
    ANTHROPIC,
    CASES,
    CHAT,
    OLLAMA,
    RESPONSES,
    F,
    K,
    call,
    plain,
    read,
    refusing,
    result,
    sent,
    texts,
    turns,
    user,
)
from tests.adapter.wire import at, encoded, target


def test_t01_leading_system_lifted() -> None:
    body = sent(target(ANTHROPIC, max_output=64000), {"role": "system", "content": "S"}, user("hi"))
    assert body["system"] == texts("S")
    assert body["messages"] == [user(texts("hi"))]
    assert body["max_tokens"] == 64000


def test_t02_system_and_developer_in_order() -> None:
    leading = [{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}]
    assert sent(ANTHROPIC, *leading, user("hi"))["system"] == texts("A", "B")


def test_t04_late_system_is_never_lifted() -> None:
    late = {"role": "system", "content": "S2"}
    said = [user("a"), {"role": "assistant", "content": "b"}, late, user("c")]
    assert not sent(ANTHROPIC, *said).get("system")
    assert turns(*said) == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", texts("<system>S2</system>", "c")),
    ]


def test_t05_only_system() -> None:
    assert refusing({"role": "system", "content": "S"}) is K.INVALID_REQUEST


def test_t07_neighbouring_answers_are_one() -> None:
    a, b = ({"role": "assistant", "content": text} for text in "ab")
    assert turns(user("q"), a, b, user("go")) == [
        ("user", "q"),
        ("assistant", texts("a", "b")),
        ("user", "go"),
    ]


def test_t08_an_answer_at_the_beginning_is_sent_as_it_is() -> None:
    first = {"role": "assistant", "content": "hello"}
    assert turns(first, user("x")) == [("assistant", "hello"), ("user", "x")]


def test_t10_prefill_ends_without_white_space() -> None:
    begun = {"role": "assistant", "content": "The answer is "}
    assert turns(user("q"), begun) == [("user", "q"), ("assistant", "The answer is")]


def test_t11_empty_question() -> None:
    assert refusing(user("")) is K.INVALID_REQUEST


def test_t13_empty_part() -> None:
    assert sent(ANTHROPIC, user(texts("", "x")))["messages"] == [user(texts("x"))]


def test_t14_empty_result_has_no_content() -> None:
    made = sent(ANTHROPIC, user("q"), call(), result(""))["messages"][-1]
    assert made == user([{"type": "tool_result", "tool_use_id": "c1"}])


@pytest.mark.parametrize("number", ["t16", "t17"])
def test_t16_t17_results_come_first_in_their_turn(number: str) -> None:
    behind = (result(), user("wait")) if number == "t16" else (user("wait"), result())
    made = sent(ANTHROPIC, user("q"), call(), *behind)["messages"][-1]
    found, said = made["content"]
    assert (found["type"], found["tool_use_id"], plain(found["content"])) == (
        "tool_result",
        "c1",
        "1",
    )
    assert said == {"type": "text", "text": "wait"}


def test_t19_orphan_result() -> None:
    assert refusing(user("q"), result(call_id="zz")) is K.INVALID_REQUEST


def test_t20_ids_are_rewritten_alike_and_led_back() -> None:
    request = Request.of([user("q"), call("call:1|x"), result(call_id="call:1|x")])
    made = encoded(ANTHROPIC, request)
    _, asking, answering = made.body["messages"]
    assert asking["content"][0]["id"] == answering["content"][0]["tool_use_id"] == "call_1_x"
    assert made.tool_ids == {"call_1_x": "call:1|x"}


@pytest.mark.parametrize(
    ("arguments", "given"), [('{"a": 1}', {"a": 1}), ("", {})], ids=["t22", "t23"]
)
@pytest.mark.parametrize("where", [ANTHROPIC, OLLAMA])
def test_t22_t23_arguments_become_an_object(where: str, arguments: str, given: Any) -> None:
    made = sent(where, user("q"), call(arguments=arguments), result())["messages"][1]
    if where == ANTHROPIC:
        assert made["content"][0]["input"] == given
    else:
        assert made["tool_calls"][0]["function"]["arguments"] == given


def test_t25_tool_without_parameters() -> None:
    made = sent(ANTHROPIC, tools=[{"type": "function", "function": {"name": "now"}}])
    assert made["tools"] == [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]


def test_t26_old_references_and_choices_in_a_schema() -> None:
    schema = {
        "definitions": {"X": {"type": "string"}},
        "anyOf": [{"type": "object", "properties": {"a": {"$ref": "#/definitions/X"}}}],
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    for where, key in ((ANTHROPIC, "input_schema"), (RESPONSES, "parameters")):
        made = sent(where, tools=[tool])["tools"][0][key]
        assert made == {"type": "object", "properties": {"a": {"type": "string"}}}


def test_t28_a_forced_call_where_it_is_not_obeyed() -> None:
    aim = target(ANTHROPIC, capabilities=Capabilities(tools=True))
    assert refusing(where=aim, tools=[F], tool_choice="required") is K.CAPABILITY


def test_t29_parallel_calls_off() -> None:
    alone = {"type": "auto", "disable_parallel_tool_use": True}
    assert sent(ANTHROPIC, tools=[F], parallel_tool_calls=False)["tool_choice"] == alone
    assert "tool_choice" not in sent(ANTHROPIC, parallel_tool_calls=False)
    never = sent(ANTHROPIC, tools=[F], tool_choice="none", parallel_tool_calls=False)
    assert never["tool_choice"] == {"type": "none"}


def test_t31_image_by_address() -> None:
    """Where addresses are not fetched it is a capability that lacks."""
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    made = sent(ANTHROPIC, user([image]))["messages"][0]["content"]
    assert made == [{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]
    assert refusing(user([image]), where=OLLAMA) is K.CAPABILITY


def test_t32_image_in_a_result() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    shown = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "image", "source": source}],
    }
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    made = read(user("q"), {"role": "assistant", "content": [use]}, user([shown]))
    url = {"url": "data:image/png;base64,QUJD"}
    assert made[2:] == [
        result("[image attached below]", "t"),
        user([{"type": "image_url", "image_url": url}]),
    ]


def test_t34_stop_that_the_model_rejects() -> None:
    aim = target(CHAT, wire=WireRules(reject=("stop",)))
    made = encoded(aim, stop="END")
    assert "stop" not in made.body
    assert any(warning.startswith("stop was dropped") for warning in made.warnings)


def test_t35_output_cap() -> None:
    """The smaller of the model's limit and what is asked for; where neither is known, a default."""
    assert sent(ANTHROPIC, max_completion_tokens=100)["max_tokens"] == 100
    assert sent(ANTHROPIC, max_tokens=100)["max_tokens"] == 100
    assert sent(target(ANTHROPIC, max_output=500))["max_tokens"] == 500
    assert sent(ANTHROPIC)["max_tokens"] == 4096


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def thinking(aim: Target, effort: str) -> tuple[Any, Any]:
    body = sent(aim, max_completion_tokens=8000, reasoning_effort=effort)
    return (body.get("output_config") or {}).get("effort"), (body.get("thinking") or {}).get("type")


def test_t37_effort_of_models_that_adapt() -> None:
    low = target(ANTHROPIC, wire=WireRules(efforts=("low", "medium", "high", "xhigh", "max")))
    made = [thinking(low, effort)[0] for effort in EFFORTS]
    assert made == ["low", "low", "low", "medium", "high", "xhigh", "max"]
    off = target(ANTHROPIC, wire=WireRules(efforts=EFFORTS))
    assert thinking(off, "none") == (None, "disabled")


def test_t37_effort_of_models_that_do_not() -> None:
    """Older ones think by a budget: at least 1024 tokens, and fewer than the answer may have."""
    old = target(ANTHROPIC, wire=WireRules(thinking=("enabled", "disabled"), efforts=()))
    for effort in EFFORTS[1:]:
        made = sent(old, max_completion_tokens=8000, reasoning_effort=effort)
        assert made["thinking"]["type"] == "enabled"
        assert 1024 <= made["thinking"]["budget_tokens"] < 8000
    between = target(ANTHROPIC, wire=WireRules(thinking=("adaptive", "between_tools")))
    assert thinking(between, "none") == (None, "between_tools")


def test_t38_answers_by_a_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    limited = {"type": "integer", "description": "{minimum: 1}"}
    assert sent(ANTHROPIC, response_format=form)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {**schema, "properties": {"n": limited}, "additionalProperties": False},
    }


def test_t40_who_asks_is_not_told() -> None:
    body = sent(ANTHROPIC, user("q"), user="bob@example.org", metadata={"a": "b"})
    hashed = hashlib.sha256(b"bob@example.org").hexdigest()
    assert body["metadata"] == {"user_id": hashed}


def test_t41_what_has_no_counterpart() -> None:
    with pytest.raises(UsageError, match="n is not 1"):
        sent(ANTHROPIC, n=2)
    with pytest.raises(UsageError, match="logprobs"):
        sent(ANTHROPIC, logprobs=True)
    body = {"model": "m", "messages": [user("q")], "seed": 1, "presence_penalty": 1}
    asked = client_protocol(CHAT).read({**body, "logit_bias": {"1": 2}})
    assert [warning.split()[0] for warning in asked.warnings] == ["presence_penalty", "logit_bias"]
    made = encoded(ANTHROPIC, asked.request)
    assert [warning.split()[0] for warning in made.warnings] == ["seed"]
    assert made.body.keys() == {"model", "max_tokens", "messages", "stream"}


def test_t58_options_are_nested() -> None:
    fields = {"max_completion_tokens": 64, "temperature": 0.1, "stop": "X", "seed": 3}
    body = sent(OLLAMA, **fields)
    assert body["options"] == {"num_predict": 64, "temperature": 0.1, "stop": ["X"], "seed": 3}
    assert body["stream"] is False


def test_t59_parts_are_flattened() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    body = sent(OLLAMA, user([*texts("a"), image]))
    assert body["messages"] == [{"role": "user", "content": "a", "images": ["QUJD"]}]


def test_t61_the_choice_of_tools() -> None:
    assert not sent(OLLAMA, tools=[F], tool_choice="none").get("tools")
    for forced in ("required", F):
        assert refusing(where=OLLAMA, tools=[F], tool_choice=forced) is K.CAPABILITY


def test_t62_the_cap_has_the_name_that_the_server_reads() -> None:
    """Compatible servers read `max_tokens`; OpenAI's newer models rename it in their data."""
    assert sent(CHAT, max_completion_tokens=64)["max_tokens"] == 64
    newer = target(CHAT, wire=WireRules(rename={"max_tokens": "max_completion_tokens"}))
    body = sent(newer, max_tokens=64)
    assert (body["max_completion_tokens"], "max_tokens" in body) == (64, False)


def test_t70_tools_with_reasoning_need_another_endpoint() -> None:
    aim = target(at(target(CHAT)).provider.endpoint, protocol=RESPONSES)
    assert encoded(aim, tools=(F,)).path == "/responses"
    assert encoded(target(CHAT), tools=(F,)).path == "/chat/completions"


def test_t71_messages_become_items() -> None:
    body = sent(RESPONSES, {"role": "system", "content": "S"}, user("q"), call(), result())
    assert body["instructions"] == "S"
    assert body["input"] == [
        user("q"),
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
    ]


@pytest.mark.skipif(not CASES.exists(), reason="the cases do not lie beside the checkout")
def test_no_case_is_untested() -> None:
    tests = [*globals(), *vars(test_translate_answers)]
    here = {part for name in tests for part in name.split("_")[1:3]}
    ids = {case["id"].lower() for case in json.loads(CASES.read_text())}
    assert ids - here == set()
