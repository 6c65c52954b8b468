"""What providers' errors look like, as data: the first rule that fits names the kind.

Sources: the error references of OpenAI and Anthropic, their SDKs' typed errors, the server
sources of Ollama and llama.cpp, and LM Studio's error texts. A rule fits if every condition it
states is met; an empty condition is met by anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmroute.errors import ErrorKind

__all__ = ["DEFAULT_HELP", "RULES", "STALE", "ErrorRule"]


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """`codes` is held against every code and type in the body, `texts` against the message.

    Texts are lower case and may stand anywhere in the message; `but_not` are codes that rule
    the rule out. `status` holds numbers, or is empty for any.
    """

    kind: ErrorKind
    codes: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    status: frozenset[int] = frozenset()
    but_not: frozenset[str] = frozenset()


def _codes(kind: ErrorKind, *codes: str) -> ErrorRule:
    return ErrorRule(kind, codes=frozenset(codes))


def _texts(kind: ErrorKind, *texts: str, status: tuple[int, ...] = ()) -> ErrorRule:
    return ErrorRule(kind, texts=texts, status=frozenset(status))


def _status(kind: ErrorKind, *status: int) -> ErrorRule:
    return ErrorRule(kind, status=frozenset(status))


_CONTEXT_TEXTS = (
    "maximum context length is",
    "input tokens exceed the configured limit",
    "your input exceeds the context window",
    "prompt is too long",
    "prompt: length",
    "exceed context limit",
    "exceeds the available context size",
    "the input length exceeds the context length",
    "context size has been exceeded",
    "context length of only",
    "greater than the context length",
    "model's maximum context limit",
)

#: Thoughts of earlier answers that their own model does not take back: the conversation was
#: changed before them, or they can no longer be read.
STALE = (
    "bound to a different conversation",
    "invalid `signature` in `thinking` block",
    "blocks in the latest assistant message cannot be modified",
    "encrypted content could not be",
    "was provided without its required",
)

RULES: tuple[ErrorRule, ...] = (
    _texts(ErrorKind.CAPABILITY, *STALE, status=(0, 200, 400, 422)),
    _codes(ErrorKind.UNAVAILABLE, "connection_failed"),
    _codes(
        ErrorKind.QUOTA,
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "billing_error",
    ),
    _texts(ErrorKind.QUOTA, "credit balance is too low"),
    _texts(
        ErrorKind.QUOTA,
        "you have reached your specified api usage limits",
        "you have reached your specified workspace api usage limits",
        status=(400, 403, 429),
    ),
    _codes(
        ErrorKind.CONTEXT,
        "context_length_exceeded",
        "exceed_context_size_error",
        "prompt_too_long",
    ),
    ErrorRule(
        ErrorKind.CONTEXT,
        texts=_CONTEXT_TEXTS,
        status=frozenset({0, 200, 400, 413, 422, 500}),
        but_not=frozenset({"string_above_max_length"}),
    ),
    _codes(
        ErrorKind.POLICY,
        "content_policy_violation",
        "content_filter",
        "cyber_policy",
        "bio_policy",
        "misalignment_policy_violation",
        "image_content_policy_violation",
        "invalid_prompt",
    ),
    _texts(
        ErrorKind.POLICY,
        "content filtering policy",
        "violating our usage policy",
        "as a result of our safety system",
        "flagged by moderation",
        "requires moderation",
    ),
    _codes(
        ErrorKind.AUTH,
        "invalid_api_key",
        "authentication_error",
        "permission_error",
        "organization_on_hold",
        "data_residency_mismatch",
    ),
    _texts(ErrorKind.AUTH, "not logged in", "invalid api key", "please run /login"),
    _texts(
        ErrorKind.TOO_LARGE,
        "image exceeds",
        "image too large",
        "request body too large",
        status=(0, 200, 400, 413, 422),
    ),
    _codes(ErrorKind.TOO_LARGE, "request_too_large", "image_too_large", "image_file_too_large"),
    _codes(ErrorKind.MODEL_MISSING, "model_not_found", "deployment_not_found"),
    _texts(
        ErrorKind.MODEL_MISSING,
        "no models loaded",
        "try pulling it first",
        "model not found",
        "does not exist or you do not have access",
        "issue with the selected model",
    ),
    ErrorRule(ErrorKind.MODEL_MISSING, texts=("model",), status=frozenset({404, 410})),
    _codes(
        ErrorKind.CAPABILITY,
        "unsupported_parameter",
        "unsupported_value",
        "invalid_encrypted_content",
    ),
    _texts(
        ErrorKind.CAPABILITY,
        "does not support tools",
        "does not support thinking",
        "does not support image",
        "is not supported for this model",
        "is not supported on this model",
        "is not supported with this model",
        "is only supported in v1/",
        "is deprecated for this model",
        "this model does not support",
        "this model supports at most",
        "is the maximum allowed number of output tokens",
        "cannot both be specified for this model",
        "when thinking is enabled",
        "may not be enabled when tool_choice forces",
        "the compiled grammar is too large",
        "are not supported for",
        "image input is not supported",
        "image urls are not currently supported",
        "unsupportedparams",
        "does not support assistant message prefill",
        status=(0, 200, 400, 422, 500, 501),
    ),
    _codes(
        ErrorKind.OVERLOADED,
        "overloaded_error",
        "server_is_overloaded",
        "service_unavailable_error",
        "compaction_unavailable",
    ),
    _texts(ErrorKind.OVERLOADED, "server busy", "maximum pending requests exceeded"),
    _codes(
        ErrorKind.RATE_LIMIT,
        "rate_limit_exceeded",
        "rate_limit_error",
        "ramp_limit_exceeded",
        "slow_down",
    ),
    _status(ErrorKind.OVERLOADED, 503, 529),
    _codes(ErrorKind.TRANSIENT, "timeout_error", "api_error", "server_error", "internal_error"),
    _status(ErrorKind.AUTH, 401, 403),
    _status(ErrorKind.QUOTA, 402),
    _status(ErrorKind.UNAVAILABLE, 404, 405, 410),
    _status(ErrorKind.TOO_LARGE, 413),
    _status(ErrorKind.RATE_LIMIT, 429),
    _status(ErrorKind.CANCELLED, 499),
    _status(ErrorKind.TRANSIENT, 408, 409, 425),
    _codes(
        ErrorKind.INVALID_REQUEST,
        "invalid_request_error",
        "invalid_request",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "invalid_image_mode",
        "image_too_small",
        "image_parse_error",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ),
)

#: What a user can do, by kind. Placeholders: `reference` of the secret, `model`, `base_url`.
DEFAULT_HELP: dict[ErrorKind, str] = {
    ErrorKind.QUOTA: "the account is out of money or over its limit: top it up or raise the limit",
    ErrorKind.AUTH: "check the credential {reference}",
    ErrorKind.MODEL_MISSING: "check that {model} is what this provider calls the model",
    ErrorKind.UNAVAILABLE: "check base_url: {base_url} does not know this path",
    ErrorKind.CONTEXT: "shorten the prompt, or allow a target with a larger context window",
    ErrorKind.TOO_LARGE: "send less: the provider limits the size of a request",
    ErrorKind.CAPABILITY: "declare what {model} cannot do in the provider file",
    ErrorKind.RATE_LIMIT: "declare the account's rpm and tpm under limits, or raise them",
}
