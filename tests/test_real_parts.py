"""The shipped provider files against real parts: the Claude Code CLI and a llama.cpp server."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from llmroute import NoEligibleTarget, RouteFailed, Router
from llmroute.config.shipped import data_root
from tests.real import (
    CLAUDE_ENVIRONMENT,
    TOOL_CALL_PIECES,
    AnthropicServer,
    claude_binary,
    llama_server,
    make_gguf,
)

CLAUDE = "claude_code/claude-haiku-5-5"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def anthropic_server():
    with AnthropicServer() as server:
        yield server


def claude_router(server, home: Path, scenario: str) -> Router:
    environment = {
        **CLAUDE_ENVIRONMENT,
        "PATH": f"{claude_binary().parent}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home),
        "ANTHROPIC_BASE_URL": server.url(scenario),
        "ANTHROPIC_API_KEY": "sk-test",
    }
    return Router.load(data_root(), environment=environment)


def test_the_real_claude_code_answers_through_its_provider_file(anthropic_server, tmp_path):
    with claude_router(anthropic_server, tmp_path, "ok") as router:
        answer = router.complete("Say hello", target=CLAUDE)
        with router.stream("Say hello", target=CLAUDE) as stream:
            text = "".join(chunk.text for chunk in stream)
    assert answer.text == text == "Hello from loopback."
    assert answer.usage.output > 0
    assert answer.cost is not None


@pytest.mark.parametrize(("scenario", "kind"), [("401", "auth"), ("529", "overloaded")])
def test_what_the_real_claude_code_meets_is_classified(scenario, kind, anthropic_server, tmp_path):
    with claude_router(anthropic_server, tmp_path, scenario) as router:
        with pytest.raises(RouteFailed) as caught:
            router.complete("Say hello", target=CLAUDE, timeout=30)
    assert {attempt.outcome for attempt in caught.value.attempts} == {kind}


def test_a_real_claude_code_that_hangs_is_killed_with_everything_it_started(
    anthropic_server, tmp_path
):
    with claude_router(anthropic_server, tmp_path, "hang") as router:
        with pytest.raises(RouteFailed) as caught:
            router.complete("Say hello", target=CLAUDE, timeout=3)
    assert caught.value.attempts[0].outcome == "timeout"
    deadline = time.monotonic() + 3
    while (left := running_with(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def running_with(mark: str) -> list[str]:
    """Return the processes whose environment holds a text that only this test put there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes() and folder.name != str(
                os.getpid()
            ):
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    model = make_gguf(tmp_path_factory.mktemp("model") / "m.gguf", "Hello from a tiny model")
    with llama_server(model) as url:
        yield url


@pytest.fixture(scope="module")
def llama_with_tools(tmp_path_factory):
    model = make_gguf(tmp_path_factory.mktemp("tools") / "m.gguf", TOOL_CALL_PIECES)
    with llama_server(model) as url:
        yield url


def llama_router(url: str) -> Router:
    root = url.rstrip("/").removesuffix("/v1")
    environment = {
        "OPENAI_BASE_URL": f"{root}/v1",
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_KEY": "x",
        "LM_STUDIO_URL": root,
    }
    return Router.load(data_root(), environment=environment)


@pytest.mark.parametrize("target", ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "lm_studio"])
def test_a_real_server_answers_through_each_provider_file(target, llama):
    with llama_router(llama) as router:
        answer = router.complete("Say hello", target=target, max_tokens=50)
        with router.stream("Say hello", target=target, max_tokens=50) as stream:
            text = "".join(chunk.text for chunk in stream)
    assert answer.text == text == "Hello from a tiny model"
    assert answer.finish_reason == "stop"
    assert answer.usage.output > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "target", ["openai_litellm/gpt-6-luna", "anthropic_litellm/claude-haiku-5-5"]
)
def test_the_same_server_answers_through_litellm(target, llama):
    root = llama.rstrip("/").removesuffix("/v1")
    environment = {
        "OPENAI_BASE_URL": f"{root}/v1",
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_KEY": "x",
    }
    with Router.load(data_root(), environment=environment) as router:
        answer = router.complete("Say hello", target=target, max_tokens=50)
    assert answer.text == "Hello from a tiny model"
    assert answer.target == target


@pytest.mark.parametrize("target", ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"])
def test_a_real_server_calls_a_tool(target, llama_with_tools):
    with llama_router(llama_with_tools) as router:
        answer = router.complete("Weather in Graz?", target=target, tools=[TOOL], max_tokens=200)
    (call,) = answer.tool_calls
    assert (call.name, call.arguments.replace(" ", "")) == ("get_weather", '{"city":"Graz"}')
    assert answer.finish_reason == "tool_calls"


def test_with_no_keys_and_only_a_local_server_up_that_one_answers(llama):
    environment = {"LM_STUDIO_URL": llama.rstrip("/").removesuffix("/v1")}
    with Router.load(data_root(), environment=environment) as router:
        answer = router.complete("hi")
    assert answer.target.startswith("lm_studio/")
    assert answer.cost == 0


def test_with_nothing_up_it_says_what_to_start_or_set():
    environment = {"OLLAMA_HOST": "http://127.0.0.1:9", "LM_STUDIO_URL": "http://127.0.0.1:9"}
    with Router.load(data_root(), environment=environment) as router:
        with pytest.raises(NoEligibleTarget) as caught:
            router.complete("hi")
    text = str(caught.value)
    for advice in ("ollama serve", "lms server start", "set OPENAI_API_KEY", "install it"):
        assert advice in text
