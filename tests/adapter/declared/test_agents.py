"""Two agent programs that are called by YAML alone: stand-ins; tests/agents has the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmroute.adapter import collect
from llmroute.adapter.framing import NdjsonFramer
from llmroute.catalog.model import Target
from llmroute.errors import TargetError
from llmroute.sim.agents import write_agent
from llmroute.types import Request
from tests.adapter.declared.commands import COMMANDS
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


#: A run of codex 0.171 whose connection broke after the whole text.
TOLD_AGAIN = """\
{"type":"thread.started","thread_id":"01a227d7-e049-73f0-be0b-c00827148678"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"Hello."}}
{"type":"error","message":"Reconnecting... 1/2 (stream disconnected before completion: stream \
closed before response.completed)"}
{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"Hello there."}}
{"type":"turn.completed","usage":{"input_tokens":9,"output_tokens":3}}
"""


def test_only_the_last_text_of_codex_is_the_answer() -> None:
    decoder, framer = protocol_of("codex-exec").decoder(), NdjsonFramer()
    chunks = [c for event in framer.feed(TOLD_AGAIN.encode()) for c in decoder.feed(event)]
    answer = collect(chunks, target_of("codex-exec"))
    assert (answer.text, answer.reasoning) == ("Hello there.", "Hello.\n\n")
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hello there."]


#: A run of codex 0.171 whose answer was cut; the exit code was 1.
CUT = """\
{"type":"thread.started","thread_id":"01a227d4-b47e-7372-b36a-940a57ff9549"}
{"type":"turn.started"}
{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"Hello there."}}
{"type":"error","message":"Incomplete response returned, reason: max_output_tokens"}
{"type":"turn.failed","error":{"message":"Incomplete response returned, reason: max_output_tokens"}}
"""


def printing(folder: Path, protocol: str, printed: str, code: int = 0) -> Target:
    """Make a target of a program that prints what one of the CLIs printed once."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ncat >&2\ncat <<'END'\n{printed}END\nexit {code}\n")
    program.chmod(0o755)
    command, environment = (str(program),), {"PATH": "/usr/bin:/bin"}
    return target_of(protocol, transport="process", command=command, environment=environment)


@pytest.mark.parametrize(
    ("printed", "code", "kind"),
    [
        (CUT, 1, None),
        (CUT, 2, "unavailable"),
        (RECORDED, 1, "unavailable"),
        (CUT.replace("max_output_tokens", "content_filter"), 1, "policy"),
    ],
)
def test_the_exit_code_of_a_cut_answer(
    printed: str, code: int, kind: str | None, tmp_path: Path
) -> None:
    target = printing(tmp_path, "codex-exec", printed, code)
    if kind is None:
        answer = complete(target, Request.of("Say hello"))
        assert (answer.text, answer.finish_reason) == ("Hello there.", "length")
        assert answer.usage.estimated
        return
    with pytest.raises(TargetError) as found:
        complete(target, Request.of("Say hello"))
    assert found.value.kind == kind


#: Of runs of the Gemini CLI 0.61: one that went round in circles, and two that said nothing.
STOPPED = {
    "response": "Let me look.",
    "stats": {},
    "warnings": ["Loop detected, stopping execution"],
}
SILENT = {
    "The model response was blocked due to safety settings.": "policy",
    "The model response was blocked due to recitation/copyright filters.": "policy",
    "Model response was truncated because it exceeded the token limit. Try using /compress to free "
    "up context space.": "empty",
    "The model returned reasoning thoughts but no final response text. If your context window is "
    "near capacity, try using /compress.": "empty",
}


def test_recorded_answers_of_gemini_that_are_not_whole() -> None:
    answer = protocol_of("gemini-cli").decode(STOPPED, target_of("gemini-cli"))
    assert (answer.text, answer.finish_reason) == ("Let me look.", "length")
    plain = {**STOPPED, "warnings": []}
    assert protocol_of("gemini-cli").decode(plain, target_of("gemini-cli")).finish_reason == "stop"


@pytest.mark.parametrize("message", SILENT)
def test_recorded_answers_of_gemini_without_a_word(message: str, tmp_path: Path) -> None:
    said = {"response": "", "stats": {}, "error": {"type": "INVALID_STREAM", "message": message}}
    target = printing(tmp_path, "gemini-cli", f"{json.dumps(said)}\n")
    with pytest.raises(TargetError) as found:
        complete(target, Request.of("Say hello"))
    assert (found.value.kind, found.value.message) == (SILENT[message], message)
