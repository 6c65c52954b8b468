"""Text Generation Inference: `/generate`, `/generate_stream`, `/` (either of them) and `/info`.

Follows the server's OpenAPI description (3.3). The server has one model and completes one text:
there are no roles and no tools. The last token of a stream carries `details` and the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, json_bytes, whole
from llmroute.sim.models import Model

__all__ = ["TGI"]

_FINISH = {"stop": "eos_token", "length": "length"}
_KNOWN = frozenset(
    {
        *("adapter_id", "best_of", "decoder_input_details", "details", "do_sample"),
        *("frequency_penalty", "grammar", "max_new_tokens", "repetition_penalty"),
        *("return_full_text", "seed", "stop", "temperature", "top_k", "top_n_tokens", "top_p"),
        *("truncate", "typical_p", "watermark"),
    }
)
_IMAGE = re.compile(r"!\[\]\([^)]*\)")
_ROLE = re.compile(r"^(?:User|Assistant): ?", re.MULTILINE)
_MODELS = (Model("HuggingFaceH4/zephyr-7b-beta", context=4_096, vision=True),)
Handler = Callable[[Recorded, Answer | None], Reply]


class TGI(Dialect):
    """The dialect of a TGI server; a failure's `type` is its `error_type`."""

    kind = "tgi"
    inference: ClassVar[frozenset[str]] = frozenset({"/", "/generate", "/generate_stream"})
    default_models = _MODELS
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(401, "unauthorized", type="auth"),
        "bad_request": Failure(
            422, "Input validation error: `temperature` must be strictly positive", "validation"
        ),
        "context": Failure(
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
            "Given: 5000 `inputs` tokens and 20 `max_new_tokens`",
            type="validation",
        ),
        "overloaded": Failure(429, "Model is overloaded", type="overloaded"),
        "rate_limit": Failure(429, "Model is overloaded", type="overloaded"),
        "server_error": Failure(
            424, "Request failed during generation: CUDA out of memory", type="generation"
        ),
        "not_found": Failure(404, "", type="not_found"),
        "timeout": Failure(500, "Incomplete generation", type="incomplete_generation"),
    }

    def _routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("POST", "/"): lambda asked, scripted: self._generate(
                asked, scripted, stream=asked.stream
            ),
            ("POST", "/generate"): lambda a, s: self._generate(a, s, stream=False),
            ("POST", "/generate_stream"): lambda a, s: self._generate(a, s, stream=True),
            ("GET", "/info"): self._info,
        }

    def authorized(self, request: Recorded) -> str | None:
        """Return the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    def error_body(self, failure: Failure, request_id: str) -> Any:  # noqa: ARG002
        """Return `{"error", "error_type"}`."""
        return {"error": failure.message, "error_type": failure.type}

    def error_frame(self) -> bytes:
        """Return an event that holds an error."""
        return _event(self.error_body(self.conditions["server_error"], ""))

    def id_headers(self, request_id: str) -> dict[str, str]:
        """Return the header that names a request."""
        return {"x-request-id": request_id}

    def _model(self) -> Model:
        return next(iter(self.models.values()))

    def _info(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        model = self._model()
        return whole(
            {
                "model_id": model.id,
                "model_pipeline_tag": "text-generation",
                "max_concurrent_requests": 128,
                "max_best_of": 2,
                "max_stop_sequences": 4,
                "max_input_tokens": model.context - 1,
                "max_total_tokens": model.context,
                "validation_workers": 2,
                "max_client_batch_size": 4,
                "router": "text-generation-router",
                "version": "3.3.6",
            }
        )

    def _generate(self, request: Recorded, scripted: Answer | None, *, stream: bool) -> Reply:
        body = self.json_object(request)
        for problem in _problems(body):
            raise self.refuse("bad_request", message=f"Input validation error: {problem}")
        asked = body.get("parameters") or {}
        prompt = _prompt(self._model(), body["inputs"], asked)
        if prompt.size + (prompt.max_tokens or 100) > self._model().context:
            raise self.refuse("context")
        answer = self.settle(prompt, scripted)
        if stream:
            headers = {"content-type": "text/event-stream", "x-accel-buffering": "no"}
            return Stream(_frames(answer), headers)
        said: dict[str, Any] = {"generated_text": answer.text}
        if asked.get("details"):
            said["details"] = {**_details(answer), "prefill": [], "tokens": []}
        return whole(said, tokens=answer.generated)


def _problems(body: Mapping[str, Any]) -> Iterator[str]:
    asked = body.get("parameters") or {}
    if not isinstance(body.get("inputs"), str) or not body["inputs"]:
        yield "`inputs` cannot be empty"
    for name in asked:
        if name not in _KNOWN:
            yield f"unknown parameter `{name}`"
    if asked.get("temperature") is not None and asked["temperature"] <= 0:
        yield "`temperature` must be strictly positive"
    if asked.get("top_p") is not None and not 0 < asked["top_p"] < 1:
        yield "`top_p` must be > 0.0 and < 1.0"
    if len(asked.get("stop") or ()) > 4:
        yield "`stop` supports up to 4 stop sequences. Given: 5"


def _prompt(model: Model, inputs: str, asked: Mapping[str, Any]) -> Prompt:
    images = len(_IMAGE.findall(inputs))
    written = _IMAGE.sub("", inputs)
    turns = [turn.strip() for turn in _ROLE.split(written) if turn.strip()]
    grammar = asked.get("grammar") or {}
    return Prompt(
        model=model.id,
        text=turns[-1] if turns else "",
        size=tokens.count(written) + images * tokens.IMAGE_TOKENS,
        images=images,
        format_schema=grammar.get("value") if grammar.get("type") == "json" else None,
        max_tokens=asked.get("max_new_tokens"),
        stop=tuple(asked.get("stop") or ()),
    )


def _details(answer: Answer) -> dict[str, Any]:
    reason = "stop_sequence" if answer.stopped_at else _FINISH.get(answer.finish, answer.finish)
    return {"finish_reason": reason, "generated_tokens": answer.generated, "seed": None}


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data:" + json_bytes(value) + b"\n\n"


def _frames(answer: Answer) -> Iterator[Frame]:
    pieces = answer.parts
    for index, piece in enumerate(pieces, start=1):
        token = {"id": index, "text": piece, "logprob": -0.1, "special": False}
        event = {"index": index, "token": token, "generated_text": None, "details": None}
        yield Frame(_event(event), tokens.count(piece))
    ended = {"id": 2, "text": "</s>", "logprob": -0.1, "special": True}
    details = {**_details(answer), "input_length": answer.input_tokens or 0}
    event = {"index": len(pieces) + 1, "token": ended, "generated_text": answer.text}
    yield Frame(_event({**event, "details": details}), closing=True)
