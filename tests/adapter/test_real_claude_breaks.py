"""The real Claude Code CLI while its own connection breaks: no text arrives twice.

How it asks again depends on what was complete by then, on its version and on its switches; all
three ways are provoked here. `stream` events are counted by the server, thoughts are five of them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmroute.adapter import Adapter, collect
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Chunk, Request
from tests.adapter.cutting import CuttingServer, Play
from tests.adapter.test_real_claude import claude

WORDS = ("Hello ", "from ", "loopback.")
WHOLE = Play((WORDS,))
THOUGHT = Play((WORDS,), thought=("hm ", "so"))
#: The switches that a provider file sets, taken out again.
FALLBACK = {"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": ""}
RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "2"}
AGAIN = "the connection broke midway; the CLI asked again, and its usage counts both answers"


def told(aim: Target) -> tuple[list[Chunk], list[str], TargetError | None]:
    """Return what arrived, the warnings, and the error that ended it, if any."""
    chunks: list[Chunk] = []
    warnings: list[str] = []

    async def work() -> None:
        async for chunk in Adapter().stream(aim, Request.of("hi"), warnings):
            chunks.append(chunk)

    try:
        asyncio.run(work())
    except TargetError as exc:
        return chunks, warnings, exc
    return chunks, warnings, None


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    ("first", "then", "switches", "streams"),
    [
        (Play((WORDS,), cut=4), WHOLE, FALLBACK, [True, False]),
        (Play((WORDS,), cut=4, error=True), WHOLE, FALLBACK, [True, False]),
        (Play((WORDS,), cut=2), WHOLE, FALLBACK, [True, False]),
        (Play((WORDS,), cut=4), WHOLE, RETRIES, [True, True]),
        (Play((WORDS,), cut=4), Play((("Hel", "lo from loop", "back."),)), RETRIES, [True, True]),
        (Play((WORDS,), thought=("hm ", "so"), cut=8), THOUGHT, {}, [True, True]),
        (Play((("One. ",), WORDS), cut=7), WHOLE, {}, [True, True]),
        (Play((("One. ",), WORDS), cut=7), Play((("One. ",), WORDS)), {}, [True, True]),
    ],
    ids=[
        "unstreamed",
        "unstreamed-after-error",
        "unstreamed-before-any-text",
        "retried",
        "retried-in-other-pieces",
        "behind-the-thought",
        "behind-a-block",
        "behind-a-block-that-comes-again",
    ],
)
def test_nothing_arrives_twice(
    first: Play, then: Play, switches: dict[str, str], streams: list[bool], tmp_path: Path
) -> None:
    with CuttingServer(first, then) as server:
        chunks, warnings, error = told(claude(server, tmp_path, **switches))  # type: ignore[arg-type]
    assert error is None
    expected = "One. " * (len(first.blocks) - 1) + "Hello from loopback."
    assert text(chunks) == expected
    assert "".join(chunk.reasoning for chunk in chunks) == "".join(first.thought)
    assert AGAIN in warnings
    assert [bool(body.get("stream")) for body in server.requests] == streams
    answer = collect(chunks, claude(server, tmp_path))  # type: ignore[arg-type]
    assert (answer.finish_reason, answer.usage.input) == ("stop", 3000)


@pytest.mark.parametrize("switches", [FALLBACK, RETRIES], ids=["unstreamed", "retried"])
@pytest.mark.parametrize("other", ["Good day.", "Hello "], ids=["differs", "ends-before"])
def test_another_answer_than_the_one_that_began_is_an_error(
    other: str, switches: dict[str, str], tmp_path: Path
) -> None:
    with CuttingServer(Play((WORDS,), cut=4), Play(((other,),))) as server:
        chunks, _, error = told(claude(server, tmp_path, **switches))  # type: ignore[arg-type]
    assert error is not None
    assert error.kind is ErrorKind.UNAVAILABLE
    assert "differs" in error.message
    assert text(chunks) == "Hello from "
    assert all(chunk.finish_reason is None for chunk in chunks)


@pytest.mark.parametrize("cut", range(1, 7))
def test_cut_anywhere_for_good(cut: int, tmp_path: Path) -> None:
    """With the switches of the shipped provider file, what arrives is the answer's beginning."""
    with CuttingServer(Play((WORDS,), cut=cut)) as server:
        chunks, _, error = told(claude(server, tmp_path))  # type: ignore[arg-type]
    if error is None:
        assert text(chunks) == "Hello from loopback."
    else:
        assert error.kind in (ErrorKind.UNAVAILABLE, ErrorKind.TRANSIENT)
        assert "Hello from loopback.".startswith(text(chunks))


def test_cut_behind_everything_that_is_said(tmp_path: Path) -> None:
    """What the model adds when it is asked to go on belongs to the answer."""
    for more in ((" Bye.",), ("Hello ", "again."), ("Hello ",)):
        with CuttingServer(Play((WORDS,), cut=6), Play((more,))) as server:
            chunks, _, error = told(claude(server, tmp_path))  # type: ignore[arg-type]
        assert (text(chunks), error) == ("".join((*WORDS, *more)), None)


def test_an_answer_in_three_parts_is_no_repetition(tmp_path: Path) -> None:
    """At its limit of tokens the CLI asks to go on, and the same words may well come again."""
    cut_off = Play((("la ", "la "),), stop="max_tokens")
    with CuttingServer(cut_off, cut_off, Play((("la.",),))) as server:
        chunks, warnings, error = told(claude(server, tmp_path))  # type: ignore[arg-type]
    assert (text(chunks), warnings, error) == ("la la la la la.", [], None)
