"""What a simulated model answers: always the same answer to the same prompt.

Every dialect reads its request into a `Prompt`, asks `compose` for the `Answer` and writes that
in its own shape. The rules, in order:

1. Tools are called where the choice forces one, or where the last message is the user's and
   names a tool (`_` and `-` may be written as spaces). The arguments are the smallest instance
   of the tool's parameters.
2. A JSON Schema gives the smallest instance of it, as compact JSON.
3. Otherwise the answer is `MODEL heard: PROMPT`, the prompt cut to 200 characters, followed by
   the number of images, if any. After a tool's result it is `MODEL was told: RESULT`.

The answer is cut at the first stop text and at the output cap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmroute.sim import tokens
from llmroute.sim.instance import instance

__all__ = ["Answer", "Finish", "Prompt", "ToolSpec", "ToolUse", "compose"]

#: Why an answer ended; each dialect has its own word for it.
Finish = str

_ECHO = 200


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function that the prompt offers; `parameters` is its JSON Schema."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A function that the answer calls."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a dialect understood of a request.

    `text` is the last user message, `tool_result` the text of a tool's result where that is
    the last message, `size` the tokens of everything. `tool_choice` is `auto`, `none`,
    `required` or a tool's name. `format_schema` is True for "any JSON object".
    """

    model: str
    text: str = ""
    size: int = 1
    images: int = 0
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    parallel: bool = True
    tool_result: str | None = None
    format_schema: Mapping[str, Any] | bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, composed or scripted.

    `finish` is `stop`, `length`, `tool_calls`, `content_filter` or a word of the dialect's own.
    `input_tokens` and `output_tokens` are counted by the rule of `tokens` where they are None;
    `cached` and `cache_written` are parts of the input. `served_model` names another model
    than the one asked for, `stopped_at` the stop text that ended it. `fragments` fixes the
    pieces of a streamed text.
    """

    text: str = ""
    reasoning: str = ""
    tools: tuple[ToolUse, ...] = ()
    refusal: str | None = None
    finish: Finish = "stop"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached: int = 0
    cache_written: int = 0
    served_model: str | None = None
    stopped_at: str | None = None
    fragments: tuple[str, ...] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The pieces in which the text is streamed."""
        return tuple(tokens.pieces(self.text)) if self.fragments is None else self.fragments

    @property
    def generated(self) -> int:
        """Tokens of everything generated, reasoning included."""
        if self.output_tokens is not None:
            return self.output_tokens
        calls = "".join(tool.name + arguments_text(tool) for tool in self.tools)
        spoken = self.text + calls + (self.refusal or "")
        return (tokens.count(spoken) if spoken else 0) + self.thought

    @property
    def thought(self) -> int:
        """Tokens of the reasoning."""
        return tokens.count(self.reasoning) if self.reasoning else 0


def arguments_text(tool: ToolUse) -> str:
    """Write the arguments of a call as compact JSON text."""
    return json.dumps(tool.arguments, separators=(",", ":"), ensure_ascii=False)


def compose(prompt: Prompt) -> Answer:
    """Answer `prompt` by the rules of this module."""
    reasoning = "Short question, short answer." if prompt.reasons else ""
    answer = Answer(reasoning=reasoning, input_tokens=prompt.size)
    called = _called(prompt)
    if called:
        return replace(answer, tools=called, finish="tool_calls")
    return _capped(replace(answer, text=_spoken(prompt)), prompt)


def _called(prompt: Prompt) -> tuple[ToolUse, ...]:
    if not prompt.tools or prompt.tool_choice == "none":
        return ()
    named = [tool for tool in prompt.tools if _mentioned(tool.name, prompt.text)]
    if prompt.tool_choice == "required":
        wanted = named or list(prompt.tools)[:1]
    elif prompt.tool_choice == "auto":
        wanted = named if prompt.tool_result is None else []
    else:
        wanted = [tool for tool in prompt.tools if tool.name == prompt.tool_choice]
    wanted = wanted if prompt.parallel else wanted[:1]
    return tuple(
        ToolUse(tool.name, instance({"type": "object", **tool.parameters})) for tool in wanted
    )


def _mentioned(name: str, text: str) -> bool:
    words = [re.escape(word) for word in re.split(r"[_\-]", name) if word]
    return bool(words) and bool(re.search(rf"\b{'[ _-]'.join(words)}\b", text, re.IGNORECASE))


def _spoken(prompt: Prompt) -> str:
    if prompt.format_schema is True:
        return json.dumps({"answer": prompt.text[:_ECHO]}, separators=(",", ":"))
    if isinstance(prompt.format_schema, Mapping):
        return json.dumps(instance(prompt.format_schema), separators=(",", ":"))
    if prompt.tool_result is not None:
        return f"{prompt.model} was told: {prompt.tool_result[:_ECHO]}"
    heard = " ".join(prompt.text.split())[:_ECHO] or "nothing"
    images = f" (and saw {prompt.images} image{'s' * (prompt.images > 1)})" * bool(prompt.images)
    return f"{prompt.model} heard: {heard}{images}"


def _capped(answer: Answer, prompt: Prompt) -> Answer:
    text = answer.text
    met = [stop for stop in prompt.stop if stop and stop in text]
    if met:
        first = min(met, key=text.index)
        return replace(answer, text=text.partition(first)[0], stopped_at=first)
    if prompt.max_tokens is not None and tokens.count(text) + answer.thought > prompt.max_tokens:
        room = max(0, prompt.max_tokens - answer.thought)
        reasoning = answer.reasoning[: 4 * prompt.max_tokens]
        return replace(answer, text=text[: 4 * room], reasoning=reasoning, finish="length")
    return answer
