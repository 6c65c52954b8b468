"""Facts of Claude Code 2.1.330: model aliases, list prices of November 2026, and its failures."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ERRORS", "INVENTED", "PRICES", "ApiError", "resolve"]

_ALIASES = {
    "default": "claude-opus-5-5",
    "fable": "claude-fable-5-2",
    "haiku": "claude-haiku-5-5",
    "opus": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5-5",
}
#: USD per million tokens: input, cache read, cache write, output.
PRICES = {
    "claude-fable-5-2": (8.0, 0.20, 10.0, 40.0),
    "claude-haiku-4-5": (1.0, 0.10, 1.25, 5.0),
    "claude-haiku-5-5": (0.10, 0.01, 0.125, 0.50),
    "claude-opus-5": (5.0, 0.50, 6.25, 25.0),
    "claude-opus-5-5": (4.0, 0.20, 5.0, 20.0),
    "claude-sonnet-4-6": (3.0, 0.30, 3.75, 15.0),
    "claude-sonnet-5-5": (2.0, 0.10, 2.5, 10.0),
}
#: What the program takes where it knows no price; marked by `costBasis: unknown`.
INVENTED = (4.0, 0.20, 5.0, 20.0)
_SERVER = "This is a server-side issue, usually temporary — try again in a moment. If it persists, "
_SERVER += "check your inference gateway (127.0.0.1)."
_TOO_LONG = "Prompt is too long · the request is ~250000 tokens (limit 200000)"


@dataclass(frozen=True, slots=True)
class ApiError:
    """How the program reports one failure; `{model}` in the text is the model."""

    text: str
    status: int | None = None
    type: str | None = None
    terminal_reason: str = "api_error"
    stop_reason: str = "stop_sequence"
    api_error: str | None = None


#: Failures by the word that scripts them.
ERRORS = {
    "400": ApiError("API Error: 400 messages: bad thing", 400, "invalid_request_error"),
    "401": ApiError("Invalid API key · Fix external API key", 401, "authentication_error"),
    "403": ApiError(
        "Failed to authenticate. API Error: 403 Your API key does not have permission to use the "
        "specified resource.",
        403,
        "permission_error",
    ),
    "404": ApiError(
        "There's an issue with the selected model ({model}). It may not exist or you may not have "
        "access to it. Run --model to pick a different model.",
        404,
        "not_found_error",
    ),
    "429": ApiError(
        "API Error: Request rejected (429) · This request would exceed your rate limit",
        429,
        "rate_limit_error",
    ),
    "500": ApiError(f"API Error: 500 Internal server error. {_SERVER}", 500, "api_error"),
    "529": ApiError(f"API Error: 529 Overloaded. {_SERVER}", 529, "overloaded_error"),
    "context": ApiError(_TOO_LONG, 400, "invalid_request_error", terminal_reason="prompt_too_long"),
    "credit": ApiError("Credit balance is too low", 400, "invalid_request_error"),
    "dropped": ApiError(
        "API Error: Connection to the API was lost (ECONNRESET). This is usually temporary — try "
        "again.",
        api_error="connection_failed",
    ),
    "error_event": ApiError("API Error: Overloaded", 529, "overloaded_error"),
    "nologin": ApiError("Not logged in · Please run /login"),
    "refusal": ApiError(
        "API Error: {model}'s safeguards flagged this message "
        "(https://www.anthropic.com/legal/aup).",
        stop_reason="refusal",
    ),
    "refused": ApiError(
        "API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
        api_error="connection_failed",
    ),
    "timeout": ApiError("Request timed out."),
}


def resolve(model: str | None) -> str:
    """Return a model's full name; an alias is the newest of its line."""
    return _ALIASES.get(model or "default", model or "")
