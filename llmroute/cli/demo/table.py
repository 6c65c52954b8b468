"""The demo's requests, in order, each with the route that is expected of it.

The winners have margins that a few measured latencies cannot overturn. `fast` comes first,
because nothing has been measured then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["STEPS", "Case", "Kill"]


@dataclass(frozen=True, slots=True)
class Case:
    """One request: its name, what it is, its policy and fields, and what must come of it.

    `target` must answer; `failed` must have been tried before it, and nobody else. `finish` is
    the expected finish reason, `stream` whether the answer is streamed.
    """

    name: str
    what: str
    policy: str
    prompt: Any
    target: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    finish: str = "stop"
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """A provider's server goes away; `kind` is the simulator's, `name` what is told."""

    kind: str
    name: str


_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
_PICTURE = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": _PIXEL}},
        ],
    }
]
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
_SENTIMENT = {
    "type": "json_schema",
    "json_schema": {
        "name": "sentiment",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative"]}},
            "required": ["sentiment"],
            "additionalProperties": False,
        },
    },
}
_CODE = "def add(a, b):\n    return a - b\n\nWhy is the sum wrong?"
_REPORT = "Summarise this report. " + "The quarter went well, and so did the next. " * 27_000
_PRIVATE = {"metadata": {"privacy": "private"}}

STEPS: tuple[Case | Kill, ...] = (
    Case(
        name="fast",
        what="a completion that a person waits for",
        policy="fastest",
        prompt="Complete this sentence: the train to Graz",
        stream=True,
        target="ollama/qwen3:8b",
    ),
    Case(
        name="everyday",
        what="an everyday question",
        policy="balanced",
        prompt="What is the capital of Austria?",
        target="ollama/llama3.3:70b",
    ),
    Case(
        name="private",
        what="a prompt labelled private",
        policy="balanced",
        prompt="Summarise our salaries",
        fields=_PRIVATE,
        target="ollama/llama3.3:70b",
    ),
    Case(
        name="code",
        what="a bug to explain, tagged code",
        policy="balanced",
        prompt=_CODE,
        fields={"tags": ["code"]},
        target="openai/gpt-6.1-terra",
    ),
    Case(
        name="vision",
        what="a picture",
        policy="local-first",
        prompt=_PICTURE,
        target="lm_studio/google/gemma-4-26b-a4b",
    ),
    Case(
        name="tools",
        what="a question that needs a tool",
        policy="balanced",
        prompt="Get weather in Graz",
        fields={"tools": [_WEATHER]},
        finish="tool_calls",
        target="openai/gpt-6.1-terra",
    ),
    Case(
        name="huge",
        what="a report of about 300,000 tokens",
        policy="balanced",
        prompt=_REPORT,
        target="openai/gpt-6-luna",
    ),
    Case(
        name="cheap",
        what="one of many reviews to sort, at most 5 tokens",
        policy="cheapest",
        prompt="Positive or negative: I like it",
        fields={"max_tokens": 5},
        finish="length",
        target="ollama/llama3.3:70b",
    ),
    Case(
        name="best",
        what="a contract to draft, whatever it costs",
        policy="best-quality",
        prompt="Draft the contract",
        target="openai/gpt-6-astra",
    ),
    Case(
        name="json schema",
        what="an answer that must follow a JSON Schema",
        policy="local-first",
        prompt="Is this review positive? I like it.",
        fields={"response_format": _SENTIMENT},
        target="lm_studio/openai/gpt-oss-20b",
    ),
    Case(
        name="max cost",
        what="the best answer for at most $0.002",
        policy="best-quality",
        prompt="Draft a reminder",
        fields={"max_tokens": 200, "route": {"max_cost": 0.002}},
        target="openai/gpt-6.1-terra",
    ),
    Case(
        name="only",
        what="the caller wants Anthropic",
        policy="balanced",
        prompt="Name three rivers",
        fields={"route": {"only": ["anthropic"]}},
        target="anthropic/claude-haiku-5-5",
    ),
    Case(
        name="a program",
        what="the caller wants the Claude Code CLI",
        policy="balanced",
        prompt="Name three mountains",
        fields={"route": {"only": ["claude_code"]}},
        target="claude_code/claude-haiku-5-5",
    ),
    Kill("openai", "OpenAI"),
    Case(
        name="code again",
        what="the first choice is gone, the next vendor answers",
        policy="balanced",
        prompt=_CODE.replace("sum", "result"),
        fields={"tags": ["code"]},
        failed=("openai/gpt-6.1-terra",),
        target="anthropic/claude-opus-5-5",
    ),
    Case(
        name="stream again",
        what="streamed; nobody waits for OpenAI while its circuit is open",
        policy="balanced",
        prompt=_CODE.replace("sum", "outcome"),
        fields={"tags": ["code"]},
        stream=True,
        target="anthropic/claude-opus-5-5",
    ),
    Kill("ollama", "Ollama"),
    Case(
        name="private again",
        what="the next one is local too, though the cloud is up",
        policy="balanced",
        prompt="Summarise our debts",
        fields=_PRIVATE,
        failed=("ollama/llama3.3:70b",),
        target="lm_studio/google/gemma-4-26b-a4b",
    ),
)
