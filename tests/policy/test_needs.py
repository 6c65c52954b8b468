"""Requests that a shipped model would refuse or misread are ruled out beforehand, with why.

Which model takes what is from the vendors' documentation, as of November 2026.
"""

from __future__ import annotations

from typing import Any

import pytest

from llmroute.policy import Policy, policy_source
from llmroute.policy.facts.facts import Facts
from llmroute.types import Request
from tests.adapter.shipped import shipped

POLICY = Policy(policy_source("all", {"all": {"policy": "all"}}))
ASK = {"role": "user", "content": "q"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USED = [ASK, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c"}]
OPENAI, CLAUDE = "openai/gpt-6-sol", "anthropic/claude-opus-5-5"
HAIKU45, CLI = "anthropic/claude-haiku-4-5", "claude_code/claude-opus-5-5"
OLLAMA, LM_STUDIO = "ollama/gemma3:4b", "lm_studio/google/gemma-4-26b-a4b"
EVERYONE = (OPENAI, CLAUDE, HAIKU45, CLI, OLLAMA, LM_STUDIO)


def part(kind: str, **inner: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": kind, kind: inner}]}]


def named(name: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name}}]


@pytest.mark.parametrize(
    ("prompt", "fields", "need", "able"),
    [
        ([ASK, {"role": "assistant", "content": "So"}], {}, "prefill", {HAIKU45, OLLAMA}),
        (
            part("image_url", url="https://example.org/a.png"),
            {},
            "image_urls",
            {OPENAI, CLAUDE, HAIKU45},
        ),
        (
            part("file", file_data="data:application/pdf;base64,QQ=="),
            {},
            "pdf",
            {OPENAI, CLAUDE, HAIKU45},
        ),
        (part("file", file_data="data:text/csv;base64,QQ=="), {}, "files", {OPENAI}),
        (part("file", file_id="file-1"), {}, "files", {OPENAI}),
        (part("input_audio", data="QQ==", format="wav"), {}, "audio", set()),
        (part("video_url", url="https://example.org/a.mp4"), {}, "content_part", set()),
        ([ASK], {"response_format": {"type": "json_object"}}, "json_object", {OPENAI, OLLAMA}),
        (USED, {}, "tools", {OPENAI, CLAUDE, HAIKU45, LM_STUDIO}),
        ([ASK], {"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tool_type", set()),
        ([ASK], {"tools": named("n" * 65)}, "tool_names", {CLAUDE, HAIKU45, LM_STUDIO}),
        ([ASK], {"tools": named("n" * 129)}, "tool_names", {LM_STUDIO}),
        ([ASK], {"tools": named("a.b")}, "tool_names", {LM_STUDIO}),
        ([ASK], {"tools": named("n") * 129}, "max_tools", {CLAUDE, HAIKU45, LM_STUDIO}),
        ([ASK], {"tools": named("n") * 128}, None, {OPENAI, CLAUDE, HAIKU45, LM_STUDIO}),
        ([ASK], {"tools": named("n" * 64)}, None, {OPENAI, CLAUDE, HAIKU45, LM_STUDIO}),
        ([ASK], {"response_format": {"type": "text"}}, None, set(EVERYONE)),
    ],
)
def test_who_is_ruled_out(prompt: Any, fields: Any, need: str | None, able: set[str]) -> None:
    request = Request.of(prompt, **fields)
    decision = POLICY.decide(request, [shipped()[name] for name in EVERYONE])
    assert {target.id for target in decision.targets} == able
    reasons = {r.target: r.requirement for r in decision.rejections if r.requirement == need}
    if need:
        tooless = {CLI, OLLAMA} if need in ("tool_names", "max_tools") else set()
        assert set(reasons) == set(EVERYONE) - able - tooless
    assert all(r.reason and r.origin == "request" for r in decision.rejections)


def test_reasons_are_in_plain_words() -> None:
    decision = POLICY.decide(
        [ASK, {"role": "assistant", "content": "So"}], [shipped()[CLAUDE]], tools=named("n" * 129)
    )
    assert [r.reason for r in decision.rejections] == [
        "the assistant speaks last, to be continued; the target refuses or ignores that",
        "a tool's name has 129 characters; the target takes 128",
    ]


@pytest.mark.parametrize("content", [None, "", [], [{"type": ["odd"]}], [{}]])
def test_odd_content_breaks_nothing(content: Any) -> None:
    needs = Facts(Request.of([{"role": "user", "content": content}])).needs
    assert set(needs) <= {"content_part"}


def test_a_plain_request_needs_nothing() -> None:
    facts = Facts(Request.of([ASK, {"role": "assistant", "content": "a"}, ASK]))
    assert (facts.needs, facts.tool_name_length) == ((), 0)
