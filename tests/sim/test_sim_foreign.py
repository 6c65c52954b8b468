"""The simulators of foreign APIs refuse what the real servers refuse, in their words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.sim import Answer, Sim, ToolUse
from tests.sim.sim_wire import ask

GEMINI = "/v1/models/gemini-3.5-flash:generateContent"
HI = {"role": "user", "parts": [{"text": "hi"}]}
CALL = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
RESULT = {"functionResponse": {"name": "f", "response": {"result": "r"}}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"contents": [HI], "temperature": 1}, 'Unknown name "temperature"'),
        ({"contents": [HI], "generationConfig": {"max_tokens": 1}}, 'Unknown name "maxTokens"'),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [HI, {"role": "model", "parts": [CALL]}, HI]}, "function response parts"),
        (
            {
                "contents": [
                    HI,
                    {"role": "model", "parts": [{"functionCall": CALL["functionCall"]}]},
                    {"role": "user", "parts": [RESULT]},
                ]
            },
            "thought_signature",
        ),
    ],
)
def test_what_gemini_refuses(body: Any, words: str) -> None:
    with Sim("gemini") as sim:
        got = ask(sim, "POST", GEMINI, body)
    error = got.json["error"]
    assert (got.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert words in error["message"]


def test_gemini_asks_for_its_key_and_knows_its_models() -> None:
    with Sim("gemini", key="k") as sim:
        assert ask(sim, "POST", GEMINI, {"contents": [HI]}).status == 400
        keyed = {"x-goog-api-key": "k"}
        assert ask(sim, "POST", GEMINI, {"contents": [HI]}, keyed).status == 200
        missing = ask(sim, "POST", GEMINI.replace("3.5", "0"), {"contents": [HI]}, keyed)
        assert missing.json["error"]["status"] == "NOT_FOUND"
        beta = ask(sim, "GET", "/v1beta/models/gemini-2.5-flash", None, keyed)
        assert beta.json["name"] == "models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top_p": 0.5}, "'top_p' is not a valid field"),
        ({"messages": []}, "messages must be at least"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "invalid role"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "tool call id"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "parameters is required"),
        ({"tool_choice": "auto"}, "tool_choice"),
    ],
)
def test_what_cohere_refuses(changes: Any, words: str) -> None:
    body = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hi"}]}
    with Sim("cohere") as sim:
        got = ask(sim, "POST", "/v2/chat", {**body, **changes})
    assert got.status == 400
    assert words in got.json["message"]


def test_a_cohere_stream_has_starts_and_ends() -> None:
    body = {
        "model": "command-a-03-2025",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }
    with Sim("cohere") as sim:
        sim.script(Answer("Hello there.", tools=(ToolUse("f", {"a": 1}),), finish="tool_calls"))
        got = ask(sim, "POST", "/v2/chat", body)
    lines = [line for line in got.body.decode().splitlines() if line.startswith("data: ")]
    kinds = [json.loads(line[6:])["type"] for line in lines]
    assert kinds[0] == "message-start"
    assert kinds[-1] == "message-end"
    assert kinds.count("content-delta") == 2
    started, ended = kinds.index("tool-call-start"), kinds.index("tool-call-end")
    assert kinds[started:ended].count("tool-call-delta") == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"inputs": ""}, "`inputs` cannot be empty"),
        ({"inputs": "x", "parameters": {"temperature": 0}}, "strictly positive"),
        ({"inputs": "x", "parameters": {"max_tokens": 1}}, "unknown parameter"),
        ({"inputs": "x", "parameters": {"stop": list("abcde")}}, "up to 4 stop sequences"),
        ({"inputs": "word " * 5000}, "must be <= 4096"),
    ],
)
def test_what_tgi_refuses(body: Any, words: str) -> None:
    with Sim("tgi") as sim:
        got = ask(sim, "POST", "/generate", body)
    assert (got.status, got.json["error_type"]) == (422, "validation")
    assert words in got.json["error"]
