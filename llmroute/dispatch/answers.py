"""What a whole answer must satisfy before it is handed over."""

from __future__ import annotations

import json

from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request, Response

__all__ = ["check_answer"]


def check_answer(request: Request, response: Response) -> None:
    """Check an answer against the JSON Schema that the request asked for.

    Answers that call tools, refuse or were cut by `max_tokens` are not held against it.

    Raises:
        TargetError: the text is no JSON, or does not follow the schema (kind `malformed`).

    """
    schema = request.json_schema
    if schema is None or response.finish_reason != "stop" or response.refusal:
        return
    from jsonschema_rs import ValidationError, validator_for

    try:
        validator = validator_for(dict(schema))
    except ValidationError as exc:
        raise TargetError(
            ErrorKind.INVALID_REQUEST, f"response_format is no JSON Schema: {exc.message}"
        ) from exc
    try:
        validator.validate(json.loads(response.text or ""))
    except (ValidationError, ValueError) as exc:
        reason = exc.message if isinstance(exc, ValidationError) else "the answer is no JSON"
        raise TargetError(ErrorKind.MALFORMED, f"the schema was not followed: {reason}") from exc
