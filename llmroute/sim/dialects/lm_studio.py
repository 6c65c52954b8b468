"""LM Studio: `/v1/chat/completions`, `/v1/models`, `/api/v1/models` and `/api/v0/models`.

Follows LM Studio's published documentation (state of April 2026) and reports of its users.
Quirks:

- `jit` (default True): a model that is not loaded is loaded when asked for. With False the one
  loaded model answers whatever name was asked; with none loaded the answer is 404.
- `overflow`: what happens when a prompt exceeds the loaded window. `error` (default) is a 400
  whose error is plain text, `event` an error event in a stream with status 200, `empty` a
  successful answer without any content.
- `reasoning_field`: `reasoning` (default) or `reasoning_content`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.dialects.chat import (
    DONE,
    data_event,
    prompt_of,
    tool_deltas,
    tool_objects,
)
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, Whole, whole
from llmroute.sim.models import LM_STUDIO, Model

__all__ = ["LMStudio"]

_INVALID = "invalid_request_error"
_SSE = {"content-type": "text/event-stream"}
_OVERFLOWN = b'event: error\ndata: {"error":{"message":"Context size has been exceeded."}}\n\n'
_DEFAULT_LOAD = 4096

Handler = Callable[[Recorded, Answer | None], Reply]


class LMStudio(Dialect):
    """The dialect of an LM Studio server."""

    kind = "lm_studio"
    inference = frozenset({"/v1/chat/completions"})
    default_models = LM_STUDIO
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(401, "Invalid API token.", _INVALID, "invalid_api_key"),
        "bad_request": Failure(400, "Invalid request.", _INVALID),
        "context": Failure(400, ""),
        "model_missing": Failure(
            404,
            "No models loaded. Please load a model in the developer page or use the 'lms load' "
            "command.",
            _INVALID,
            param="model",
        ),
        "overloaded": Failure(503, "The model is busy.", "server_error"),
        "permission": Failure(403, "Forbidden.", _INVALID),
        "policy": Failure(400, "Blocked.", _INVALID),
        "quota": Failure(402, "Out of credits.", _INVALID),
        "rate_limit": Failure(429, "Too many requests.", "rate_limit_error"),
        "server_error": Failure(500, "The model has crashed without additional information."),
        "timeout": Failure(504, "Timed out.", "server_error"),
        "too_large": Failure(413, "request entity too large", _INVALID),
    }

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._loaded = {name: one.loaded for name, one in self.models.items() if one.loaded}

    def _routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("POST", "/v1/chat/completions"): self._chat,
            ("GET", "/v1/models"): self._compat_list,
            ("GET", "/api/v0/models"): self._v0_list,
            ("GET", "/api/v1/models"): self._v1_list,
            ("POST", "/api/v1/models/load"): self._load,
            ("POST", "/api/v1/models/unload"): self._unload,
        }

    def authorized(self, request: Recorded) -> str | None:
        """Return the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def error_body(self, failure: Failure, request_id: str) -> Any:  # noqa: ARG002
        """Return OpenAI's shape, or `{"error": text}` where the failure has no type."""
        if not failure.type:
            return {"error": failure.message or _too_long(15857, 4096)}
        error = {"message": failure.message, "type": failure.type}
        return {"error": {**error, "param": failure.param, "code": failure.code}}

    def error_frame(self) -> bytes:
        """Return an `error` event."""
        return b"event: error\n" + data_event(
            {"error": {"message": self.conditions["server_error"].message}}
        )

    def id_headers(self, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Return no headers: LM Studio names no requests."""
        return {}

    def _compat_list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        jit = self.settings.quirks.get("jit", True)
        shown = [name for name in self.models if jit or name in self._loaded]
        data = [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in shown]
        return whole({"data": data, "object": "list"})

    def _v0_list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        data = [_v0(one, self._loaded.get(one.id)) for one in self.models.values()]
        return whole({"object": "list", "data": data})

    def _v1_list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        return whole(
            {"models": [_v1(one, self._loaded.get(one.id)) for one in self.models.values()]}
        )

    def _load(self, request: Recorded, _scripted: Answer | None) -> Reply:
        body = self.json_object(request)
        name = body.get("model")
        if name not in self.models:
            raise self._unknown(name)
        self._loaded[name] = body.get("context_length") or _DEFAULT_LOAD
        loaded = {"type": "llm", "instance_id": name, "load_time_seconds": 0.0}
        return whole({**loaded, "status": "loaded"})

    def _unload(self, request: Recorded, _scripted: Answer | None) -> Reply:
        name = self.json_object(request).get("instance_id")
        self._loaded.pop(name or "", None)
        return whole({"instance_id": name})

    def _unknown(self, name: Any) -> Exception:
        message = f"Model '{name}' not found. Please download it first."
        return self.refuse("model_missing", message=message, code="model_not_found")

    def _served(self, name: Any) -> Model:
        """Return the model that answers, which need not be the one that was asked."""
        jit = self.settings.quirks.get("jit", True)
        if name in self._loaded:
            return self.models[name]
        if jit and name in self.models:
            self._loaded[name] = _DEFAULT_LOAD
            return self.models[name]
        if not self._loaded:
            raise self.refuse("model_missing")
        if jit or len(self._loaded) > 1:
            raise self._unknown(name)
        return self.models[next(iter(self._loaded))]

    def _chat(self, request: Recorded, scripted: Answer | None) -> Reply:
        body = self.json_object(request)
        if not body.get("messages"):
            raise self.refuse("bad_request", message="'messages' field is required")
        model = self._served(body.get("model"))
        self._check(model, body)
        prompt = prompt_of({**body, "model": model.id}, reasons=_reasons(model, body))
        window = self._loaded[model.id]
        overflown = prompt.size > window and scripted is None
        if overflown and (reply := self._overflow(request, prompt, window)):
            return reply
        answer = Answer(output_tokens=0) if overflown else scripted
        return self._reply(body, model, self.settle(prompt, answer))

    def _check(self, model: Model, body: Mapping[str, Any]) -> None:
        if body.get("response_format", {}).get("type") == "json_object":
            message = "'response_format.type' must be 'json_schema' or 'text'"
            raise self.refuse("bad_request", message=message, type="")
        prompt = prompt_of({**body, "model": model.id})
        if prompt.images and not model.vision:
            message = "Model does not support images. Please use a model that does."
            raise self.refuse("bad_request", message=message, type="")

    def _overflow(self, request: Recorded, prompt: Prompt, window: int) -> Reply | None:
        """Build the reply to an overlong prompt; None where it is an empty success."""
        how = self.settings.quirks.get("overflow", "error")
        if how == "empty":
            return None
        if how == "event" and request.stream:
            return Stream([Frame(_OVERFLOWN, closing=True)], _SSE)
        return self.failure("context", message=_too_long(prompt.size, window))

    def _reply(self, body: Mapping[str, Any], model: Model, answer: Answer) -> Reply:
        served = answer.served_model or model.id
        base = {
            "id": self.next_id("chatcmpl-"),
            "created": int(self.settings.clock()),
            "model": served,
            "system_fingerprint": served,
        }
        field = self.settings.quirks.get("reasoning_field", "reasoning")
        if body.get("stream"):
            with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return Stream(_frames(base, answer, field, with_usage=with_usage), _SSE)
        return _completion(base, answer, field)


def _too_long(size: int, window: int) -> str:
    return (
        f"Trying to keep the first {size} tokens when context the overflows. However, the model "
        f"is loaded with context length of only {window} tokens, which is not enough. Try to "
        "load the model with a larger context length, or provide a shorter input."
    )


def _reasons(model: Model, body: Mapping[str, Any]) -> bool:
    return model.reasoning and body.get("reasoning_effort") != "none"


def _usage(answer: Answer) -> dict[str, Any]:
    prompt, completion = answer.input_tokens or 0, answer.generated
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    thought = {"completion_tokens_details": {"reasoning_tokens": answer.thought}}
    return {**usage, **(thought if answer.thought else {})}


def _completion(base: Mapping[str, Any], answer: Answer, field: str) -> Whole:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message[field] = answer.reasoning
    message["tool_calls"] = tool_objects(answer, base["id"][9:])
    choice = {"index": 0, "logprobs": None, "finish_reason": answer.finish, "message": message}
    built = {**base, "object": "chat.completion", "choices": [choice], "usage": _usage(answer)}
    return whole({**built, "stats": {}}, tokens=answer.generated)


def _frames(
    base: Mapping[str, Any], answer: Answer, field: str, *, with_usage: bool
) -> Iterator[Frame]:
    shared = {**base, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data_event({**shared, "choices": [choice]})

    yield Frame(chunk({"role": "assistant"}))
    for piece in tokens.pieces(answer.reasoning):
        yield Frame(chunk({field: piece}), tokens.count(piece))
    for piece in answer.parts:
        yield Frame(chunk({"content": piece}), tokens.count(piece))
    for delta, size in tool_deltas(answer, base["id"][9:]):
        yield Frame(chunk(delta), size)
    yield Frame(chunk({}, answer.finish), closing=True)
    if with_usage:
        yield Frame(data_event({**shared, "choices": [], "usage": _usage(answer)}), closing=True)
    yield DONE


def _v0(model: Model, loaded: int | None) -> dict[str, Any]:
    shown = {
        "id": model.id,
        "object": "model",
        "type": "vlm" if model.vision else "llm",
        "publisher": model.publisher,
        "arch": model.family,
        "compatibility_type": "gguf",
        "quantization": model.quantization,
        "state": "loaded" if loaded else "not-loaded",
        "max_context_length": model.context,
    }
    window = {"loaded_context_length": loaded} if loaded else {}
    return {**shown, **window, **({"capabilities": ["tool_use"]} if model.tools else {})}


def _v1(model: Model, loaded: int | None) -> dict[str, Any]:
    config = {
        "context_length": loaded,
        "eval_batch_size": 512,
        "parallel": 4,
        "flash_attention": True,
        "offload_kv_cache_to_gpu": True,
    }
    capabilities: dict[str, Any] = {"vision": model.vision, "trained_for_tool_use": model.tools}
    if model.reasoning:
        capabilities["reasoning"] = {"allowed_options": ["off", "on"], "default": "on"}
    variant = f"{model.id}@{model.quantization.lower()}"
    return {
        "type": "llm",
        "publisher": model.publisher,
        "key": model.id,
        "display_name": model.id.rpartition("/")[2].replace("-", " ").title(),
        "architecture": model.family,
        "quantization": {"name": model.quantization, "bits_per_weight": 4},
        "size_bytes": 17_990_911_801,
        "params_string": model.parameters,
        "loaded_instances": [{"id": model.id, "config": config}] if loaded else [],
        "max_context_length": model.context,
        "format": "gguf",
        "capabilities": capabilities,
        "description": None,
        "variants": [variant],
        "selected_variant": variant,
    }
