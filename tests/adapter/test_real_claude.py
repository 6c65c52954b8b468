"""The real Claude Code CLI, pointed at a loopback Anthropic server."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter import Adapter
from llmroute.catalog.model import Target, Timeouts
from llmroute.errors import ErrorKind
from llmroute.types import Request
from tests.adapter.wire import at, completed, endpoint, failure, run, streamed, target
from tests.real import CLAUDE_ENVIRONMENT, AnthropicServer, claude_binary

K = ErrorKind
COMMAND = (
    "--print",
    ("--model={model}",),
    "--system-prompt-file={system_file}",
    ("--json-schema={json_schema}",),
    ("--effort={effort}",),
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--tools=",
    "--max-turns=1",
    "--no-session-persistence",
    "--setting-sources=",
    "--strict-mcp-config",
    "--disable-slash-commands",
)
KEY = "sk-ant-canary-42"
#: One red dot.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQ"
    "DwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def claude(server: AnthropicServer, home: Path, scenario: str = "ok", **more: str) -> Target:
    environment = {
        **CLAUDE_ENVIRONMENT,
        "PATH": os.defpath,
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / "config"),
        "ANTHROPIC_BASE_URL": server.url(scenario),
        "ANTHROPIC_API_KEY": KEY,
        **more,
    }
    where = endpoint(
        "",
        "claude-code",
        transport="process",
        command=(str(claude_binary()), *COMMAND),
        environment=environment,
        timeouts=Timeouts(),
    )
    return replace(target(where), upstream="claude-sonnet-5-5")


def test_an_answer(server: AnthropicServer, home: Path) -> None:
    prompt = [
        {"role": "system", "content": "Be brief, --verbose."},
        {"role": "user", "content": "What is 2 + 2?"},
    ]
    response = completed(claude(server, home), prompt, reasoning_effort="low")
    assert (response.text, response.finish_reason) == ("Hello from loopback.", "stop")
    usage = response.usage
    assert (usage.input, usage.cached, usage.cache_written, usage.output) == (1500, 300, 200, 50)
    assert response.model == "claude-sonnet-5-5"
    sent = server.requests[-1]
    assert sent["system"][-1]["text"] == "Be brief, --verbose."
    assert sent["messages"][0]["content"][0]["text"] == "What is 2 + 2?"
    assert sent["output_config"]["effort"] == "low"
    assert not sent["tools"]


def test_without_a_system_prompt_there_is_none(server: AnthropicServer, home: Path) -> None:
    completed(claude(server, home), "hi")
    texts = [block["text"] for block in server.requests[-1]["system"]]
    assert max(map(len, texts)) < 200


def test_a_stream(server: AnthropicServer, home: Path) -> None:
    chunks = streamed(claude(server, home), "hi")
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello ", "from ", "loopback."]
    assert chunks[-1].finish_reason == "stop"


def test_a_conversation_with_an_image(server: AnthropicServer, home: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    prompt = [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
        {"role": "assistant", "content": "A dot."},
        {"role": "user", "content": "Which colour?"},
    ]
    before = len(server.requests)
    assert completed(claude(server, home), prompt).text == "Hello from loopback."
    assert len(server.requests) == before + 1
    said = server.requests[-1]["messages"][0]["content"]
    assert [block["type"] for block in said].count("image") == 1
    words = "".join(block.get("text", "") for block in said)
    assert "<assistant>A dot.</assistant><user>Which colour?</user>" in words


def test_a_prompt_of_200_kilobytes_is_not_in_the_list_of_processes(
    server: AnthropicServer, home: Path
) -> None:
    completed(claude(server, home), "x" * 200_000)
    assert len(json.dumps(server.requests[-1]["messages"])) > 200_000


@pytest.mark.parametrize(
    ("scenario", "kind", "status"),
    [
        ("401", K.AUTH, 401),
        ("500", K.TRANSIENT, 500),
        ("529", K.OVERLOADED, 529),
        ("error-midway", K.OVERLOADED, 529),
        ("drop-midway", K.UNAVAILABLE, None),
    ],
)
def test_failures(
    server: AnthropicServer, home: Path, scenario: str, kind: ErrorKind, status: Any
) -> None:
    before = len(server.requests)
    error = failure(lambda: completed(claude(server, home, scenario), "hi"))
    assert (error.kind, error.status) == (kind, status)
    assert error.target == "p/m"
    assert KEY not in str(error) + repr(error.native)
    assert len(server.requests) == before + 1, "the CLI tried again by itself"


def test_an_unknown_option_says_so(server: AnthropicServer, home: Path) -> None:
    aim = claude(server, home)
    command = (*aim.provider.endpoint.command, "--no-such-option")
    error = failure(lambda: completed(at(aim, command=command), "hi"))
    assert error.kind is K.UNAVAILABLE
    assert "--no-such-option" in error.message


def processes(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
        except OSError:
            continue
        if mark.encode() in words:
            found.append(int(folder.name))
    return found


def test_a_hang_is_killed_and_nothing_is_left(server: AnthropicServer, home: Path) -> None:
    mark = f"LLMROUTE_TEST_MARK={home.name}"
    aim = claude(server, home, "hang", LLMROUTE_TEST_MARK=home.name)
    before = len(server.requests)

    def asked(before: int) -> None:
        while len(server.requests) == before:
            time.sleep(0.02)

    async def work() -> float:
        task = asyncio.ensure_future(Adapter().complete(aim, Request.of("hi")))
        await asyncio.to_thread(asked, before)
        assert processes(mark)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert run(work()) < 2
    deadline = time.monotonic() + 2
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes(mark) == []
