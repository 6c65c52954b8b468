"""What must hold for every answer, and folding a stream into a whole one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy.facts.facts import Facts
from llmroute.types import (
    Chunk,
    FinishReason,
    Request,
    Response,
    ToolCall,
    ToolCallDelta,
    Usage,
)

__all__ = ["Tally", "check_answer", "check_model", "check_prompt", "collect", "unfolded"]

_UNKNOWN_USAGE = Usage(estimated=True)
#: A count below this share of an estimate of so many tokens or more is no matter of tokenizers.
_CUT_SHARE, _CUT_LEAST = 0.4, 1_000
_WORD = re.compile(r"[a-z0-9.]+")


@dataclass(slots=True)
class Tally:
    """What an answer has held so far."""

    content: bool = False
    reasoning: bool = False
    finish: FinishReason | None = None
    usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Count one chunk."""
        self.content = self.content or chunk.has_content
        self.reasoning = self.reasoning or bool(chunk.reasoning)
        self.finish = chunk.finish_reason or self.finish
        self.usage = chunk.usage or self.usage

    @classmethod
    def of(cls, response: Response) -> Tally:
        """Count a whole answer."""
        content = bool(response.text or response.refusal or response.tool_calls)
        return cls(content, bool(response.reasoning), response.finish_reason, response.usage)


def check_answer(tally: Tally, target: Target) -> list[str]:
    """Check a finished answer and return what is worth a warning.

    An answer is empty if it has no text, tool call or refusal, and no output tokens or no
    finish reason. LM Studio answers so, with status 200, to a prompt that does not fit.

    Raises:
        TargetError: the answer is empty (`empty`), the prompt did not fit (`context`), or the
            answer has no finish reason (`malformed`).

    """
    usage = tally.usage or _UNKNOWN_USAGE
    if tally.content or tally.finish == "content_filter":
        pass
    elif tally.finish is None or not (usage.output or tally.reasoning):
        raise _empty(usage, target)
    else:
        return [f"the answer has no text: it ended with {tally.finish}{_eaten(tally)}"]
    if tally.finish is None:
        raise TargetError(ErrorKind.MALFORMED, "the answer ended without a finish reason")
    return []


def check_model(served: str, target: Target) -> list[str]:
    """Hold the model that a server says it served against the one that was asked.

    Versions and tags of one model agree: all words of the shorter name are in the longer one.
    Another model is worth a warning, since gateways and aliases rename them; but a server that
    was asked under a name of its own list has answered with what it happened to have loaded.
    `strict_model` of the endpoint decides it for all of its models.

    Raises:
        TargetError: another model answered, where that is not allowed (`model_missing`).

    """
    asked, told = (set(_WORD.findall(name.lower())) for name in (target.upstream, served))
    if not told or asked <= told or told <= asked:
        return []
    message = f"asked for {target.upstream}, the server answered with {served}"
    strict = target.provider.endpoint.strict_model
    if not (target.discovered if strict is None else strict):
        return [message]
    raise TargetError(ErrorKind.MODEL_MISSING, message, help=f"load {target.upstream} there")


def check_prompt(request: Request, usage: Usage | None, target: Target) -> list[str]:
    """Hold a local server's count of the prompt against its estimate.

    Servers that load a model with a smaller window than was asked for, or know no `truncate`, drop
    the oldest messages without a word. Tools and schemas are left out of the estimate, since not
    every server writes them into the prompt, and images, since nobody can tell how many tokens
    they are.
    """
    if usage is None or usage.estimated or target.provider.locality != "local":
        return []
    facts = Facts(replace(request, tools=(), response_format=None))
    if request.input_tokens is not None or facts.images:
        return []
    expected = facts.tokens_for(target.tokenizer)
    if expected < _CUT_LEAST or usage.input >= _CUT_SHARE * expected:
        return []
    counted = f"the server counted {usage.input:,} tokens of a prompt of about {expected:,}"
    return [f"{counted}: it may have dropped the oldest messages; give the model a larger window"]


def _eaten(tally: Tally) -> str:
    return " after reasoning alone; allow more tokens" if tally.finish == "length" else ""


def _empty(usage: Usage, target: Target) -> TargetError:
    window = target.context_window
    if window is not None and usage.input >= window:
        message = f"an empty answer to {usage.input} tokens; the window holds {window}"
        return TargetError(ErrorKind.CONTEXT, message, help="shorten the prompt")
    return TargetError(
        ErrorKind.EMPTY,
        "the answer was empty",
        help="the model may have failed, or the prompt may not fit its window",
    )


@dataclass(slots=True)
class _Fold:
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, list[str]] = field(default_factory=dict)
    finish: FinishReason | None = None
    usage: Usage | None = None
    model: str | None = None
    id: str | None = None
    blocks: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        self.text.append(chunk.text)
        self.reasoning.append(chunk.reasoning)
        self.refusal.append(chunk.refusal)
        self.finish = chunk.finish_reason or self.finish
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model
        self.id = chunk.id or self.id
        if chunk.thinking_block is not None:
            self.blocks.append(chunk.thinking_block)
        if (delta := chunk.tool_call) is not None:
            call = self.calls.setdefault(delta.index, ["", "", ""])
            call[0] = call[0] or delta.id or ""
            call[1] = call[1] or delta.name or ""
            call[2] += delta.arguments

    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(*self.calls[index]) for index in sorted(self.calls))


def collect(chunks: Iterable[Chunk], target: Target, warnings: Sequence[str] = ()) -> Response:
    """Fold the chunks of one answer into a whole answer.

    Raises:
        TargetError: the answer is empty or has no finish reason.

    """
    fold, tally = _Fold(), Tally()
    for chunk in chunks:
        fold.add(chunk)
        tally.add(chunk)
    found = check_answer(tally, target)
    response = Response(
        text="".join(fold.text) or None,
        finish_reason=fold.finish or "stop",
        usage=fold.usage or _UNKNOWN_USAGE,
        model=fold.model or target.upstream,
        id=fold.id,
        tool_calls=fold.tool_calls(),
        reasoning="".join(fold.reasoning) or None,
        refusal="".join(fold.refusal) or None,
        thinking_blocks=tuple(fold.blocks),
    )
    return replace(response, warnings=(*warnings, *found))


def unfolded(response: Response) -> Iterator[Chunk]:
    """Give a whole answer out as chunks, for servers that do not stream when asked to."""
    yield Chunk(model=response.model, id=response.id)
    yield Chunk(reasoning=response.reasoning or "")
    for block in response.thinking_blocks:
        yield Chunk(thinking_block=block)
    yield Chunk(text=response.text or "", refusal=response.refusal or "")
    for index, call in enumerate(response.tool_calls):
        yield Chunk(tool_call=ToolCallDelta(index, call.id, call.name, call.arguments))
    yield Chunk(usage=response.usage)
    yield Chunk(finish_reason=response.finish_reason)
