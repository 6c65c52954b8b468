"""The language of declared protocols: what each directive makes, and what each reader finds."""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.adapter.declared.expressions import compiled
from llmroute.adapter.declared.protocol import compile_protocol, usable_protocol
from llmroute.adapter.declared.scopes import ANY
from llmroute.adapter.declared.templates import Maker
from llmroute.adapter.framing import StreamEvent
from llmroute.errors import TargetError, UsageError
from llmroute.types import Request
from tests.adapter.declared.foreign import WEATHER, target_of

BASE: dict[str, Any] = {
    "protocol": "x",
    "framing": "sse",
    "request": {"path": "/x", "body": {"text": "=prompt"}},
    "response": {"text": "text", "finish": "'stop'"},
    "stream": [{"text": "data.text", "finish": "'stop'", "done": "data.end"}],
    "finish": {"stop": "stop", "no": "quota"},
}


def made(template: Any, scope: Any) -> Any:
    maker = Maker()
    result = maker.template(template, (), ANY)(scope)
    assert maker.faults == []
    return result


@pytest.mark.parametrize(
    ("template", "scope", "expected"),
    [
        ("plain", {}, "plain"),
        ("=a", {"a": 1}, 1),
        ("='=a'", {}, "=a"),
        ({"k": "=a", "n": "=b"}, {"a": 0}, {"k": 0}),
        ({"k": {"l": ["=a"]}}, {}, None),
        ({"k": {}, "l": []}, {}, {"k": {}, "l": []}),
        ({"k": False}, {}, {"k": False}),
        ({"k": "=a"}, {"a": ""}, {"k": ""}),
        (["=a", "=b"], {"b": 2}, [2]),
        ({"each": "l", "item": "=n"}, {"l": [{"n": 1}, {"n": 2}]}, [1, 2]),
        ({"each": "l", "item": "=n"}, {"l": []}, None),
        ({"each": "l", "item": "=n", "join": ", "}, {"l": [{"n": "a"}, {"n": "b"}]}, "a, b"),
        (
            {"each": "l", "of": {"a": "=n", "b": "B"}},
            {"l": [{"type": "a", "n": 1}, {"type": "b"}]},
            [1, "B"],
        ),
        ({"case": "k", "of": {"a": 1}}, {"k": "a"}, 1),
        ({"case": "k", "of": {"a": 1}}, {}, None),
        ({"when": "a", "then": 1, "else": 2}, {"a": 0}, 1),
        ({"when": "a", "then": 1, "else": 2}, {"a": ""}, 2),
        ({"when": "a", "then": 1}, {}, None),
        ({"concat": ["a", "=b", "=c"]}, {"b": "B"}, "aB"),
    ],
)
def test_a_template(template: Any, scope: Any, expected: Any) -> None:
    assert made(template, scope) == expected


@pytest.mark.parametrize(
    "template",
    [
        {"each": "l", "of": {"a": 1}},
        {"case": "k", "of": {"a": 1}},
        {"refuse": "no"},
    ],
)
def test_what_has_no_template_is_refused(template: Any) -> None:
    with pytest.raises(TargetError) as found:
        made(template, {"l": [{"type": "b"}], "k": "b"})
    assert found.value.kind == "capability"


@pytest.mark.parametrize(
    ("text", "scope", "expected"),
    [
        ("after('models/a/b', '/')", {}, "b"),
        ("after('b', '/')", {}, "b"),
        ("after(a, '/')", {}, None),
        ("from_json(a).b", {"a": '{"b": 1}'}, 1),
        ("from_json(a)", {"a": "{"}, None),
        ("to_json(a)", {"a": {"b": "ä"}}, '{"b":"ä"}'),
        ("map(&after(@, '/'), a)", {"a": ["x/1", "x/2"]}, ["1", "2"]),
    ],
)
def test_a_function(text: str, scope: Any, expected: Any) -> None:
    assert compiled(text).evaluate(scope) == expected


def _changed(section: str, **data: Any) -> dict[str, Any]:
    return {**BASE, section: {**BASE[section], **data}}


def test_what_nothing_reads_is_refused_or_dropped_with_a_word() -> None:
    target = target_of(BASE)
    sent = Adapter().encode(target, Request.of("hi", seed=1, user="u"), stream=False)
    assert sent.body == {"text": "hi"}
    assert sorted(sent.warnings) == [
        "seed was dropped: the protocol has no such parameter",
        "user was dropped: the protocol has no such parameter",
    ]
    form = {"type": "json_object"}
    for fields in ({"tools": [WEATHER]}, {"response_format": form}):
        with pytest.raises(TargetError) as found:
            Adapter().encode(target, Request.of("hi", **fields), stream=False)
        assert found.value.kind == "capability"


def test_a_parameter_may_be_refused() -> None:
    data = {**BASE, "parameters": {"temperature": "t.temp", "refuse": ["seed"]}}
    sent = Adapter().encode(target_of(data), Request.of("hi", temperature=0.5), stream=False)
    assert sent.body == {"text": "hi", "t": {"temp": 0.5}}
    with pytest.raises(TargetError, match="seed cannot be sent here"):
        Adapter().encode(target_of(data), Request.of("hi", seed=1), stream=False)


def test_a_system_text_that_nothing_reads_is_refused() -> None:
    data = _changed("request", body={"turns": {"each": "turns", "item": {"role": "=role"}}})
    talk = [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]
    with pytest.raises(TargetError, match="a system text cannot be sent here"):
        Adapter().encode(target_of(data), Request.of(talk), stream=False)


def test_an_answer_s_word_may_mean_an_error() -> None:
    data = _changed("response", finish="why")
    with pytest.raises(TargetError) as found:
        usable_protocol(data).decode({"text": "hi", "why": "no"}, target_of(data))
    assert (found.value.kind, found.value.code) == ("quota", "no")


def test_an_event_that_is_no_json_needs_a_rule_of_its_own() -> None:
    decoder = usable_protocol(BASE).decoder()
    with pytest.raises(TargetError, match="a stream event is not JSON"):
        decoder.feed(StreamEvent("", "[DONE]"))
    ended = {"when": "raw == '[DONE]'", "done": True}
    decoder = usable_protocol({**BASE, "stream": [*BASE["stream"], ended]}).decoder()
    decoder.feed(StreamEvent("", '{"text": "hi"}'))
    decoder.feed(StreamEvent("", "[DONE]"))
    assert decoder.done


def test_an_event_without_data_says_nothing() -> None:
    assert usable_protocol(BASE).decoder().feed(StreamEvent("ping", "")) == []


def test_a_condition_that_cannot_be_evaluated_is_not_met() -> None:
    rule = {"when": "contains(data.tags, 'x')", "refusal": "'no'"}
    decoder = usable_protocol({**BASE, "stream": [rule, *BASE["stream"]]}).decoder()
    (chunk,) = decoder.feed(StreamEvent("", '{"text": "hi"}'))
    assert (chunk.text, chunk.refusal) == ("hi", "")


def test_usage_is_merged_over_events() -> None:
    rule = {"usage": {"input": "data.i", "output": "data.o"}}
    decoder = usable_protocol({**BASE, "stream": [rule, *BASE["stream"]]}).decoder()
    decoder.feed(StreamEvent("", '{"i": 5, "o": 1}'))
    *_, usage, _ = decoder.feed(StreamEvent("", '{"o": 7, "end": true}'))
    assert usage.usage is not None
    assert (usage.usage.input, usage.usage.output, usage.usage.estimated) == (5, 7, False)


def test_a_faulty_protocol_is_not_used() -> None:
    data = _changed("response", text="jion(a)")
    assert compile_protocol(data)[1]
    with pytest.raises(UsageError, match="there is no function"):
        usable_protocol(data)


def _called(name: str) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": "{}"}
    call = {"id": "0", "type": "function", "function": function, "extra_content": {"of": name}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    return [said, {"role": "tool", "tool_call_id": "0", "content": "done"}]


@pytest.mark.parametrize(
    "body",
    [
        {
            "each": "turns",
            "item": {
                "each": "parts",
                "of": {
                    "text": None,
                    "tool_call": "=[id, name, extra_content.of]",
                    "tool_result": "=[id, name, 'done']",
                },
            },
        },
        {
            "each": "messages",
            "case": "role",
            "of": {
                "user": None,
                "assistant": "=tool_calls[].[id, name, extra_content.of]",
                "tool": "=[[tool_call_id, tool_name, 'done']]",
            },
        },
    ],
    ids=["turns", "messages"],
)
def test_calls_whose_ids_come_again_keep_what_is_theirs(body: Any) -> None:
    """Servers that count the calls of each answer give the same id to calls of two functions."""
    told = {**BASE, "request": {"path": "/x", "body": {"calls": body}}}
    talk = [{"role": "user", "content": "hi"}, *_called("f"), *_called("g")]
    sent = Adapter().encode(target_of(told), Request.of(talk), stream=False)
    told_of = [[["0", name, of]] for name in "fg" for of in (name, "done")]
    assert sent.body == {"calls": told_of}
