"""Requests that the caller builds: what is refused at once, and what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.errors import UsageError
from llmroute.types import Request


@pytest.mark.parametrize("content", [5, 0.5, True, {"type": "text", "text": "x"}, b"x"])
def test_content_that_is_no_text_and_no_list_is_refused(content: Any) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": content}]
    with pytest.raises(UsageError) as caught:
        Request.of(messages)
    assert str(caught.value) == (
        f"messages[1].content is {content!r}; write a text, a list of parts or null"
    )


@pytest.mark.parametrize("content", ["", "x", None, [], [{"type": "text", "text": "x"}], ()])
def test_other_content_is_taken_as_it_is(content: Any) -> None:
    message = {"role": "assistant", "content": content}
    assert Request.of([message]).messages == (message,)


def test_a_message_may_lack_content() -> None:
    message = {"role": "assistant", "tool_calls": []}
    assert Request.of([message]).messages == (message,)


ODD: tuple[Any, ...] = (5, "x", None, b"x", ["x"], {1, 2})


@pytest.mark.parametrize("part", ODD)
def test_parts_that_are_no_maps_are_refused(part: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Request.of([{"role": "user", "content": [{"type": "text", "text": "x"}, part]}])
    assert str(caught.value) == (
        f'messages[0].content[1] is {part!r}; write {{"type": "text", "text": …}}'
    )


NO_CALLS = (5, "x", b"x", {"id": "x"}, [{"function": "f"}], *([item] for item in ODD))


@pytest.mark.parametrize("calls", NO_CALLS)
def test_tool_calls_that_are_no_list_of_calls_are_refused(calls: Any) -> None:
    with pytest.raises(UsageError, match=r"^messages\[0\]\.tool_calls"):
        Request.of([{"role": "assistant", "content": None, "tool_calls": calls}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", "json"),
        ("response_format", 5),
        ("response_format", ["json_object"]),
        ("response_format", {"type": "json_schema", "json_schema": "x"}),
        ("response_format", {"type": "json_schema", "json_schema": {"schema": 5}}),
        ("response_format", {"type": "json_schema", "json_schema": {"schema": ["x"]}}),
        ("tool_choice", 5),
        ("tool_choice", {"type": "function", "function": "f"}),
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": "x"}}]),
    ],
)
def test_forms_and_choices_and_tools_of_another_shape_are_refused(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{field}"):
        Request.of("hi", **{field: value})


@pytest.mark.parametrize("form", [None, {"type": "json_object"}, {"type": "json_schema"}])
def test_other_response_formats_are_left_to_providers(form: Any) -> None:
    assert Request.of("x", response_format=form).json_schema is None


@pytest.mark.parametrize("name", ["tags", "stop"])
def test_nothing_is_no_text(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} holds None"):
        Request.of("x", **{name: ["a", None]})
