"""Two agent programs that are called by YAML alone: the stand-ins, and the real ones if there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.adapter.framing import NdjsonFramer
from llmroute.catalog.model import Target
from llmroute.errors import TargetError
from llmroute.sim import Sim
from llmroute.sim.agents import write_agent
from llmroute.types import Request
from tests.adapter.declared.foreign import (
    PARAMETERS,
    PNG,
    TOOL_TALK,
    WEATHER,
    complete,
    protocol_of,
    stream,
    target_of,
)
from tests.adapter.wire import ByteServer, http

COMMANDS: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "codex-exec": (
        "codex",
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--ephemeral",
        "--sandbox",
        "read-only",
        ("--model", "{model}"),
        ("-c", "model_instructions_file={system_file}"),
        ("-c", "model_reasoning_effort={effort}"),
        ("--output-schema", "{json_schema_file}"),
        "-",
    ),
    "gemini-cli": (
        "gemini",
        "-o",
        "json",
        "--skip-trust",
        "--approval-mode",
        "plan",
        ("--model", "{model}"),
    ),
}


def _target(name: str, folder: Path, behaviour: str = "ok") -> Target:
    program = str(COMMANDS[name][0])
    write_agent(folder, program, behaviour=behaviour, call=folder / "call.json")
    command = (str(folder / program), *COMMANDS[name][1:])
    environment = {"PATH": "/usr/bin:/bin"}
    return target_of(
        name, model="m-1", transport="process", command=command, environment=environment
    )


def _called(folder: Path) -> dict[str, Any]:
    noted: dict[str, Any] = json.loads((folder / "call.json").read_text())
    return noted


@pytest.mark.parametrize("name", COMMANDS)
def test_an_answer(name: str, tmp_path: Path) -> None:
    target = _target(name, tmp_path)
    whole = complete(target, Request.of("Say hello"))
    assert whole.text == "m-1 heard: Say hello"
    assert whole.finish_reason == "stop"
    assert (whole.usage.input, whole.usage.output, whole.usage.reasoning) == (3, 10, 5)
    assert not whole.usage.estimated
    chunks = stream(target, Request.of("Say hello"))
    assert collect(chunks, target).text == whole.text
    assert chunks[-1].finish_reason == "stop"
    assert _called(tmp_path)["stdin"] == "Say hello"


def test_what_codex_is_given(tmp_path: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": PARAMETERS}}
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]
    request = Request.of(said, response_format=form, reasoning_effort="low", max_tokens=5)
    whole = complete(_target("codex-exec", tmp_path), request)
    assert whole.text == '{"city":"text"}'
    assert whole.reasoning == "**Thinking** about it"
    assert whole.warnings == ("max_tokens was dropped: the protocol has no such parameter",)
    call = _called(tmp_path)
    assert call["stdin"] == "Say hello"
    assert "model_reasoning_effort=low" in call["arguments"]
    assert any(word.startswith("model_instructions_file=/") for word in call["arguments"])


def test_a_system_text_without_an_option_begins_the_prompt(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]
    complete(_target("gemini-cli", tmp_path), Request.of(said))
    assert _called(tmp_path)["stdin"] == "Be brief.\n\nSay hello"


def test_a_conversation_becomes_a_transcript(tmp_path: Path) -> None:
    said = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ]
    complete(_target("codex-exec", tmp_path), Request.of(said))
    typed = _called(tmp_path)["stdin"]
    assert "<user>\nOne\n</user>" in typed
    assert "<assistant>\nTwo\n</assistant>" in typed


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("behaviour", "kinds"),
    [
        ("auth", {"auth"}),
        ("quota", {"quota", "rate_limit"}),
        ("dropped", {"transient"}),
        ("truncate", {"malformed"}),
        ("crash", {"unavailable", "transient", "malformed"}),
        ("empty", {"empty"}),
    ],
)
def test_failures(name: str, behaviour: str, kinds: set[str], tmp_path: Path) -> None:
    target = _target(name, tmp_path, behaviour)
    with pytest.raises(TargetError) as whole:
        complete(target, Request.of("Say hello"))
    assert whole.value.kind in kinds, whole.value
    with pytest.raises(TargetError) as streamed:
        stream(target, Request.of("Say hello"))
    assert streamed.value.kind == whole.value.kind


def test_what_the_server_said_is_shown(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as found:
        complete(_target("gemini-cli", tmp_path, "auth"), Request.of("Say hello"))
    assert found.value.message == "API key not valid. Please pass a valid API key."
    assert found.value.help == "run `gemini` and log in, or set GEMINI_API_KEY"


def test_a_new_try_is_no_failure(tmp_path: Path) -> None:
    target = _target("codex-exec", tmp_path, "reconnect")
    assert complete(target, Request.of("Say hello")).text == "m-1 heard: Say hello"


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_program_cannot_take_is_refused(name: str, tmp_path: Path) -> None:
    target = _target(name, tmp_path)
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    for request in (
        Request.of("hi", tools=[WEATHER]),
        Request.of(TOOL_TALK),
        Request.of([{"role": "user", "content": [picture]}]),
    ):
        with pytest.raises(TargetError) as found:
            complete(target, request)
        assert found.value.kind == "capability"
    assert not (tmp_path / "call.json").exists()


#: A run of codex 0.169 against a server that thought and then answered.
RECORDED = """\
{"type":"thread.started","thread_id":"01a20573-452e-7a92-9090-a7dea1e06ede"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"reasoning","text":"**Thinking** about it"}}
{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"Hello there."}}
{"type":"turn.completed","usage":{"input_tokens":1000,"cached_input_tokens":300,\
"cache_write_input_tokens":0,"output_tokens":42,"reasoning_output_tokens":30}}
"""


def test_a_recorded_run_of_codex() -> None:
    decoder, framer = protocol_of("codex-exec").decoder(), NdjsonFramer()
    chunks = [c for event in framer.feed(RECORDED.encode()) for c in decoder.feed(event)]
    answer = collect(chunks, target_of("codex-exec"))
    assert (answer.text, answer.reasoning) == ("Hello there.", "**Thinking** about it")
    assert answer.id == "01a20573-452e-7a92-9090-a7dea1e06ede"
    usage = answer.usage
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == (1000, 300, 42, 30)


def _responses() -> bytes:
    """Return what a server of OpenAI's Responses says that answers with `Hello there.`."""
    item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
    said = {"type": "output_text", "text": "Hello there.", "annotations": []}
    done = {**item, "content": [said]}
    head = {"id": "r", "object": "response", "created_at": 1, "model": "m-1"}
    counts = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 300},
        "output_tokens": 42,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 1042,
    }
    ended = {**head, "status": "completed", "output": [done], "usage": counts}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": done},
        {"type": "response.completed", "response": ended},
    ]
    text = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    return http(text, content_type="text/event-stream")


@pytest.mark.skipif(shutil.which("codex") is None, reason="the Codex CLI is not installed")
def test_the_real_codex_cli(tmp_path: Path) -> None:
    with ByteServer(_responses()) as server:
        server_of = f'name="x",base_url="{server.url}/v1",env_key="K",wire_api="responses"'
        ours = f"model_providers.x={{{server_of},request_max_retries=0,stream_max_retries=0}}"
        options = ("--ignore-user-config", "-c", 'model_provider="x"', "-c", ours)
        command = (str(shutil.which("codex")), *COMMANDS["codex-exec"][1:-1], *options, "-")
        path = f"{Path(str(shutil.which('node'))).parent}:/usr/bin:/bin"
        environment = {"PATH": path, "HOME": str(tmp_path), "CODEX_HOME": str(tmp_path), "K": "k"}
        target = target_of(
            "codex-exec",
            model="gpt-6-sol",
            transport="process",
            command=command,
            environment=environment,
        )
        talk = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say hello"},
        ]
        answer = complete(target, Request.of(talk, reasoning_effort="low"))
        asked = next(raw for raw in server.requests if b"POST" in raw[:4])
    assert answer.text == "Hello there."
    usage = answer.usage
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == (1000, 300, 42, 30)
    assert b"Be brief." in asked
    assert b'"effort":"low"' in asked
    with ByteServer(http('{"error": {"message": "Incorrect API key"}}', 401)) as server:
        broken = tuple(
            part.replace(ours, ours.replace(ours.split('"')[3], f"{server.url}/v1"))
            if isinstance(part, str)
            else part
            for part in command
        )
        failing = target_of(
            "codex-exec",
            model="gpt-6-sol",
            transport="process",
            command=broken,
            environment=environment,
        )
        with pytest.raises(TargetError) as found:
            complete(failing, Request.of("Say hello"))
    assert found.value.kind == "auth"


@pytest.mark.skipif(shutil.which("gemini") is None, reason="the Gemini CLI is not installed")
def test_the_real_gemini_cli(tmp_path: Path) -> None:
    home = tmp_path / ".gemini"
    home.mkdir()
    chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home / "settings.json").write_text(json.dumps(chosen))
    with Sim("gemini") as sim:
        target = target_of(
            "gemini-cli",
            model="gemini-2.5-flash",
            transport="process",
            command=(str(shutil.which("gemini")), *COMMANDS["gemini-cli"][1:]),
            environment={
                "PATH": str(Path(str(shutil.which("node"))).parent),
                "HOME": str(tmp_path),
                "GEMINI_API_KEY": "sim",
                "GOOGLE_GEMINI_BASE_URL": sim.url,
            },
        )
        sim.script("Hello there.")
        answer = complete(target, Request.of("Say hello"))
        assert answer.text == "Hello there."
        assert answer.model == "gemini-2.5-flash"
        assert answer.usage.output == 3
        from llmroute.sim import Fault

        sim.script(Fault.failure("auth"), times=None)
        with pytest.raises(TargetError) as found:
            complete(target, Request.of("Say hello"))
        assert found.value.kind == "auth"
        assert found.value.message == "API key not valid. Please pass a valid API key."
