"""OpenAI: `/v1/chat/completions`, `/v1/responses` and `/v1/models`.

Shapes, errors and what the models refuse follow OpenAI's published specification and SDK types
as of November 2026. Chat Completions never shows reasoning; a scripted answer's is only counted.
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
from llmroute.sim.dialects.responses import Writer
from llmroute.sim.dialects.responses import prompt_of as responses_prompt
from llmroute.sim.dialects.responses_check import Checks, function_fault, tools_fault
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, whole
from llmroute.sim.models import OPENAI, Model

__all__ = ["OpenAI"]

_INVALID = "invalid_request_error"
_NEEDS_NO_EFFORT = ("temperature", "top_p", "logprobs")
_MODELS = "/v1/models"
_MOST_STOPS = 4
_SSE = {"content-type": "text/event-stream; charset=utf-8"}


class OpenAI(Dialect):
    """The dialect of api.openai.com."""

    kind = "openai"
    inference = frozenset({"/v1/chat/completions", "/v1/responses"})
    default_models = OPENAI
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(
            401,
            "Incorrect API key provided: sk-xx***. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            _INVALID,
            "invalid_api_key",
        ),
        "bad_request": Failure(400, "Invalid request.", _INVALID),
        "context": Failure(
            400,
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted "
            "in 477469 tokens. Please reduce the length of the messages.",
            _INVALID,
            "context_length_exceeded",
            "messages",
        ),
        "model_missing": Failure(
            404,
            "The model `gpt-9` does not exist or you do not have access to it.",
            _INVALID,
            "model_not_found",
        ),
        "overloaded": Failure(
            503,
            "The server is currently overloaded. Please try again later.",
            "service_unavailable_error",
            "server_is_overloaded",
        ),
        "permission": Failure(403, "You must be a member of an organization.", _INVALID),
        "policy": Failure(400, "This request was declined by policy.", _INVALID, "cyber_policy"),
        "quota": Failure(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            "credit_balance_exhausted",
        ),
        "rate_limit": Failure(
            429,
            "Rate limit reached for requests per min. Please try again later.",
            "requests",
            "rate_limit_exceeded",
            headers={
                "retry-after": "2",
                "x-ratelimit-limit-requests": "5000",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "12ms",
                "x-ratelimit-limit-tokens": "1000000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
        ),
        "server_error": Failure(
            500,
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
        ),
        "timeout": Failure(504, "The request timed out.", "server_error"),
        "too_large": Failure(413, "The request is too large.", _INVALID),
    }

    def _routes(self) -> dict[tuple[str, str], Callable[[Recorded, Answer | None], Reply]]:
        return {
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/responses"): self._responses,
            ("GET", _MODELS): self._list,
        }

    def _fallback(self, request: Recorded) -> Callable[[Recorded, Answer | None], Reply]:
        if request.method == "GET" and request.path.startswith(f"{_MODELS}/"):
            return self._one
        return super()._fallback(request)

    def authorized(self, request: Recorded) -> str | None:
        """Return the bearer token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None

    def error_body(self, failure: Failure, request_id: str) -> Any:  # noqa: ARG002
        """Return `{"error": {message, type, param, code}}`."""
        error = {"message": failure.message, "type": failure.type}
        return {"error": {**error, "param": failure.param, "code": failure.code}}

    def error_frame(self) -> bytes:
        """Return an error as the data of an event; the stream ends without `[DONE]`."""
        return data_event(self.error_body(self.conditions["server_error"], ""))

    def limit_headers(self) -> dict[str, str]:
        """Return `x-ratelimit-*-requests`; the reset is a Go duration."""
        limit = self.settings.limit
        known = limit.headers() if limit else {}
        suffix = {"reset": "s"}
        return {
            f"x-ratelimit-{name}-requests": f"{value}{suffix.get(name, '')}"
            for name, value in known.items()
        }

    def _list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        return whole({"object": "list", "data": [_listed(one) for one in self.models.values()]})

    def _one(self, request: Recorded, _scripted: Answer | None) -> Reply:
        return whole(_listed(self._model(request.path.removeprefix(f"{_MODELS}/"))))

    def _model(self, name: Any) -> Model:
        if name not in self.models:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise self.refuse("model_missing", message=message)
        return self.models[name]

    def _chat(self, request: Recorded, scripted: Answer | None) -> Reply:
        body = self._having(request, "model", "messages")
        model = self._model(body["model"])
        self._check(model, body)
        prompt = prompt_of(body)
        self._check_window(model, prompt)
        answer = self.settle(prompt, scripted)
        return self._reply(body, answer)

    def _having(self, request: Recorded, *names: str) -> dict[str, Any]:
        body = self.json_object(request)
        for name in names:
            if not body.get(name):
                message = f"Missing required parameter: '{name}'."
                raise self.refuse(
                    "bad_request", message=message, param=name, code="missing_required_parameter"
                )
        return body

    def _responses(self, request: Recorded, scripted: Answer | None) -> Reply:
        body = self._having(request, "model", "input")
        model = self._model(body["model"])
        Checks(self.refuse, body, model).all()
        effort = self._check_effort(model, body)
        prompt = responses_prompt(body, reasons=model.reasoning and effort != "none")
        self._check_window(model, prompt)
        answer = self.settle(prompt, scripted)
        writer = Writer(body, answer, self.next_id, int(self.settings.clock()))
        headers = self._headers()
        if body.get("stream"):
            return Stream(writer.frames(), {**headers, **_SSE}, error=writer.error)
        return whole(writer.whole(), headers=headers, tokens=answer.generated)

    def _check_effort(self, model: Model, body: Mapping[str, Any]) -> str:
        """Return the effort of a request to Responses, which honour `max` too."""
        effort: str = (body.get("reasoning") or {}).get("effort") or model.effort
        if model.efforts and effort not in (*model.efforts, "max"):
            self._unsupported_value("reasoning.effort", effort, model)
        if model.efforts and effort != "none":
            self._check_sampling(model, body)
        return effort

    def _check(self, model: Model, body: Mapping[str, Any]) -> None:
        for name in sorted(model.refuses & body.keys()):
            self._unsupported_parameter(name)
        self._check_shapes(body)
        effort = body.get("reasoning_effort") or model.effort
        if model.efforts and effort not in model.efforts:
            self._unsupported_value("reasoning_effort", effort, model)
        if model.efforts and effort != "none":
            self._check_with_effort(model, body)

    def _check_shapes(self, body: Mapping[str, Any]) -> None:
        stops = body.get("stop")
        if isinstance(stops, list) and len(stops) > _MOST_STOPS:
            message = "Invalid 'stop': array too long. Expected an array with maximum length 4."
            raise self.refuse("bad_request", message=message, param="stop")
        if (fault := tools_fault(body)) is not None:
            code = "array_above_max_length"
            raise self.refuse("bad_request", message=fault, param="tools", code=code)
        for index, tool in enumerate(body.get("tools") or ()):
            if (fault := function_fault(tool.get("function") or {"name": "_"})) is not None:
                where = f"tools[{index}].function"
                raise self.refuse("bad_request", message=fault, param=where)
        for index, said in enumerate(body["messages"]):
            content = said.get("content") if said.get("role") == "tool" else None
            parts = content if isinstance(content, list) else ()
            if any(part.get("type") != "text" for part in parts):
                message = "Invalid value. Supported values are: 'text'."
                param = f"messages[{index}].content"
                raise self.refuse("bad_request", message=message, param=param)

    def _check_with_effort(self, model: Model, body: Mapping[str, Any]) -> None:
        self._check_sampling(model, body)
        functions = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
        if functions and not model.tools_at_effort:
            message = (
                f"Function tools with reasoning_effort are not supported for {model.id} in "
                "/v1/chat/completions. To use function tools, use /v1/responses or set "
                "reasoning_effort to 'none'."
            )
            raise self.refuse("bad_request", message=message, param="reasoning_effort")

    def _check_sampling(self, model: Model, body: Mapping[str, Any]) -> None:
        for name in _NEEDS_NO_EFFORT:
            if body.get(name) not in (None, False, *((1,) if name == "temperature" else ())):
                self._unsupported_value(name, body[name], model)

    def _unsupported_parameter(self, name: str) -> None:
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        if name == "max_tokens":
            message += " Use 'max_completion_tokens' instead."
        raise self.refuse("bad_request", message=message, param=name, code="unsupported_parameter")

    def _unsupported_value(self, name: str, value: Any, model: Model) -> None:
        known = ", ".join(f"'{effort}'" for effort in model.efforts)
        allowed = {
            "temperature": "Only the default (1) value is supported.",
            name if name.startswith("reasoning") else "": f"Supported values are: {known}.",
        }.get(name, "Only the default value is supported.")
        shown = f"'{value}'" if isinstance(value, str) else value
        message = f"Unsupported value: '{name}' does not support {shown} with this model. {allowed}"
        raise self.refuse("bad_request", message=message, param=name, code="unsupported_value")

    def _check_window(self, model: Model, prompt: Prompt) -> None:
        if prompt.size > model.context:
            message = (
                f"Input tokens exceed the configured limit of {model.context} tokens. Your "
                f"messages resulted in {prompt.size} tokens. Please reduce the length of the "
                "messages."
            )
            raise self.refuse("context", message=message)

    def _headers(self) -> dict[str, str]:
        named = {**self.id_headers(self.next_id("req_")), **self.limit_headers()}
        return {**named, "openai-version": "2020-10-01"}

    def _reply(self, body: Mapping[str, Any], answer: Answer) -> Reply:
        headers = self._headers()
        base = {
            "id": self.next_id("chatcmpl-"),
            "created": int(self.settings.clock()),
            "model": answer.served_model or body["model"],
            "service_tier": "default",
            "system_fingerprint": "fp_sim",
        }
        usage = _usage(answer)
        if body.get("stream"):
            with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            frames = _frames({**base, "object": "chat.completion.chunk"}, answer, usage, with_usage)
            return Stream(frames, {**headers, **_SSE})
        return whole(_completion(base, answer, usage), headers=headers, tokens=answer.generated)


def _listed(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 1_789_000_000,
        "owned_by": "openai",
        "shutdown_date": None,
    }


def _usage(answer: Answer) -> dict[str, Any]:
    prompt, completion = answer.input_tokens or 0, answer.generated
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": answer.cached,
            "cache_write_tokens": answer.cache_written,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": answer.thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _completion(base: dict[str, Any], answer: Answer, usage: dict[str, Any]) -> dict[str, Any]:
    silent = answer.tools or answer.refusal is not None
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent and not answer.text else answer.text,
        "refusal": answer.refusal,
        "annotations": [],
    }
    if answer.tools:
        message["tool_calls"] = tool_objects(answer, f"call_{base['id'][9:]}")
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": usage}


def _frames(
    base: dict[str, Any], answer: Answer, usage: dict[str, Any], with_usage: bool
) -> Iterator[Frame]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        tail = {"usage": None} if with_usage else {}
        return data_event({**base, "choices": [choice], **tail})

    content = None if answer.tools and not answer.text else ""
    yield Frame(chunk({"role": "assistant", "content": content, "refusal": None}))
    for piece in answer.parts:
        yield Frame(chunk({"content": piece}), tokens.count(piece))
    for piece in tokens.pieces(answer.refusal or ""):
        yield Frame(chunk({"refusal": piece}), tokens.count(piece))
    for delta, size in tool_deltas(answer, f"call_{base['id'][9:]}"):
        yield Frame(chunk(delta), size)
    yield Frame(chunk({}, answer.finish), closing=True)
    if with_usage:
        yield Frame(data_event({**base, "choices": [], "usage": usage}), closing=True)
    yield DONE
