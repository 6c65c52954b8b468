"""Anthropic: `/v1/messages`, `/v1/messages/count_tokens` and `/v1/models`.

Shapes and errors follow Anthropic's documentation and SDK types as of November 2026, for the
API versions 2023-06-01 and 2026-10-21. A thinking block is sent where the request asks for
thinking; its text is empty unless `display` is `summarized`, as with current models.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec
from llmroute.sim.dialects.anthropic_check import Checks
from llmroute.sim.dialects.anthropic_write import event, frames, message, text_of
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.exchange import Recorded, Reply, Stream, Whole, whole
from llmroute.sim.models import ANTHROPIC, Model

__all__ = ["Anthropic"]

_INVALID = "invalid_request_error"
_MODELS = "/v1/models"
#: The most models on one page of the list, and the stages in which a model answers.
_PAGE = 1000
_CALLABLE = ("active", "deprecated")
_RETRY_AFTER = 12
_STRATEGIES = ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")
_SERVER_TOOLS = ("web_search", "code_execution")
_DEPRECATED, _RETIRES = "2026-09-30T00:00:00Z", "2026-11-30T00:00:00Z"


class Anthropic(Dialect):
    """The dialect of api.anthropic.com."""

    kind = "anthropic"
    inference = frozenset({"/v1/messages"})
    default_models = ANTHROPIC
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(401, "invalid x-api-key", "authentication_error"),
        "bad_request": Failure(400, "messages: text content blocks must be non-empty", _INVALID),
        "context": Failure(400, "prompt is too long: 1048310 tokens > 1000000 maximum", _INVALID),
        "model_missing": Failure(404, "model: claude-none-9", "not_found_error"),
        "not_found": Failure(404, "Not found", "not_found_error"),
        "overloaded": Failure(
            529, "Overloaded", "overloaded_error", headers={"x-should-retry": "true"}
        ),
        "permission": Failure(
            403,
            "Your API key does not have permission to use the specified resource.",
            "permission_error",
        ),
        "policy": Failure(400, "Output blocked by content filtering policy", _INVALID),
        "quota": Failure(402, "Your credit balance is too low.", "billing_error"),
        "rate_limit": Failure(
            429,
            "This request would exceed your organization's rate limit.",
            "rate_limit_error",
        ),
        "server_error": Failure(500, "Internal server error", "api_error"),
        "timeout": Failure(504, "The request timed out.", "timeout_error"),
        "too_large": Failure(413, "Request exceeds the maximum size", "request_too_large"),
    }

    def _routes(self) -> dict[tuple[str, str], Callable[[Recorded, Answer | None], Reply]]:
        return {
            ("POST", "/v1/messages"): self._messages,
            ("POST", "/v1/messages/count_tokens"): self._count,
            ("GET", _MODELS): self._list,
        }

    def _fallback(self, request: Recorded) -> Callable[[Recorded, Answer | None], Reply]:
        if request.method == "GET" and request.path.startswith(f"{_MODELS}/"):
            return self._one
        return super()._fallback(request)

    def respond(self, request: Recorded, scripted: Answer | None = None) -> Reply:
        """Answer, after the headers that every request needs."""
        if self.authorized(request) is None:
            return self.failure("auth", message="x-api-key header is required")
        if "anthropic-version" not in request.headers:
            return self.failure("bad_request", message="anthropic-version: header is required")
        return super().respond(request, scripted)

    def authorized(self, request: Recorded) -> str | None:
        """Return `x-api-key`, or the bearer token that newer clients send."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return request.headers.get("x-api-key") or (token if scheme.lower() == "bearer" else None)

    def error_body(self, failure: Failure, request_id: str) -> Any:
        """Return `{"type": "error", "error": {type, message}, "request_id"}`."""
        error: dict[str, Any] = {"type": failure.type, "message": failure.message}
        if failure.code is not None:
            error["details"] = {"error_code": failure.code}
        return {"type": "error", "error": error, "request_id": request_id}

    def error_frame(self) -> bytes:
        """Return an `error` event; no `message_stop` follows."""
        return event(self.error_body(self.conditions["overloaded"], self.next_id("req_")))

    def id_headers(self, request_id: str) -> dict[str, str]:
        """Return `request-id` and the organization."""
        organization = "00000000-0000-0000-0000-000000000000"
        return {"request-id": request_id, "anthropic-organization-id": organization}

    def failure(self, condition: str, **changes: Any) -> Whole:
        """Build an error; a rate limit says when it resets."""
        if condition == "rate_limit" and "headers" not in changes:
            changes["headers"] = self._exhausted()
        return super().failure(condition, **changes)

    def limit_headers(self) -> dict[str, str]:
        """Return `anthropic-ratelimit-requests-*`; the reset is an RFC 3339 time."""
        limit = self.settings.limit
        known = limit.headers() if limit else {}
        shown = {name: str(value) for name, value in known.items()}
        if known:
            shown["reset"] = self._time_in(known["reset"])
        return {f"anthropic-ratelimit-requests-{name}": value for name, value in shown.items()}

    def _exhausted(self) -> dict[str, str]:
        reset = self._time_in(_RETRY_AFTER)
        figures = {"requests": (1000, 0), "input-tokens": (80_000, 0), "output-tokens": (16_000, 1)}
        headers = {"retry-after": str(_RETRY_AFTER)}
        for name, (limit, share) in figures.items():
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(limit * share)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers

    def _time_in(self, seconds: float) -> str:
        moment = time.gmtime(self.settings.clock() + seconds)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)

    def _list(self, request: Recorded, _scripted: Answer | None) -> Reply:
        asked = parse_qs(request.query)
        stages = asked.get("lifecycle[]") or asked.get("lifecycle") or _CALLABLE
        models = [model for model in self.models.values() if model.lifecycle in stages]
        page, more = self._page(models, asked)
        ends = (page[0].id, page[-1].id) if page else (None, None)
        listed = {"data": [_listed(model) for model in page], "has_more": more}
        return whole({**listed, "first_id": ends[0], "last_id": ends[1]})

    def _page(
        self, models: list[Model], asked: Mapping[str, list[str]]
    ) -> tuple[list[Model], bool]:
        """Cut out what was asked for, and say whether there is more in that direction."""
        limit = asked.get("limit", ["20"])[0]
        if not limit.isdecimal() or not 1 <= int(limit) <= _PAGE:
            raise self.refuse("bad_request", message=f"limit: must be from 1 to {_PAGE}")
        before = self._place(models, asked.get("before_id"))
        if before is not None:
            start = max(before - int(limit), 0)
            return models[start:before], start > 0
        after = self._place(models, asked.get("after_id"))
        start = 0 if after is None else after + 1
        return models[start : start + int(limit)], start + int(limit) < len(models)

    def _place(self, models: list[Model], cursor: list[str] | None) -> int | None:
        ids = [model.id for model in models]
        if cursor is not None and cursor[0] not in ids:
            raise self.refuse("bad_request", message=f"there is no model {cursor[0]} in this list")
        return None if cursor is None else ids.index(cursor[0])

    def _one(self, request: Recorded, _scripted: Answer | None) -> Reply:
        return whole(_listed(self._known(request.path.removeprefix(f"{_MODELS}/"))))

    def _known(self, name: Any) -> Model:
        if name not in self.models:
            raise self.refuse("model_missing", message=f"model: {name}")
        return self.models[name]

    def _model(self, name: Any) -> Model:
        """Return a model that answers: retired ones are listed at most."""
        model = self._known(name)
        if model.lifecycle not in _CALLABLE:
            raise self.refuse("model_missing", message=f"model: {name}")
        return model

    def _checked(self, request: Recorded, *, counting: bool) -> tuple[Model, Prompt]:
        body = self.json_object(request)
        checks = Checks(self.refuse, body, request.headers["anthropic-version"])
        checks.fields(counting=counting)
        model = self._model(body["model"])
        checks.model_rules(model)
        checks.messages()
        prompt = _prompt(body)
        if prompt.size > model.context and not counting:
            message = f"prompt is too long: {prompt.size} tokens > {model.context} maximum"
            raise self.refuse("context", message=message)
        return model, prompt

    def _count(self, request: Recorded, _scripted: Answer | None) -> Reply:
        _, prompt = self._checked(request, counting=True)
        return whole({"input_tokens": prompt.size})

    def _messages(self, request: Recorded, scripted: Answer | None) -> Reply:
        model, prompt = self._checked(request, counting=False)
        answer = self.settle(prompt, scripted)
        headers = {**self.id_headers(self.next_id("req_")), **self.limit_headers()}
        thinking = request.body.get("thinking") or {}
        shown = scripted is not None or thinking.get("display") == "summarized"
        built = message(
            answer, self.next_id("msg_"), answer.served_model or model.id, show_thinking=shown
        )
        if request.stream:
            named = {**headers, "content-type": "text/event-stream; charset=utf-8"}
            return Stream(frames(built, answer), named)
        return whole(built, headers=headers, tokens=answer.generated)


def _prompt(body: Mapping[str, Any]) -> Prompt:
    messages = body["messages"]
    last = messages[-1]
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    choice = body.get("tool_choice") or {}
    results = [block for block in _blocks(last) if block.get("type") == "tool_result"]
    said = [one for one in messages if one["role"] == "user" and text_of(one.get("content"))]
    form = (body.get("output_config") or {}).get("format") or {}
    return Prompt(
        model=body["model"],
        text=text_of(said[-1]["content"]) if said else "",
        size=_size(body),
        images=sum(_images(one) for one in messages),
        tools=tuple(ToolSpec(tool["name"], tool["input_schema"]) for tool in tools),
        tool_choice={"any": "required", "tool": choice.get("name", "")}.get(
            choice.get("type", "auto"), choice.get("type", "auto")
        ),
        parallel=not choice.get("disable_parallel_tool_use"),
        tool_result=" ".join(text_of(one.get("content")) for one in results) if results else None,
        format_schema=form.get("schema"),
        max_tokens=body.get("max_tokens"),
        stop=tuple(body.get("stop_sequences") or ()),
        reasons=(body.get("thinking") or {}).get("type") not in (None, "disabled"),
    )


def _blocks(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = one.get("content")
    return content if isinstance(content, list) else []


def _images(one: Mapping[str, Any]) -> int:
    return sum(block.get("type") == "image" for block in _blocks(one))


def _size(body: Mapping[str, Any]) -> int:
    import json

    texts = [text_of(body.get("system"))]
    for one in body["messages"]:
        texts.append(text_of(one.get("content")))
        texts += [text_of(block.get("content")) for block in _blocks(one) if "content" in block]
        texts += [json.dumps(block["input"]) for block in _blocks(one) if "input" in block]
    texts += [json.dumps(tool) for tool in body.get("tools") or ()]
    images = sum(_images(one) for one in body["messages"])
    return tokens.count("".join(texts)) + tokens.IMAGE_TOKENS * images


def _supported(names: tuple[str, ...], accepted: tuple[str, ...]) -> dict[str, Any]:
    flags = {name: {"supported": name in accepted} for name in names}
    return {"supported": bool(accepted), **flags}


def _listed(model: Model) -> dict[str, Any]:
    thinking = ("adaptive", "enabled", "disabled", "between_tools")
    accepted = model.thinking or ("disabled",)  # true of a model that cannot think
    yes = {"supported": True}
    capabilities = {
        "batch": yes,
        "citations": yes,
        "code_execution": yes,
        "context_management": _supported(_STRATEGIES, _STRATEGIES),
        "effort": _supported(("low", "medium", "high", "xhigh", "max"), model.efforts),
        "image_input": {"supported": model.vision},
        "pdf_input": {"supported": model.vision},
        "server_tools": _supported(_SERVER_TOOLS, _SERVER_TOOLS),
        "structured_outputs": yes,
        "thinking": {
            "supported": bool(model.thinking),
            "types": {name: {"supported": name in accepted} for name in thinking},
        },
    }
    family, *version = model.id.removeprefix("claude-").split("-")
    return {
        "id": model.id,
        "type": "model",
        "display_name": f"Claude {family.title()} {'.'.join(version)}",
        "created_at": "2026-09-22T00:00:00Z",
        "lifecycle": model.lifecycle,
        "line": family,
        "deprecated_at": None if model.lifecycle == "active" else _DEPRECATED,
        "retires_at": None if model.lifecycle == "active" else _RETIRES,
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
        "capabilities": capabilities,
    }
