"""What the shipped models are sent of each request: one row for each thing that a model refuses.

Expected values are the vendors' documented ones, as of November 2026.
"""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request
from tests.adapter.shipped import refusal, shipped

FABLE, OPUS, OPUS5 = "claude-fable-5-2", "claude-opus-5-5", "claude-opus-5"
OPUS48, SONNET = "claude-opus-4-8", "claude-sonnet-5-5"
SONNET46, HAIKU, HAIKU45 = "claude-sonnet-4-6", "claude-haiku-5-5", "claude-haiku-4-5"
TOOL = {"type": "function", "function": {"name": "f"}}
OTHER = {"type": "function", "function": {"name": "g"}}
USER, SAID = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def sent(target: str, prompt: Any = "hi", **fields: Any) -> Any:
    name = f"anthropic/{target}" if target.startswith("claude") else target
    return Adapter().encode(shipped()[name], Request.of(prompt, **fields), stream=False)


# Reasoning effort on Claude: thinking types and efforts by generation


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "wired"),
    [
        # always on: an effort, and never less than the lowest
        *[(m, "none", None, "low") for m in (FABLE, OPUS, HAIKU)],
        *[(m, "minimal", None, "low") for m in (FABLE, OPUS, HAIKU, SONNET)],
        *[(m, "max", None, "max") for m in (FABLE, OPUS, HAIKU, SONNET)],
        # thinks between tools alone, or not at all
        (SONNET, "none", {"type": "between_tools"}, None),
        (OPUS5, "none", {"type": "disabled"}, None),
        (OPUS48, "none", {"type": "disabled"}, None),
        (SONNET46, "none", {"type": "disabled"}, None),
        (HAIKU45, "none", {"type": "disabled"}, None),
        # on by default, or only when asked
        (OPUS5, "high", None, "high"),
        (OPUS48, "xhigh", {"type": "adaptive"}, "xhigh"),
        (SONNET46, "xhigh", {"type": "adaptive"}, "high"),
        # by budget: at least 1024
        (HAIKU45, "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
        (HAIKU45, "high", {"type": "enabled", "budget_tokens": 4096}, None),
        # nothing asked, nothing sent
        *[(m, None, None, None) for m in (FABLE, SONNET, OPUS48, HAIKU45)],
    ],
)
def test_efforts_of_claude(model: str, effort: Any, thinking: Any, wired: Any) -> None:
    made = sent(model, reasoning_effort=effort)
    assert made.body.get("thinking") == thinking
    assert made.body.get("output_config") == (wired and {"effort": wired})
    as_asked = effort == wired or (thinking or {}).get("type") in ("disabled", "enabled")
    assert bool(made.warnings) is not as_asked


@pytest.mark.parametrize("most", [1, 1024])
def test_a_budget_needs_room(most: int) -> None:
    made = sent(HAIKU45, max_tokens=most, reasoning_effort="high")
    assert "thinking" not in made.body
    assert made.warnings[0].startswith("reasoning_effort was dropped")


def test_a_budget_stays_below_max_tokens() -> None:
    made = sent(HAIKU45, max_tokens=2000, reasoning_effort="max")
    assert made.body["thinking"] == {"type": "enabled", "budget_tokens": 1999}


CALLED = {**SAID, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "r"}


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        ([USER], {"tools": [TOOL], "tool_choice": "required"}),
        ([USER, SAID], {}),
        ([USER, CALLED, RESULT], {"tools": [TOOL]}),
    ],
)
def test_where_a_budget_cannot_be(prompt: Any, fields: Any) -> None:
    made = sent(HAIKU45, prompt, reasoning_effort="high", **fields)
    assert "thinking" not in made.body
    assert made.warnings[0].startswith("reasoning_effort was dropped")


def accepted(target: str, **fields: Any) -> Any:
    """Return what is sent, which the simulated API must not refuse."""
    made = sent(target, **fields)
    assert refusal(shipped()[f"anthropic/{target}"], made) is None
    return made


@pytest.mark.parametrize("model", [HAIKU45, SONNET46])
def test_no_sampling_while_a_model_thinks_that_was_asked_to(model: str) -> None:
    for name, least in ("temperature", 1), ("top_p", 0.95):
        made = accepted(model, reasoning_effort="high", **{name: 0.5})
        assert name not in made.body
        assert made.warnings[0].startswith(f"{name} below {least} was dropped")
        kept = accepted(model, reasoning_effort="high", **{name: least})
        assert (kept.body[name], kept.warnings[:1]) == (least, made.warnings[1:])


def test_a_forced_tool_goes_without_thoughts_that_would_be_asked_for() -> None:
    fields: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required"}
    made = accepted(SONNET46, reasoning_effort="high", **fields)
    assert "thinking" not in made.body
    assert made.body["output_config"] == {"effort": "high"}
    told = f"anthropic/{SONNET46} does not think where it is made to call a tool"
    assert made.warnings == (f"thinking was left off: {told}",)
    newer = accepted(OPUS48, reasoning_effort="high", **fields)
    assert newer.body["thinking"] == {"type": "adaptive"}


# Sampling


@pytest.mark.parametrize("model", [HAIKU45, SONNET46])
def test_one_sampling_parameter_alone(model: str) -> None:
    made = accepted(model, temperature=0.5, top_p=0.9)
    assert (made.body["temperature"], "top_p" in made.body) == (0.5, False)
    told = f"top_p was dropped: anthropic/{model} does not take it beside temperature"
    assert made.warnings == (told,)
    assert accepted(model, top_p=0.9).body["top_p"] == 0.9


@pytest.mark.parametrize("model", [FABLE, OPUS, SONNET, HAIKU, OPUS5, OPUS48])
def test_newer_claude_models_take_no_sampling_parameters(model: str) -> None:
    made = sent(model, temperature=1.0, top_p=0.9)
    assert not {"temperature", "top_p"} & set(made.body)
    assert [w.split(" ")[0] for w in made.warnings] == ["temperature", "top_p"]


@pytest.mark.parametrize("model", [SONNET46, HAIKU45])
def test_older_ones_do(model: str) -> None:
    assert sent(model, temperature=1.7).body["temperature"] == 1
    assert sent(model, top_p=0.9).body["top_p"] == 0.9


@pytest.mark.parametrize(
    ("target", "effort", "takes"),
    [
        ("openai/gpt-6.2-sol", None, False),
        ("openai/gpt-6-sol", None, False),
        ("openai/gpt-6-sol", "none", True),
        ("openai/gpt-6-sol", "low", False),
        ("openai/gpt-6.2-sol", "none", False),  # becomes low
        ("openai/gpt-5.4-mini", None, True),
        ("openai/gpt-5.4-mini", "low", False),
        ("openai_litellm/gpt-5.4-nano", None, True),
        ("openai_litellm/gpt-5.5", None, False),
    ],
)
def test_openai_models_take_sampling_while_they_do_not_reason(
    target: str, effort: Any, takes: bool
) -> None:
    made = sent(target, temperature=0.5, top_p=0.9, reasoning_effort=effort)
    assert {"temperature", "top_p"} <= set(made.body) if takes else "top_p" not in made.body
    dropped = [w for w in made.warnings if "unless the reasoning effort is none" in w]
    assert len(dropped) == (0 if takes else 2)


def test_tools_without_reasoning_leave_sampling() -> None:
    """Over Chat Completions they come with the effort `none`."""
    made = sent("openai/gpt-5.4-mini", temperature=0.5, tools=[TOOL], reasoning_effort="high")
    assert (made.body["temperature"], made.body["reasoning_effort"]) == (0.5, "none")


@pytest.mark.parametrize(("asked", "wired"), [(3.0, 2), (-1.0, 0), (1.5, 1.5)])
def test_temperatures_stay_in_their_range(asked: float, wired: float) -> None:
    made = sent("openai/gpt-5.4-mini", temperature=asked)
    assert made.body["temperature"] == wired
    assert bool(made.warnings) is (asked != wired)


@pytest.mark.parametrize("target", ["openai/gpt-6-sol", "openai/gpt-5.4-mini"])
def test_openai_models_take_no_stop_and_no_seed(target: str) -> None:
    made = sent(target, stop="END", seed=1)
    assert not {"stop", "seed"} & set(made.body)
    assert [w.split(" ")[0] for w in made.warnings] == ["stop", "seed"]


# Schemas

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["a"], "additionalProperties": False}
INSIDE = {**CLOSED, "properties": {"a": OPEN}}


@pytest.mark.parametrize("target", ["openai/gpt-6-sol", "openai/gpt-5.4-mini"])
@pytest.mark.parametrize(
    ("schema", "strict"),
    [(CLOSED, True), (OPEN, False), (INSIDE, False), ({"anyOf": [CLOSED]}, False)],
)
def test_strict_mode_has_its_limits(target: str, schema: Any, strict: bool) -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    made = sent(target, tools=[tool], response_format=form)
    wired = made.body["tools"][0]
    assert wired.get("function", wired)["strict"] is strict
    told = made.body.get("response_format") or made.body["text"]["format"]
    assert told.get("json_schema", told)["strict"] is strict
    assert sum("strict was dropped" in w for w in made.warnings) == (0 if strict else 2)


@pytest.mark.parametrize("target", ["openai/gpt-6-sol", "openai/gpt-5.4-mini"])
@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf"])
def test_parameters_are_one_object_at_openai(target: str, key: str) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {key: [OPEN]}}}
    made = sent(target, tools=[tool])
    wired = made.body["tools"][0]
    assert wired.get("function", wired)["parameters"] == OPEN
    assert made.warnings[0] == "the parameters of f were written as one object, with less said"


# Messages


def test_system_turns_of_newer_claude_models() -> None:
    """They may stand between a user's turn and an assistant's, or at the end."""
    prompt = [SYSTEM, USER, SYSTEM, SAID, SYSTEM, USER, SYSTEM]
    body = sent(OPUS, prompt).body
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == ["user", "system", "assistant", "user", "system"]
    assert body["messages"][3]["content"] == [
        {"type": "text", "text": "<system>s</system>"},
        {"type": "text", "text": "q"},
    ]
    assert body["messages"][4]["content"] == [{"type": "text", "text": "s"}]


@pytest.mark.parametrize("model", [SONNET46, HAIKU45])
def test_older_claude_models_are_told_inside_the_users_turn(model: str) -> None:
    body = sent(model, [USER, SYSTEM]).body
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert body["messages"][0]["content"][1]["text"] == "<system>s</system>"


def test_a_name_is_dropped_with_a_warning_and_a_refusal_is_said() -> None:
    refusal = {"role": "assistant", "content": None, "refusal": "no"}
    made = sent(OPUS, [{**USER, "name": "bob"}, refusal, USER])
    assert made.warnings == ("name of a message was dropped: the protocol has no place for it",)
    assert made.body["messages"][1]["content"] == [{"type": "text", "text": "no"}]


def test_what_is_not_known_of_a_message_is_refused() -> None:
    with pytest.raises(TargetError) as caught:
        sent(OPUS, [USER, {**SAID, "audio": {"id": "a"}}, USER])
    assert caught.value.kind is ErrorKind.CAPABILITY


def test_images_of_a_result_are_shown_below_it_over_chat_completions() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    prompt = [USER, CALLED, {**RESULT, "content": [image]}]
    made = sent("openai/gpt-5.4-mini", prompt, tools=[TOOL])
    assert made.body["messages"][2:] == [
        {**RESULT, "content": "[image attached below]"},
        {"role": "user", "content": [image]},
    ]


MARK = {"cache_control": {"type": "ephemeral"}}


def test_marks_of_caches_go_where_they_are_taken() -> None:
    told = {"type": "text", "text": "long"}
    prompt = [{"role": "system", "content": [{**told, **MARK}]}, {**USER, **MARK}]
    made = sent("openai/gpt-5.4-mini", prompt, tools=[{**TOOL, **MARK}])
    assert made.body["messages"] == [{"role": "system", "content": [told]}, USER]
    assert made.body["tools"] == [TOOL]
    said = "cache_control was dropped: openai/gpt-5.4-mini is not said to take it"
    assert made.warnings == (said,)
    kept = sent("anthropic_litellm/claude-haiku-5-5", prompt, tools=[{**TOOL, **MARK}])
    assert kept.body["messages"] == prompt
    assert kept.body["tools"] == [{**TOOL, **MARK}]


def test_texts_of_a_result_are_one_text_over_chat_completions() -> None:
    texts = [{"type": "text", "text": text} for text in ("a", "b")]
    made = sent("openai/gpt-5.4-mini", [USER, CALLED, {**RESULT, "content": texts}], tools=[TOOL])
    assert made.body["messages"][2] == {**RESULT, "content": "a\nb"}


def test_calls_of_neighbouring_messages_stand_in_one_before_their_results() -> None:
    """Chat Completions refuses a message with calls that is not followed by their results."""
    call, other = CALLED["tool_calls"][0], {**CALLED["tool_calls"][0], "id": "other"}
    silent = {**CALLED, "content": None}
    calling = {**silent, "tool_calls": [other]}
    second = {**RESULT, "tool_call_id": "other"}
    for said, content in ([], None), ([SAID], "a"), ([SAID, SAID], "a\n\na"):
        prompt = [USER, silent, *said, calling, RESULT, second, USER]
        made = sent("openai/gpt-5.4-mini", prompt, tools=[TOOL]).body["messages"]
        assert made[1]["content"] == content
        assert made[1]["tool_calls"] == [call, other]
        assert made[2:] == [RESULT, second, USER]


def test_results_stand_right_behind_their_calls_over_chat_completions() -> None:
    other = {**CALLED["tool_calls"][0], "id": "other"}
    called = {**CALLED, "tool_calls": [*CALLED["tool_calls"], other]}
    second, wait = {**RESULT, "tool_call_id": "other"}, {"role": "user", "content": "wait"}
    prompt = [USER, called, wait, RESULT, SYSTEM, second, SAID, USER]
    made = sent("openai/gpt-5.4-mini", prompt, tools=[TOOL]).body["messages"]
    assert made == [USER, called, RESULT, second, wait, SYSTEM, SAID, USER]
    unanswered = [USER, called, RESULT, wait, CALLED, RESULT]
    assert sent("openai/gpt-5.4-mini", unanswered, tools=[TOOL]).body["messages"] == unanswered


def test_an_answer_of_thoughts_alone_stays_behind_over_chat_completions() -> None:
    """`content` is required there, unless there are calls or a refusal."""
    thought = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    refusal = {"role": "assistant", "content": None, "refusal": "no"}
    made = sent("openai/gpt-5.4-mini", [USER, thought, USER, refusal, USER])
    assert made.body["messages"] == [USER, USER, refusal, USER]


# Tools


@pytest.mark.parametrize(("mode", "wired"), [("auto", "auto"), ("required", "any")])
def test_allowed_tools_are_the_only_ones_that_claude_is_offered(mode: str, wired: str) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [OTHER]}}
    body = sent(HAIKU, tools=[TOOL, OTHER], tool_choice=choice).body
    assert [tool["name"] for tool in body["tools"]] == ["g"]
    assert body["tool_choice"] == {"type": wired}
