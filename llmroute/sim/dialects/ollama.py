"""Ollama: `/`, `/api/version`, `/api/tags`, `/api/show`, `/api/ps` and `/api/chat`.

Follows the server's source of August 2026 (v0.33). An overlong chat loses its oldest messages
unless it says `truncate: false`, `stream` is on unless it is turned off, a model that can think
does so unless told not to, and `tool_choice` does not exist. A model is loaded with the window
that a chat asks for, and loaded anew for a chat that asks for another one.

Quirks: `busy` (True answers every chat with 503); `truncates` (True cuts overlong chats whatever
they say, as versions did that knew no `truncate`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, Whole, json_bytes, whole
from llmroute.sim.models import OLLAMA, Model

__all__ = ["Ollama"]

_VERSION = "0.33.0"
_MODIFIED = "2026-08-01T10:00:00Z"
_NANOSECONDS_A_TOKEN = 1_000_000
_NDJSON = {"content-type": "application/x-ndjson"}
_DEFAULT_CONTEXT = 4096
_BYTES = 4_661_224_676
_LOADING = 2_000_000_000

Handler = Callable[[Recorded, Answer | None], Reply]


class Ollama(Dialect):
    """The dialect of an Ollama server."""

    kind = "ollama"
    inference = frozenset({"/api/chat"})
    default_models = OLLAMA
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(401, "unauthorized"),
        "bad_request": Failure(400, "invalid request"),
        "context": Failure(400, "the input length exceeds the context length"),
        "model_missing": Failure(404, "model 'nope' not found"),
        "not_found": Failure(404, "404 page not found"),
        "overloaded": Failure(
            503, "server busy, please try again.  maximum pending requests exceeded"
        ),
        "permission": Failure(403, "forbidden"),
        "policy": Failure(400, "blocked"),
        "quota": Failure(402, "you have reached your usage limit"),
        "rate_limit": Failure(429, "too many requests"),
        "server_error": Failure(500, "an error was encountered while running the model"),
        "timeout": Failure(504, "timeout"),
        "too_large": Failure(413, "http: request body too large"),
    }

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._loaded = {name: one.loaded for name, one in self.models.items() if one.loaded}

    def _routes(self) -> dict[tuple[str, str], Handler]:
        alive: Handler = lambda _request, _scripted: _plain("Ollama is running")  # noqa: E731
        return {
            ("GET", "/"): alive,
            ("HEAD", "/"): alive,
            ("GET", "/api/version"): lambda _request, _scripted: whole({"version": _VERSION}),
            ("GET", "/api/tags"): self._tags,
            ("POST", "/api/show"): self._show,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/chat"): self._chat,
        }

    def _fallback(self, request: Recorded) -> Handler:  # noqa: ARG002
        return lambda _request, _scripted: _plain("404 page not found", 404)

    def authorized(self, request: Recorded) -> str | None:
        """Return the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def error_body(self, failure: Failure, request_id: str) -> Any:  # noqa: ARG002
        """Return `{"error": text}`."""
        extra = {"signin_url": "https://ollama.com/connect"} if failure.status == 401 else {}
        return {"error": failure.message, **extra}

    def error_frame(self) -> bytes:
        """Return an error line; the status stays 200 and no `done` line follows."""
        return _line({"error": self.conditions["server_error"].message})

    def id_headers(self, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Return no headers: Ollama names no requests."""
        return {}

    def _model(self, body: Mapping[str, Any]) -> Model:
        name = body.get("model") or body.get("name")
        if not name:
            raise self.refuse("bad_request", message="model is required")
        found = self.models.get(name) or self.models.get(f"{name}:latest")
        if found is None:
            raise self.refuse("model_missing", message=f"model '{name}' not found")
        return found

    def _tags(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        return whole({"models": [_tag(model) for model in self.models.values()]})

    def _show(self, request: Recorded, _scripted: Answer | None) -> Reply:
        model = self._model(self.json_object(request))
        info = {
            "general.architecture": model.family,
            "general.parameter_count": _parameters(model),
            f"{model.family}.context_length": model.context,
            f"{model.family}.embedding_length": 4096,
        }
        shown = {
            "license": "Apache 2.0",
            "modelfile": f"FROM {model.id}",
            "parameters": f"num_ctx {model.num_ctx}" if model.num_ctx else "",
            "template": "{{ .Prompt }}",
            "details": _details(model),
            "model_info": info,
            "capabilities": _capabilities(model),
            "modified_at": _MODIFIED,
        }
        return whole({**shown, **_remote(model)})

    def _ps(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        until = time.gmtime(self.settings.clock() + 300)
        loaded = self._loaded.items()
        return whole({"models": [_process(self.models[n], size, until) for n, size in loaded]})

    def _chat(self, request: Recorded, scripted: Answer | None) -> Reply:
        body = self.json_object(request)
        model = self._model(body)
        if self.settings.quirks.get("busy"):
            raise self.refuse("overloaded")
        if not body.get("messages"):
            return self._kept(model, body)
        thinks = self._check(model, body)
        prompt = self._fitting(model, body, _prompt(model, body, thinks=thinks))
        loading = self._load(model, body)
        answer = self.settle(prompt, scripted)
        return self._reply(model, body, answer, loading)

    def _check(self, model: Model, body: Mapping[str, Any]) -> bool:
        """Refuse what the model cannot do; whether it will think."""
        if body.get("tools") and not model.tools:
            raise self.refuse(
                "bad_request",
                message=f"registry.ollama.ai/library/{model.id} does not support tools",
            )
        think = body.get("think")
        if think and not model.reasoning:
            raise self.refuse("bad_request", message=f'"{model.id}" does not support thinking')
        if isinstance(think, str) and think not in ("low", "medium", "high", "max"):
            message = (
                f'invalid think value: "{think}" (must be "high", "medium", "low", true, or false)'
            )
            raise self.refuse("bad_request", message=message)
        images = any(message.get("images") for message in body["messages"])
        if images and not model.vision:
            message = "this model is missing data required for image input"
            raise self.refuse("server_error", message=message)
        return model.reasoning and think is not False

    def _window(self, model: Model, body: Mapping[str, Any]) -> int:
        """Return the window that a chat asks for: its own, the Modelfile's or the default."""
        if model.remote:
            return model.context
        asked = (body.get("options") or {}).get("num_ctx")
        return min(asked or model.num_ctx or _DEFAULT_CONTEXT, model.context)

    def _fitting(self, model: Model, body: Mapping[str, Any], prompt: Prompt) -> Prompt:
        """Drop the oldest messages of a chat that is too long, unless it says not to."""
        from dataclasses import replace

        window, messages = self._window(model, body), list(body["messages"])
        if prompt.size <= window:
            return prompt
        if body.get("truncate") is False and not self.settings.quirks.get("truncates"):
            raise self.refuse("context")
        size = prompt.size
        while size > window and len(messages) > 1:
            oldest = next((i for i, one in enumerate(messages) if one.get("role") != "system"), 0)
            del messages[oldest]
            size = _prompt(model, {**body, "messages": messages}, thinks=prompt.reasons).size
        return replace(prompt, size=min(size, window))

    def _load(self, model: Model, body: Mapping[str, Any]) -> int:
        """Load the model as a chat asks for it; nanoseconds that it takes."""
        window = self._window(model, body)
        if model.remote or self._loaded.get(model.id) == window:
            return 1
        self._loaded[model.id] = window
        return _LOADING

    def _stamped(self, model: Model) -> dict[str, Any]:
        moment = time.gmtime(self.settings.clock())
        remote = {name: value for name, value in _remote(model).items() if value}
        created = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", moment)
        return {"model": model.id, **remote, "created_at": created}

    def _kept(self, model: Model, body: Mapping[str, Any]) -> Reply:
        """Load or unload a model: what a chat without messages is for."""
        reason = "unload" if body.get("keep_alive") == 0 else "load"
        if reason == "unload":
            self._loaded.pop(model.id, None)
        else:
            self._load(model, body)
        said = {"role": "assistant", "content": ""}
        return whole({**self._stamped(model), "message": said, "done": True, "done_reason": reason})

    def _reply(self, model: Model, body: Mapping[str, Any], answer: Answer, loading: int) -> Reply:
        base = self._stamped(model)
        base["model"] = answer.served_model or model.id
        calls = self._calls(answer)
        final = _final(answer, loading)
        if body.get("stream", True) is not False:
            return Stream(_frames(base, answer, calls, final), _NDJSON)
        said: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            said["thinking"] = answer.reasoning
        if calls:
            said["tool_calls"] = calls
        return whole({**base, "message": said, **final}, tokens=answer.generated)

    def _calls(self, answer: Answer) -> list[dict[str, Any]]:
        prefix = self.next_id("call_")
        return [
            {
                "id": f"{prefix}_{index}",
                "function": {
                    "index": index,
                    "name": tool.name,
                    "arguments": dict(tool.arguments),
                },
            }
            for index, tool in enumerate(answer.tools)
        ]


def _plain(text: str, status: int = 200) -> Whole:
    return Whole(status, text.encode(), {"content-type": "text/plain; charset=utf-8"})


def _line(value: Mapping[str, Any]) -> bytes:
    return json_bytes(value) + b"\n"


def _prompt(model: Model, body: Mapping[str, Any], *, thinks: bool) -> Prompt:
    messages, options = body["messages"], body.get("options") or {}
    last = messages[-1]
    said = [one.get("content") or "" for one in messages if one.get("role") == "user"]
    tools = [tool["function"] for tool in body.get("tools") or ()]
    images = sum(len(one.get("images") or ()) for one in messages)
    written = "".join(one.get("content") or "" for one in messages)
    cap = options.get("num_predict")
    stop = options.get("stop") or ()
    form = body.get("format")
    return Prompt(
        model=model.id,
        text=said[-1] if said else "",
        size=tokens.count(written + "".join(map(_text, tools))) + tokens.IMAGE_TOKENS * images,
        images=images,
        tools=tuple(ToolSpec(tool["name"], tool.get("parameters") or {}) for tool in tools),
        tool_result=last.get("content") if last.get("role") == "tool" else None,
        format_schema=form if isinstance(form, Mapping) else (form == "json" or None),
        max_tokens=cap if cap and cap > 0 else None,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        reasons=thinks,
    )


def _text(value: Any) -> str:
    return json_bytes(value).decode()


def _frames(
    base: Mapping[str, Any],
    answer: Answer,
    calls: list[dict[str, Any]],
    final: Mapping[str, Any],
) -> Iterator[Frame]:
    def line(size: int, **said: Any) -> Frame:
        message = {"role": "assistant", "content": "", **said}
        return Frame(_line({**base, "message": message, "done": False}), size)

    for piece in tokens.pieces(answer.reasoning):
        yield line(tokens.count(piece), thinking=piece)
    for piece in answer.parts:
        yield line(tokens.count(piece), content=piece)
    for call in calls:
        yield line(tokens.count(_text(call["function"])), tool_calls=[call])
    message = {"role": "assistant", "content": ""}
    yield Frame(_line({**base, "message": message, **final}), closing=True)


def _final(answer: Answer, loading: int) -> dict[str, Any]:
    """Figures of the last line; a figure that is zero is left out, as the server does."""
    # A call ends with `stop`: Ollama has no other word for it.
    reason = "stop" if answer.finish in ("tool_calls", "content_filter") else answer.finish
    read, made = answer.input_tokens or 0, answer.generated
    figures = {
        "total_duration": (read + made) * _NANOSECONDS_A_TOKEN + loading,
        "load_duration": loading,
        "prompt_eval_count": read,
        "prompt_eval_duration": read * _NANOSECONDS_A_TOKEN,
        "eval_count": made,
        "eval_duration": made * _NANOSECONDS_A_TOKEN,
    }
    known = {name: value for name, value in figures.items() if value}
    return {"done": True, "done_reason": reason, **known}


def _capabilities(model: Model) -> list[str]:
    flags = {"vision": model.vision, "tools": model.tools, "thinking": model.reasoning}
    return ["completion", *(name for name, has in flags.items() if has)]


def _details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "" if model.remote else "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameters,
        "quantization_level": model.quantization,
    }


def _remote(model: Model) -> dict[str, str]:
    if model.remote is None:
        return {}
    return {"remote_model": model.id.removesuffix("-cloud"), "remote_host": model.remote}


def _parameters(model: Model) -> int:
    return round(float(model.parameters.rstrip("B").partition("B-")[0]) * 1_000_000_000)


def _digest(model: Model) -> str:
    from zlib import crc32

    return f"{crc32(model.id.encode()):08x}" * 8


def _tag(model: Model) -> dict[str, Any]:
    known = {"context_length": model.context, "embedding_length": 4096}
    details = {**_details(model), **({} if model.remote else known)}
    return {
        "name": model.id,
        "model": model.id,
        **_remote(model),
        "modified_at": _MODIFIED,
        "size": 384 if model.remote else _BYTES,
        "digest": _digest(model),
        "details": details,
        "capabilities": _capabilities(model),
    }


def _process(model: Model, window: int, until: time.struct_time) -> dict[str, Any]:
    return {
        "name": model.id,
        "model": model.id,
        "size": _BYTES,
        "digest": _digest(model),
        "details": _details(model),
        "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", until),
        "size_vram": _BYTES,
        "context_length": window,
    }
