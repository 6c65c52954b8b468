from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.adapter.answer import Tally, check_answer, check_model, check_prompt, unfolded
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Request, Response, ToolCall, ToolCallDelta, Usage
from tests.adapter.wire import at, target

AIM = target(context_window=1000)


def checked(**data: Any) -> list[str]:
    return check_answer(Tally(**data), AIM)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({}, ErrorKind.EMPTY),
        ({"usage": Usage(10, 5)}, ErrorKind.EMPTY),
        ({"finish": "stop"}, ErrorKind.EMPTY),
        ({"finish": "stop", "usage": Usage(10, 0)}, ErrorKind.EMPTY),
        ({"finish": "stop", "usage": Usage(1000, 0)}, ErrorKind.CONTEXT),
        ({"content": True}, ErrorKind.MALFORMED),
    ],
)
def test_answers_that_are_none(data: dict[str, Any], kind: ErrorKind) -> None:
    with pytest.raises(TargetError) as caught:
        checked(**data)
    assert caught.value.kind is kind


def test_answers_worth_a_warning() -> None:
    assert checked(content=True, finish="stop") == []
    assert checked(finish="content_filter") == []
    assert "no text" in checked(finish="stop", usage=Usage(10, 5))[0]
    assert "allow more tokens" in checked(finish="length", reasoning=True)[0]


#: One word of 17,000 letters: 17,000 × 0.06 + 0.712 + 7 of its frame = 1,028 tokens.
LONG = Request.of("x" * 17_000)
#: Never part of a prompt's own text: where it is written, if it is, differs from server to server.
LARGE = {"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(400)}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": LARGE}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": LARGE}}


@pytest.mark.parametrize(
    ("request_", "usage", "warned"),
    [
        (LONG, Usage(411, 5), True),  # 0.4 × 1,027.7 = 411.1
        (LONG, Usage(412, 5), False),
        (LONG, Usage(0, 5, estimated=True), False),
        (LONG, None, False),
        (Request.of("x" * 15_000), Usage(3, 5), False),  # about 908 tokens
        (Request.of("x" * 17_000, input_tokens=1_028), Usage(3, 5), False),
        (Request.of("hi", tools=(TOOL,)), Usage(9, 5), False),
        (Request.of("hi", response_format=SCHEMA), Usage(9, 5), False),
    ],
)
def test_a_prompt_of_which_too_little_was_counted(
    request_: Request, usage: Usage | None, warned: bool
) -> None:
    assert bool(check_prompt(request_, usage, AIM)) is warned


def test_what_a_service_counts_is_its_own_matter_and_images_are_anybodys_guess() -> None:
    elsewhere = replace(AIM, provider=replace(AIM.provider, locality="cloud"))
    assert check_prompt(LONG, Usage(3, 5), elsewhere) == []
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    seen = [{"role": "user", "content": [image, {"type": "text", "text": "x" * 17_000}]}]
    assert check_prompt(Request.of(seen), Usage(3, 5), AIM) == []


@pytest.mark.parametrize(
    ("asked", "served", "same"),
    [
        ("gpt-6-sol", "gpt-6-sol-2026-08-01", True),
        ("llama3", "llama3:latest", True),
        ("qwen3-4b", "/models/Qwen3-4B-Q4_K_M.gguf", True),
        ("sonnet", "claude-sonnet-5-5", True),
        ("a", "", True),
        ("gpt-6-sol", "gpt-6.1-sol", False),
        ("qwen3:4b", "qwen3:8b", False),
    ],
)
def test_the_model_that_answered(asked: str, served: str, same: bool) -> None:
    declared = replace(AIM, upstream=asked)
    assert bool(check_model(served, declared)) is not same
    found = replace(declared, discovered=True)
    if same:
        assert check_model(served, found) == []
        return
    with pytest.raises(TargetError) as caught:
        check_model(served, found)
    assert caught.value.kind is ErrorKind.MODEL_MISSING


@pytest.mark.parametrize("discovered", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_strict_model_decides_for_all_models_of_an_endpoint(discovered: bool, strict: bool) -> None:
    aim = at(replace(AIM, upstream="a", discovered=discovered), strict_model=strict)
    assert check_model("a", aim) == []
    if not strict:
        assert "answered with b" in check_model("b", aim)[0]
        return
    with pytest.raises(TargetError) as caught:
        check_model("b", aim)
    assert caught.value.help == "load a there"


WHOLE = Response(
    text="Hello",
    finish_reason="tool_calls",
    usage=Usage(3, 2),
    model="served",
    id="c1",
    tool_calls=(ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}")),
    reasoning="hm",
)


def test_chunks_fold_into_a_whole_answer() -> None:
    chunks = [
        Chunk(model="served", id="c1"),
        Chunk(reasoning="h"),
        Chunk(reasoning="m"),
        Chunk(text="Hel"),
        Chunk(tool_call=ToolCallDelta(0, "a", "f", '{"x"')),
        Chunk(tool_call=ToolCallDelta(1, "b", "g", "{}")),
        Chunk(tool_call=ToolCallDelta(0, arguments=":1}")),
        Chunk(text="lo", usage=Usage(3, 1)),
        Chunk(usage=Usage(3, 2)),
        Chunk(finish_reason="tool_calls"),
    ]
    assert collect(chunks, AIM) == WHOLE
    assert collect(chunks, AIM, ["x was dropped"]).warnings == ("x was dropped",)


def test_a_whole_answer_survives_being_given_out_in_chunks() -> None:
    assert collect(unfolded(WHOLE), AIM) == WHOLE


def test_without_usage_it_is_estimated_and_without_a_name_it_is_what_was_asked() -> None:
    response = collect([Chunk(text="x"), Chunk(finish_reason="stop")], AIM)
    assert response.usage.estimated
    assert response.model == "upstream-m"
