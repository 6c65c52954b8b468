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


@pytest.mark.parametrize("calls", [5, {"id": "c"}, [5], [None], [{"function": "f"}]])
def test_calls_that_are_no_list_of_calls_are_refused(calls: Any) -> None:
    with pytest.raises(UsageError, match=r"^messages\[0\]\.tool_calls "):
        Request.of([{"role": "assistant", "content": None, "tool_calls": calls}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", 5),
        ("response_format", {"type": "json_schema", "json_schema": "x"}),
        ("response_format", {"type": "json_schema", "json_schema": {"schema": [1]}}),
        ("tool_choice", 5),
        ("tool_choice", {"type": "function", "function": "f"}),
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": "x"}}]),
    ],
)
def test_forms_and_choices_and_tools_of_another_shape_are_refused(field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field):
        Request.of("hi", **{field: value})
