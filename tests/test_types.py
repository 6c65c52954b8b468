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
