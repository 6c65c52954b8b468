from __future__ import annotations

from random import Random
from typing import Any

import pytest

from llmroute.adapter.protocols import ProviderError
from llmroute.adapter.protocols.retold import Retold
from llmroute.errors import ErrorKind, TargetError
from tests.adapter.test_claude_code_protocol import init, lines, partial, result
from tests.adapter.test_claude_code_protocol import text as line
from tests.adapter.wire import folded


def pieces(text: str, draw: Random) -> list[str]:
    found = []
    while text:
        size = draw.randrange(1, len(text) + 1)
        found.append(text[:size])
        text = text[size:]
    return found


def test_told_again_from_either_place_in_any_pieces() -> None:
    """However often it is broken off, what is given out is the text once."""
    draw = Random(7)
    for _ in range(2000):
        kept, rest = (
            draw.choice(("", "One. ", "ab")),
            draw.choice(("Hello there.", "On we go", "xx")),
        )
        whole, told, given = kept + rest, Retold(), ""
        for last in (False, False, True):
            again = given.startswith(kept) and draw.random() < 0.5
            told.begin()
            told.block(0)
            behind = again and bool(kept) and not last
            said = rest if given and behind else whole
            if said == rest and given[: len(kept)] != kept:
                said = whole
            if said == whole:
                for piece in pieces(kept, draw):
                    given += told.tell(piece)
                told.block(1)
            part = rest if last else rest[: draw.randrange(len(rest))]
            for piece in pieces(part, draw):
                given += told.tell(piece)
            index = 1 if said == whole else 0
            given += told.end(None if last else {"from_block_index": index if kept else 0})
        assert given == whole
        assert told.interrupted


def test_another_text_is_an_error() -> None:
    told = Retold()
    told.begin()
    told.block(0)
    assert told.tell("Hello") == "Hello"
    assert told.end({"from_block_index": 0}) == ""
    told.begin()
    told.block(0)
    assert told.tell("Hel") == ""
    with pytest.raises(TargetError) as caught:
        told.tell("p!")
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_a_shorter_text_is_an_error() -> None:
    told = Retold()
    told.begin()
    told.block(0)
    told.tell("Hello")
    told.end({"from_block_index": 0})
    told.begin()
    told.tell("Hel")
    with pytest.raises(TargetError):
        told.end(None)


def test_what_is_added_behind_a_whole_block_is_kept() -> None:
    told = Retold()
    told.begin()
    told.block(0)
    told.tell("Hello.")
    told.end({"from_block_index": 1})
    told.begin()
    told.block(0)
    assert told.tell("Hel") == ""  # it may be the same again
    assert told.tell("p!") == "Help!"
    assert told.end(None) == ""


START = partial(type="message_start", message={"id": "m1", "model": "claude-x", "usage": {}})
BLOCK = partial(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
BROKEN = {**partial(type="message_stop"), "abandoned_blocks": {"from_block_index": 0}}


def whole(said: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": said}]
    message = {"id": "m2", "model": "claude-x", "content": content, **more}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None}


def test_the_recorded_ways_of_asking_again() -> None:
    """As version 2.1.330 wrote them: unstreamed, and streamed again."""
    begun = (init(), START, BLOCK, line("Hello "), line("from "), BROKEN)
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 2}
    said = result(result="Hello from loopback.")
    unstreamed = lines(*begun, whole("Hello from loopback."), said)
    ended = partial(type="message_stop")
    again = (START, BLOCK, line("Hello "), line("from loop"), line("back."), ended)
    streamed = lines(*begun, retry, *again, said)
    only_result = lines(*begun, said)
    for run in (unstreamed, streamed, only_result):
        assert folded("claude-code", run).text == "Hello from loopback."


def test_what_the_cli_says_itself_is_no_answer() -> None:
    own = whole("API Error: Overloaded", model="<synthetic>")
    failed = result(is_error=True, result="API Error: Overloaded", api_error_status=529)
    run = lines(init(), START, BLOCK, line("Hello "), BROKEN, own, failed)
    with pytest.raises(ProviderError) as caught:
        folded("claude-code", run)
    assert caught.value.status == 529
