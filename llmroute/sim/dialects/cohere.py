"""Cohere's API, version 2: `/v2/chat`, streaming and not, and `/v1/models`.

Follows the API reference and the typed models of cohere 7.3. Calls of tools come with a plan, and
every content block and every call has a start, deltas and an end; `message-end` ends a stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, arguments_text
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.dialects.chat import prompt_of
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, json_bytes, whole
from llmroute.sim.models import Model

__all__ = ["Cohere"]

_PLAN = "I will use the tools that were offered."
_FINISH = {
    "stop": "COMPLETE",
    "tool_calls": "TOOL_CALL",
    "length": "MAX_TOKENS",
    "content_filter": "ERROR_TOXIC",
}
#: Fields of a chat request.
_KNOWN = frozenset(
    {
        *("model", "messages", "stream", "tools", "strict_tools", "documents"),
        *("citation_options", "response_format", "safety_mode", "max_tokens", "stop_sequences"),
        *("temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs"),
        *("tool_choice", "thinking", "priority", "raw_prompting"),
    }
)
_ROLES = ("system", "user", "assistant", "tool")
_MODELS = (
    Model("command-a-03-2025", context=288_000, max_output=8_192),
    Model("command-a-reasoning-08-2025", context=288_768, max_output=32_768, reasoning=True),
    Model("command-a-vision-07-2025", context=128_000, max_output=8_192, vision=True, tools=False),
)
Handler = Callable[[Recorded, Answer | None], Reply]


class Cohere(Dialect):
    """The dialect of Cohere's API."""

    kind = "cohere"
    inference: ClassVar[frozenset[str]] = frozenset({"/v2/chat"})
    default_models = _MODELS
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(401, "invalid api token"),
        "bad_request": Failure(400, "invalid request: check the request body"),
        "context": Failure(
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 288000 - "
            "received 300000.",
        ),
        "model_missing": Failure(404, "model 'nope' not found, make sure the correct model ID"),
        "not_found": Failure(404, "page not found"),
        "overloaded": Failure(503, "service unavailable"),
        "permission": Failure(403, "you do not have access to this resource"),
        "policy": Failure(498, "the request was blocked by a safety filter"),
        "quota": Failure(402, "please check your billing details"),
        "rate_limit": Failure(
            429, "You are using a Trial key, which is limited to 20 API calls / minute."
        ),
        "server_error": Failure(500, "internal server error, this has been reported"),
        "timeout": Failure(504, "gateway timeout"),
        "too_large": Failure(413, "request too large"),
    }

    def _routes(self) -> dict[tuple[str, str], Handler]:
        return {("POST", "/v2/chat"): self._chat, ("GET", "/v1/models"): self._list}

    def authorized(self, request: Recorded) -> str | None:
        """Return the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def error_body(self, failure: Failure, request_id: str) -> Any:
        """Return `{"id", "message"}`."""
        return {"id": request_id, "message": failure.message}

    def error_frame(self) -> bytes:
        """Return the `message-end` that reports an error."""
        delta = {"error": "internal server error", "finish_reason": "ERROR"}
        return _event({"type": "message-end", "delta": delta})

    def _list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        return whole({"models": [_listed(model) for model in self.models.values()]})

    def _chat(self, request: Recorded, scripted: Answer | None) -> Reply:
        body = self.json_object(request)
        for problem in _problems(body):
            raise self.refuse("bad_request", message=f"invalid request: {problem}")
        model = self.models.get(body["model"])
        if model is None:
            message = f"model '{body['model']}' not found, make sure the correct model ID"
            raise self.refuse("model_missing", message=message)
        if body.get("tools") and not model.tools:
            raise self.refuse("bad_request", message="tools are not supported by this model")
        answer = self.settle(_prompt(model, body), scripted)
        made = self._message(answer)
        if body.get("stream"):
            headers = {"content-type": "text/event-stream"}
            return Stream(_frames(made, answer, self.next_id("chat-")), headers)
        end = {"finish_reason": _FINISH.get(answer.finish, answer.finish), "usage": _usage(answer)}
        return whole({"id": self.next_id("chat-"), "message": made, **end}, tokens=answer.generated)

    def _message(self, answer: Answer) -> dict[str, Any]:
        said: dict[str, Any] = {"role": "assistant"}
        content = [{"type": "thinking", "thinking": answer.reasoning}] if answer.reasoning else []
        content += [{"type": "text", "text": answer.text}] if answer.text else []
        if answer.tools:
            said["tool_plan"] = _PLAN
            said["tool_calls"] = [
                {
                    "id": self.next_id(f"{tool.name}_"),
                    "type": "function",
                    "function": {"name": tool.name, "arguments": arguments_text(tool)},
                }
                for tool in answer.tools
            ]
        return {**said, "content": content} if content else said


def _problems(body: Mapping[str, Any]) -> Iterator[str]:
    for name in body:
        if name not in _KNOWN:
            yield f"unknown field: parameter '{name}' is not a valid field"
    if not isinstance(body.get("model"), str):
        yield "model is required"
    if not body.get("messages"):
        yield "messages must be at least 1 token long"
    yield from _in_messages(body.get("messages") or ())
    for tool in body.get("tools") or ():
        if "parameters" not in (tool.get("function") or {}):
            yield "tools: function.parameters is required"
    if body.get("tool_choice") not in (None, "REQUIRED", "NONE"):
        yield "tool_choice must be one of REQUIRED, NONE"


def _in_messages(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    known: set[str] = set()
    for message in messages:
        if message.get("role") not in _ROLES:
            yield f"invalid role in message: {message.get('role')!r}"
        known |= {call["id"] for call in message.get("tool_calls") or ()}
        if message.get("role") == "tool" and message.get("tool_call_id") not in known:
            yield "tool call id not found in previous tool calls"
        if message.get("role") != "assistant" and "content" not in message:
            yield "all elements in messages must have content"


def _prompt(model: Model, body: Mapping[str, Any]) -> Prompt:
    form = body.get("response_format") or {}
    kind = {"type": form.get("type", "text")}
    if form.get("json_schema"):
        kind = {"type": "json_schema", "json_schema": {"schema": form["json_schema"]}}
    thinks = (body.get("thinking") or {}).get("type") != "disabled"
    return prompt_of(
        {
            **body,
            "stop": body.get("stop_sequences"),
            "response_format": kind,
            "tool_choice": str(body.get("tool_choice") or "auto").lower(),
        },
        reasons=model.reasoning and thinks,
    )


def _usage(answer: Answer) -> dict[str, Any]:
    read, made = answer.input_tokens or 0, answer.generated
    figures = {"input_tokens": read, "output_tokens": made}
    return {"billed_units": figures, "tokens": figures, "cached_tokens": answer.cached}


def _event(value: Mapping[str, Any]) -> bytes:
    return f"event: {value['type']}\n".encode() + b"data: " + json_bytes(value) + b"\n\n"


def _frames(made: Mapping[str, Any], answer: Answer, answer_id: str) -> Iterator[Frame]:
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
    yield _frame("message-start", {"message": start}, id=answer_id)
    for index, block in enumerate(made.get("content", ())):
        kind = block["type"]
        pieces = answer.parts if kind == "text" else tuple(tokens.pieces(block[kind]))
        yield _frame("content-start", _content({"type": kind, kind: ""}), index=index)
        for piece in pieces:
            size = tokens.count(piece)
            yield _frame("content-delta", _content({kind: piece}), size=size, index=index)
        yield _frame("content-end", None, index=index)
    yield from _calls(made)
    end = {"finish_reason": _FINISH.get(answer.finish, answer.finish), "usage": _usage(answer)}
    yield Frame(_event({"type": "message-end", "id": answer_id, "delta": end}), closing=True)


def _calls(made: Mapping[str, Any]) -> Iterator[Frame]:
    calls = made.get("tool_calls", ())
    for piece in tokens.pieces(made.get("tool_plan", "")):
        yield _frame("tool-plan-delta", {"message": {"tool_plan": piece}})
    for index, call in enumerate(calls):
        written = call["function"]["arguments"]
        empty = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        size = tokens.count(json.dumps(call))
        yield _frame("tool-call-start", {"message": {"tool_calls": empty}}, size=size, index=index)
        middle = len(written) // 2
        for part in (written[:middle], written[middle:]):
            delta = {"message": {"tool_calls": {"function": {"arguments": part}}}}
            yield _frame("tool-call-delta", delta, index=index)
        yield _frame("tool-call-end", None, index=index)


def _content(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"message": {"content": value}}


def _frame(kind: str, delta: Mapping[str, Any] | None, *, size: int = 0, **more: Any) -> Frame:
    return Frame(_event({"type": kind, **more, **({"delta": delta} if delta else {})}), size)


def _listed(model: Model) -> dict[str, Any]:
    able = {"tools": model.tools, "vision": model.vision, "reasoning": model.reasoning}
    return {
        "name": model.id,
        "endpoints": ["chat"],
        "finetuned": False,
        "context_length": model.context,
        "features": ["json_schema", *(name for name, has in able.items() if has)],
    }
