"""Failover keeps meaning: a conversation with tools goes to another provider and back.

Claude over Messages and a GPT over Responses, each a simulator behind the shipped rules; what
they are sent is read from the sockets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmroute import Response, Router
from llmroute.sim import Answer, Fault, Sim
from llmroute.sim.answer import ToolUse

FILE = """\
provider: {name}
locality: local
endpoint: {{transport: http, protocol: {protocol}, base_url: "{url}", {more}}}
models:
  - model: m
    upstream: {upstream}
    context_window: 100000
    max_output: 4000
    capabilities: {{tools: true, reasoning: true, streaming: true}}
    wire: {{thinking: [adaptive], efforts: [low, high], tool_names: 64}}
    cost: {{input: {price}, output: 10}}
"""
CLAUDE = {
    "protocol": "anthropic-messages",
    "upstream": "claude-opus-5-5",
    "more": 'headers: {anthropic-version: "VERSION"}, auth: {header: x-api-key, value: env:KEY}',
}
GPT = {"protocol": "openai-responses", "upstream": "gpt-6-sol", "more": "auth: none"}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("get_weather", "look-up_2")
]


@pytest.fixture(params=["2023-06-01", "2026-10-21"])
def servers(tmp_path: Path, request: Any) -> Iterator[tuple[Sim, Sim, Router]]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "providers.d").mkdir()
    rules = "policy: balanced\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"
    (tmp_path / "policies" / "balanced.yaml").write_text(rules)
    with Sim("anthropic") as claude, Sim("openai") as gpt:
        for name, url, price, data in (
            ("claude", claude.url, 1, CLAUDE),
            ("gpt", f"{gpt.url}/v1", 2, GPT),
        ):
            more = data["more"].replace("VERSION", request.param)
            text = FILE.format(**{**data, "more": more}, name=name, url=url, price=price)
            (tmp_path / "providers.d" / f"{name}.yaml").write_text(text)
        with Router.load(tmp_path, environment={"KEY": "k"}) as router:
            yield claude, gpt, router


def calls(name: str, **arguments: Any) -> Answer:
    return Answer(reasoning="Let me see.", tools=(ToolUse(name, arguments),), finish="tool_calls")


def results(answer: Response) -> list[Any]:
    return [
        answer.message,
        *(
            {"role": "tool", "tool_call_id": c.id, "content": f"of {c.name}"}
            for c in answer.tool_calls
        ),
    ]


def test_there_and_back_again(servers: tuple[Sim, Sim, Router]) -> None:
    claude, gpt, router = servers
    talk: list[Any] = [{"role": "user", "content": "How is the weather?"}]
    claude.script(calls("get_weather", city="Graz"))
    first = router.complete(talk, tools=TOOLS)
    assert (first.target, [c.name for c in first.tool_calls]) == ("claude/m", ["get_weather"])
    assert first.thinking_blocks
    talk += results(first)

    # Claude is down: the GPT goes on, without the thoughts that only Claude can read.
    claude.script(Fault.failure("overloaded"))
    gpt.script(calls("look-up_2", of="Graz"))
    second = router.complete(talk, tools=TOOLS, stream=False)
    assert second.target == "gpt/m"
    seen = gpt.inferences[-1].body
    assert "thinking" not in json.dumps(seen["input"])
    assert "signature" not in json.dumps(seen)
    call, result = seen["input"][1:3]
    assert (call["call_id"], call["name"]) == (first.tool_calls[0].id, "get_weather")
    assert json.loads(call["arguments"]) == {"city": "Graz"}
    assert (result["call_id"], result["output"]) == (call["call_id"], "of get_weather")
    assert second.thinking_blocks
    talk += results(second)

    # And back: Claude gets its own thoughts byte by byte, and none of the GPT's.
    claude.clear()
    claude.script(Answer(text="12 degrees."), times=None)
    third = router.complete(talk, tools=TOOLS, route={"only": ["claude"]})
    assert (third.target, third.text) == ("claude/m", "12 degrees.")
    turns = claude.inferences[-1].body["messages"]
    own = first.thinking_blocks[0]
    thought, used = turns[1]["content"]
    assert thought["thinking"] == "Let me see."
    assert own["signature"].endswith(f":{thought['signature']}")
    assert (used["id"], used["name"]) == (first.tool_calls[0].id, "get_weather")
    assert used["input"] == {"city": "Graz"}
    (later,) = turns[3]["content"]
    assert later["type"] == "tool_use"
    assert (later["id"], later["name"]) == (second.tool_calls[0].id, "look-up_2")
    assert turns[4]["content"][0]["tool_use_id"] == second.tool_calls[0].id
    assert "encrypted" not in json.dumps(turns)


def test_ids_that_a_wire_refuses_come_back_as_they_were(servers: tuple[Sim, Sim, Router]) -> None:
    """Ids made elsewhere: other characters, or longer than one provider takes."""
    claude, gpt, router = servers
    for odd in ("call:1|x", "c" * 80):
        call = {"id": odd, "type": "function", "function": {"name": "get_weather"}}
        talk = [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": odd, "content": "r"},
        ]
        claude.script(Fault.failure("overloaded"))
        answer = router.complete(talk, tools=TOOLS)
        assert answer.target == "gpt/m"
        said, told = claude.inferences[-1].body["messages"][1:3]
        assert said["content"][0]["id"] == told["content"][0]["tool_use_id"]
        made, output = gpt.inferences[-1].body["input"][1:3]
        assert made["call_id"] == output["call_id"]
        assert len(made["call_id"]) <= 64
