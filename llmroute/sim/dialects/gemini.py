"""Google's Gemini API: `generateContent`, `streamGenerateContent`, `countTokens` and `models`.

Follows the API reference and the typed models of google-genai 3.4, which asks version v1; v1beta
is served alike. A field that the API
does not have is refused, as its JSON reader does; so are a call without its result and, by
models of the third generation, a call without its thought's signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, ToolSpec
from llmroute.sim.dialects.base import Dialect, Failure
from llmroute.sim.exchange import Frame, Recorded, Reply, Stream, json_bytes, whole
from llmroute.sim.models import Model
from llmroute.sim.script import Scope

__all__ = ["Gemini"]

_MODELS_PATH = re.compile(r"/(?:v1|v1beta)/models/([^:]+)(?::(\w+))?")
_ASKING = ("generateContent", "streamGenerateContent")
_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_CHOICES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
#: Fields that the API reads, by the object that holds them.
_KNOWN: Mapping[str, frozenset[str]] = {
    "request": frozenset(
        {
            *("contents", "tools", "toolConfig", "safetySettings", "systemInstruction"),
            *("generationConfig", "cachedContent", "model", "store", "serviceTier"),
        }
    ),
    "content": frozenset({"role", "parts"}),
    "part": frozenset(
        {
            *("text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall"),
            *("functionResponse", "executableCode", "codeExecutionResult", "videoMetadata"),
            *("mediaResolution", "partMetadata"),
        }
    ),
    "generationConfig": frozenset(
        {
            *("stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema"),
            *("responseModalities", "candidateCount", "maxOutputTokens", "temperature", "topP"),
            *("topK", "seed", "presencePenalty", "frequencyPenalty", "responseLogprobs"),
            *("logprobs", "speechConfig", "thinkingConfig", "imageConfig", "mediaResolution"),
        }
    ),
    "functionDeclaration": frozenset(
        {
            *("name", "description", "behavior", "parameters", "parametersJsonSchema"),
            *("response", "responseJsonSchema"),
        }
    ),
    "functionCall": frozenset({"id", "name", "args"}),
    "functionResponse": frozenset({"id", "name", "response", "willContinue", "scheduling"}),
    "thinkingConfig": frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"}),
    "functionCallingConfig": frozenset({"mode", "allowedFunctionNames"}),
}
_MODELS = (
    Model("gemini-3.5-flash", context=1_048_576, max_output=65_536, vision=True, reasoning=True),
    Model("gemini-3.1-pro-preview", context=1_048_576, max_output=65_536, vision=True),
    Model("gemini-2.5-flash", context=1_048_576, max_output=65_536, vision=True),
)
#: Fields that hold the caller's own data.
_OPAQUE = frozenset({"args", "parametersJsonSchema", "response", "responseJsonSchema"})
Handler = Callable[[Recorded, Answer | None], Reply]


class Gemini(Dialect):
    """The dialect of the Gemini API; a failure's `code` is its status word."""

    kind = "gemini"
    inference: ClassVar[frozenset[str]] = frozenset()
    default_models = _MODELS
    conditions: ClassVar[Mapping[str, Failure]] = {
        "auth": Failure(
            400, "API key not valid. Please pass a valid API key.", code="INVALID_ARGUMENT"
        ),
        "bad_request": Failure(
            400, "Request contains an invalid argument.", code="INVALID_ARGUMENT"
        ),
        "context": Failure(
            400,
            "The input token count (2000000) exceeds the maximum number of tokens allowed "
            "(1048576).",
            code="INVALID_ARGUMENT",
        ),
        "model_missing": Failure(
            404,
            "models/nope is not found for API version v1, or is not supported for generateContent.",
            code="NOT_FOUND",
        ),
        "not_found": Failure(404, "Requested entity was not found.", code="NOT_FOUND"),
        "overloaded": Failure(
            503, "The model is overloaded. Please try again later.", code="UNAVAILABLE"
        ),
        "permission": Failure(403, "The caller does not have permission", code="PERMISSION_DENIED"),
        "policy": Failure(400, "The request was blocked.", code="INVALID_ARGUMENT"),
        "quota": Failure(429, "Your prepayment credits are depleted.", code="RESOURCE_EXHAUSTED"),
        "rate_limit": Failure(
            429,
            "You exceeded your current quota, please check your plan and billing details. "
            "Please retry in 32s.",
            code="RESOURCE_EXHAUSTED",
        ),
        "server_error": Failure(500, "An internal error has occurred.", code="INTERNAL"),
        "timeout": Failure(
            504, "Deadline expired before operation could complete.", code="DEADLINE_EXCEEDED"
        ),
        "too_large": Failure(
            400, "Request payload size exceeds the limit: 20971520 bytes.", code="INVALID_ARGUMENT"
        ),
    }

    def _routes(self) -> dict[tuple[str, str], Handler]:
        return {("GET", f"/{version}/models"): self._list for version in ("v1", "v1beta")}

    def scope(self, request: Recorded) -> Scope:
        """Say whether the request asks a model."""
        return "inference" if request.path.rpartition(":")[2] in _ASKING else "discovery"

    def authorized(self, request: Recorded) -> str | None:
        """Return the key of the header, or of the query."""
        return request.headers.get("x-goog-api-key") or None

    def error_body(self, failure: Failure, request_id: str) -> Any:  # noqa: ARG002
        """Return Google's error object, with the time to wait where it is a limit."""
        error: dict[str, Any] = {
            "code": failure.status,
            "message": failure.message,
            "status": failure.code,
        }
        if "retry in" in failure.message:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": "32s"}]
        return {"error": error}

    def error_frame(self) -> bytes:
        """Return an event that holds an error object."""
        return (
            b"data: " + json_bytes(self.error_body(self.conditions["overloaded"], "")) + b"\r\n\r\n"
        )

    def id_headers(self, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """Return no headers: requests are not named."""
        return {}

    def _fallback(self, request: Recorded) -> Handler:
        if found := _MODELS_PATH.fullmatch(request.path):
            name, verb = found[1], found[2] or ""
            if request.method == "GET" and not verb:
                return lambda _request, _scripted: whole(_listed(self._model(name)))
            if request.method == "POST" and verb in (*_ASKING, "countTokens"):
                return lambda asked, scripted: self._ask(asked, scripted, name, verb)
        raise self.refuse("not_found")

    def _model(self, name: str) -> Model:
        found = self.models.get(name)
        if found is None:
            message = self.conditions["model_missing"].message.replace("nope", name)
            raise self.refuse("model_missing", message=message)
        return found

    def _list(self, _request: Recorded, _scripted: Answer | None) -> Reply:
        return whole({"models": [_listed(model) for model in self.models.values()]})

    def _ask(self, request: Recorded, scripted: Answer | None, name: str, verb: str) -> Reply:
        body, model = _camel(self.json_object(request)), self._model(name)
        for problem in _problems(body, model):
            raise self.refuse("bad_request", message=problem)
        prompt = _prompt(model, body)
        if verb == "countTokens":
            return whole({"totalTokens": prompt.size})
        answer = self.settle(prompt, scripted)
        config = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
        said = self._parts(answer, thoughts=bool(config.get("includeThoughts")))
        head = {"modelVersion": answer.served_model or name, "responseId": self.next_id("resp_")}
        if verb == "streamGenerateContent":
            return Stream(_frames(said, answer, head), {"content-type": "text/event-stream"})
        parts = [part for part, _ in said]
        return whole(_answer(parts, answer, head, last=True), tokens=answer.generated)

    def _parts(self, answer: Answer, *, thoughts: bool) -> list[tuple[dict[str, Any], int]]:
        """Return the parts of an answer with their tokens; a text comes in pieces."""
        parts: list[tuple[dict[str, Any], int]] = []
        if thoughts and answer.reasoning:
            parts.append(({"text": answer.reasoning, "thought": True}, answer.thought))
        parts += [({"text": piece}, tokens.count(piece)) for piece in answer.parts]
        for tool in answer.tools:
            call = {"id": self.next_id("fc_"), "name": tool.name, "args": dict(tool.arguments)}
            made = {"functionCall": call, "thoughtSignature": "c2ltdWxhdGVk"}
            parts.append((made, tokens.count(json.dumps(call))))
        return parts


def _answer(
    parts: list[dict[str, Any]], answer: Answer, head: Mapping[str, Any], *, last: bool
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": _merged(parts), "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = _FINISH.get(answer.finish, answer.finish)
    read, thought = answer.input_tokens or 0, answer.thought
    made = answer.generated - thought
    usage = {
        "promptTokenCount": read,
        "candidatesTokenCount": made,
        "totalTokenCount": read + made + thought,
        **({"thoughtsTokenCount": thought} if thought else {}),
        **({"cachedContentTokenCount": answer.cached} if answer.cached else {}),
    }
    return {"candidates": [candidate], "usageMetadata": usage, **head}


def _merged(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbouring pieces of text, as an answer that is not streamed has them."""
    joined: list[dict[str, Any]] = []
    for part in parts:
        if joined and set(part) == set(joined[-1]) == {"text"}:
            joined[-1] = {"text": joined[-1]["text"] + part["text"]}
        else:
            joined.append(part)
    return joined


def _frames(
    said: list[tuple[dict[str, Any], int]], answer: Answer, head: Mapping[str, Any]
) -> Iterator[Frame]:
    for part, size in said:
        event = _answer([part], answer, head, last=False)
        yield Frame(b"data: " + json_bytes(event) + b"\r\n\r\n", size)
    event = _answer([{"text": ""}], answer, head, last=True)
    yield Frame(b"data: " + json_bytes(event) + b"\r\n\r\n", closing=True)


def _listed(model: Model) -> dict[str, Any]:
    return {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.id,
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.max_output,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": model.reasoning,
    }


def _problems(body: Mapping[str, Any], model: Model) -> Iterator[str]:
    """Yield what the API would refuse."""
    yield from _unknown(body, "request")
    config = body.get("generationConfig") or {}
    yield from _unknown(config, "generationConfig")
    yield from _unknown(config.get("thinkingConfig") or {}, "thinkingConfig")
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    yield from _unknown(choice, "functionCallingConfig")
    for tool in body.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            yield from _unknown(function, "functionDeclaration")
    contents = body.get("contents") or []
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified"
    for content in contents:
        yield from _in_content(content)
    yield from _unanswered(contents)
    if model.id.startswith("gemini-3"):
        yield from _unsigned(contents)


def _camel(value: Any) -> Any:
    """Write names as the API does: its reader takes `snake_case` as well, and the SDK sends it."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    named = {re.sub("_([a-z])", lambda m: m[1].upper(), key): item for key, item in value.items()}
    return {key: item if key in _OPAQUE else _camel(item) for key, item in named.items()}


def _unknown(value: Mapping[str, Any], kind: str) -> Iterator[str]:
    for name in value:
        if name not in _KNOWN[kind]:
            where = f"Unknown name \"{name}\" at '{kind}': Cannot find field."
            yield f"Invalid JSON payload received. {where}"


def _in_content(content: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(content, "content")
    if content.get("role", "user") not in ("user", "model"):
        yield "Please use a valid role: user, model."
    for part in content.get("parts") or ():
        yield from _unknown(part, "part")
        for kind in ("functionCall", "functionResponse"):
            yield from _unknown(part.get(kind) or {}, kind)
    if not content.get("parts"):
        yield "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."


def _unanswered(contents: list[Mapping[str, Any]]) -> Iterator[str]:
    for said, following in zip(contents, [*contents[1:], {}], strict=True):
        calls = sum("functionCall" in part for part in said["parts"])
        results = sum("functionResponse" in part for part in following.get("parts", ()))
        if calls != results and ((calls and following) or results):
            yield (
                "Please ensure that the number of function response parts is equal to the number "
                "of function call parts of the function call turn."
            )


def _unsigned(contents: list[Mapping[str, Any]]) -> Iterator[str]:
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and "thoughtSignature" not in calls[0]:
            yield "Function call is missing a thought_signature in functionCall parts."


def _prompt(model: Model, body: Mapping[str, Any]) -> Prompt:
    contents, config = body["contents"], body.get("generationConfig") or {}
    parts = [part for content in contents for part in content["parts"]]
    spoken = [c for c in contents if c.get("role", "user") == "user" and _text(c)]
    answered = [p["functionResponse"] for p in contents[-1]["parts"] if "functionResponse" in p]
    declared = [f for tool in body.get("tools") or () for f in tool.get("functionDeclarations", ())]
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    images = sum("inlineData" in part for part in parts)
    written = _text(body.get("systemInstruction") or {}) + "".join(map(_text, contents))
    return Prompt(
        model=model.id,
        text=_text(spoken[-1]) if spoken else "",
        size=tokens.count(written + json.dumps(declared) * bool(declared))
        + tokens.IMAGE_TOKENS * images,
        images=images,
        tools=tuple(
            ToolSpec(f["name"], f.get("parametersJsonSchema") or _lower(f.get("parameters")) or {})
            for f in declared
        ),
        tool_choice=_choice(body),
        tool_result=_result(answered[-1]) if answered else None,
        format_schema=_lower(schema)
        if schema
        else (config.get("responseMimeType") == "application/json" or None),
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        reasons=model.reasoning,
    )


def _text(content: Mapping[str, Any]) -> str:
    return "".join(part.get("text") or "" for part in content.get("parts") or ())


def _result(response: Mapping[str, Any]) -> str:
    said = response.get("response") or {}
    found = said.get("result", said.get("output"))
    return found if isinstance(found, str) else json.dumps(said)


def _choice(body: Mapping[str, Any]) -> str:
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed: list[str] = config.get("allowedFunctionNames") or []
    return allowed[0] if len(allowed) == 1 else _CHOICES[config.get("mode", "AUTO")]


def _lower(schema: Any) -> Any:
    """Return a schema with its types in lower case: the API's own schemas write them large."""
    if isinstance(schema, list):
        return [_lower(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _lower(value)
        for key, value in schema.items()
    }
