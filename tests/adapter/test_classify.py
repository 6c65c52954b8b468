from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from llmroute.adapter.classify import MAX_NATIVE, classify, retry_after
from llmroute.adapter.scrubbing import scrub
from llmroute.errors import ErrorKind, TargetError
from tests.adapter.wire import CANARY, bearer, endpoint


def sorted_as(body: Any, status: int | None = 400, **headers: str) -> TargetError:
    return classify(
        body,
        endpoint=endpoint(auth=bearer()),
        model="gpt-x",
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def openai(message: str = "…", kind: str = "invalid_request_error", code: str | None = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(message: str, kind: str = "invalid_request_error", code: str = "") -> Any:
    error: dict[str, Any] = {"type": kind, "message": message}
    if code:
        error["details"] = {"error_code": code}
    return {"type": "error", "error": error, "request_id": "req_body"}


K = ErrorKind
_CASES: list[tuple[int | None, Any, ErrorKind]] = [
    # OpenAI
    (401, openai(code="invalid_api_key"), K.AUTH),
    (404, openai("The model `x` does not exist", code="model_not_found"), K.MODEL_MISSING),
    (400, openai(code="context_length_exceeded"), K.CONTEXT),
    (400, openai("This model's maximum context length is 8192 tokens."), K.CONTEXT),
    (400, openai("Input tokens exceed the configured limit of 272000 tokens."), K.CONTEXT),
    (400, openai("too long", code="string_above_max_length"), K.INVALID_REQUEST),
    (400, openai(code="unsupported_parameter"), K.CAPABILITY),
    (400, openai(code="unsupported_value"), K.CAPABILITY),
    (400, openai("Function tools with reasoning_effort are not supported for m in"), K.CAPABILITY),
    (400, openai("This model is only supported in v1/responses and not in"), K.CAPABILITY),
    (400, openai("max_tokens is too large: 9. This model supports at most 8"), K.CAPABILITY),
    (400, openai(code="cyber_policy"), K.POLICY),
    (400, openai(code="content_policy_violation"), K.POLICY),
    (400, openai("Invalid prompt: we've flagged it as violating our usage policy."), K.POLICY),
    (429, openai(kind="tokens", code="rate_limit_exceeded"), K.RATE_LIMIT),
    (429, openai(kind="rate_limit_error", code="slow_down"), K.RATE_LIMIT),
    (429, openai(kind="insufficient_quota", code="credit_balance_exhausted"), K.QUOTA),
    (429, openai(kind="insufficient_quota", code="insufficient_quota"), K.QUOTA),
    (429, openai(code="billing_hard_limit_reached"), K.QUOTA),
    (503, openai(kind="service_unavailable_error", code="server_is_overloaded"), K.OVERLOADED),
    (500, openai(kind="server_error"), K.TRANSIENT),
    (502, b"<html>bad gateway</html>", K.TRANSIENT),
    (408, openai(), K.TRANSIENT),
    (400, openai("Unrecognized request argument supplied: x"), K.INVALID_REQUEST),
    (422, {"detail": "x"}, K.INVALID_REQUEST),
    (404, openai("Invalid URL (POST /v2/x)"), K.UNAVAILABLE),
    (None, openai("The server had an error", kind="server_error"), K.TRANSIENT),
    (299 + 300, b"", K.TRANSIENT),
    # Anthropic
    (400, anthropic("messages: text content blocks must be non-empty"), K.INVALID_REQUEST),
    (400, anthropic("prompt is too long: 1048310 tokens > 1000000 maximum"), K.CONTEXT),
    (400, anthropic("input length and `max_tokens` exceed context limit: 1 + 2 > 3"), K.CONTEXT),
    (400, anthropic("You have reached your specified API usage limits. You will"), K.QUOTA),
    (400, anthropic("You have reached your specified workspace API usage limits."), K.QUOTA),
    (400, anthropic("Your credit balance is too low to access the Anthropic API."), K.QUOTA),
    (400, anthropic('"thinking.type.disabled" is not supported for this model.'), K.CAPABILITY),
    (400, anthropic("adaptive thinking is not supported on this model"), K.CAPABILITY),
    (400, anthropic("This model does not support the effort parameter."), K.CAPABILITY),
    (400, anthropic("`temperature` is deprecated for this model."), K.CAPABILITY),
    (
        400,
        anthropic("`temperature` and `top_p` cannot both be specified for this model."),
        K.CAPABILITY,
    ),
    (400, anthropic("`temperature` may only be set to 1 when thinking is enabled"), K.CAPABILITY),
    (400, anthropic("Thinking may not be enabled when tool_choice forces tool use."), K.CAPABILITY),
    (
        400,
        anthropic("max_tokens: 9 > 8, which is the maximum allowed number of output tokens for m"),
        K.CAPABILITY,
    ),
    (400, anthropic("The compiled grammar is too large, which would cause"), K.CAPABILITY),
    (400, anthropic("The block is bound to a different conversation."), K.CAPABILITY),
    (
        400,
        anthropic("`thinking` blocks in the latest assistant message cannot be modified."),
        K.CAPABILITY,
    ),
    (400, openai("Item 'rs_1' was provided without its required following item."), K.CAPABILITY),
    (400, anthropic("Output blocked by content filtering policy"), K.POLICY),
    (400, anthropic("x: Extra inputs are not permitted"), K.INVALID_REQUEST),
    (401, anthropic("invalid x-api-key", "authentication_error"), K.AUTH),
    (402, anthropic("…", "billing_error"), K.QUOTA),
    (403, anthropic("…", "permission_error"), K.AUTH),
    (404, anthropic("model: claude-none-9", "not_found_error"), K.MODEL_MISSING),
    (413, anthropic("…", "request_too_large"), K.TOO_LARGE),
    (429, anthropic("…", "rate_limit_error"), K.RATE_LIMIT),
    (429, anthropic("…", "rate_limit_error", "ramp_limit_exceeded"), K.RATE_LIMIT),
    (429, anthropic("…", "rate_limit_error", "enforced_spend_limit_reached"), K.QUOTA),
    (500, anthropic("…", "api_error"), K.TRANSIENT),
    (504, anthropic("…", "timeout_error"), K.TRANSIENT),
    (529, anthropic("Overloaded", "overloaded_error"), K.OVERLOADED),
    (None, anthropic("Overloaded", "overloaded_error"), K.OVERLOADED),
    # Ollama, LM Studio, llama.cpp
    (404, {"error": "model 'nope' not found"}, K.MODEL_MISSING),
    (404, {"error": 'model "nope" not found, try pulling it first'}, K.MODEL_MISSING),
    (400, {"error": "library/gemma:2b does not support tools"}, K.CAPABILITY),
    (400, {"error": '"gemma:2b" does not support thinking'}, K.CAPABILITY),
    (503, {"error": "server busy, please try again.  maximum pending requests"}, K.OVERLOADED),
    (499, {"error": "request canceled"}, K.CANCELLED),
    (401, {"error": "unauthorized", "signin_url": "https://x"}, K.AUTH),
    (400, openai("image URLs are not currently supported, please use base64"), K.CAPABILITY),
    (404, openai("No models loaded. Please load a model"), K.MODEL_MISSING),
    (
        400,
        {"error": "Trying to keep the first 15857 tokens … context length of only 4096"},
        K.CONTEXT,
    ),
    (None, {"error": {"message": "Context size has been exceeded."}}, K.CONTEXT),
    (400, openai("…", "exceed_context_size_error"), K.CONTEXT),
    (500, openai("image input is not supported - hint: …", "server_error"), K.CAPABILITY),
    (503, openai("Loading model", "unavailable_error"), K.OVERLOADED),
    # the Claude Code CLI
    (None, openai("API Error: Connection refused", "", "connection_failed"), K.UNAVAILABLE),
    (None, openai("Not logged in · Please run /login", ""), K.AUTH),
]


@pytest.mark.parametrize(("status", "body", "kind"), _CASES)
def test_kinds(status: int | None, body: Any, kind: ErrorKind) -> None:
    assert sorted_as(body, status).kind is kind


def test_what_an_error_carries() -> None:
    error = sorted_as(
        openai("Rate limit reached", "tokens", "rate_limit_exceeded"),
        429,
        retry_after_ms="1850",
        retry_after="2",
        x_request_id="req_1",
    )
    assert (error.status, error.code, error.request_id) == (429, "rate_limit_exceeded", "req_1")
    assert error.retry_after == 1.85
    assert error.message == "Rate limit reached"
    assert error.native["error"]["type"] == "tokens"


def test_the_request_id_may_stand_in_the_body() -> None:
    assert sorted_as(anthropic("x")).request_id == "req_body"
    assert sorted_as(anthropic("x"), request_id="req_head").request_id == "req_head"


def test_help_says_what_to_do() -> None:
    assert "env:SOME_KEY" in (sorted_as(openai(), 401).help or "")
    assert "gpt-x" in (sorted_as(openai("model x"), 404).help or "")


def test_a_huge_body_is_capped() -> None:
    assert len(sorted_as(openai("x" * 100_000)).native) == MAX_NATIVE
    assert len(sorted_as(b"x" * 100_000, 500).native) == MAX_NATIVE
    assert len(sorted_as(openai("x" * 100_000)).message) == 300


@pytest.mark.parametrize("body", [b"", b"[1]", b'"x"', b"null", b"{}", b'{"error": []}', b"\xff"])
def test_any_body_gives_an_error(body: bytes) -> None:
    assert sorted_as(body, 500).kind is K.TRANSIENT


def test_an_echoed_secret_is_blackened() -> None:
    where = endpoint(auth=bearer(), environment={"OTHER_TOKEN": "tok-123456"})
    error = TargetError(
        K.AUTH, f"bad key {CANARY} and tok-123456", native={"error": {"message": CANARY}}
    )
    scrub(error, where)
    assert CANARY not in str(error) + repr(error) + repr(error.native)
    assert "tok-123456" not in str(error)


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 12:00:30 GMT",
                "date": "Sun, 22 Nov 2026 12:00:20 GMT",
            },
            10.0,
        ),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "86400"}, 86_400.0),
        ({"retry-after": "86401"}, None),
        ({"retry-after": "1000000000"}, None),
        ({"retry-after-ms": "1e12"}, None),
        ({"retry-after": "Sun, 29 Nov 2026 12:00:00 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 99999999999999999999 12:00:00 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 +99999999999999999999"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds
