"""What a whole answer must satisfy before it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from llmroute.adapter.jsontext import JsonError, parse
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.types import Request, Response

__all__ = ["answer_check"]


def answer_check(request: Request) -> Callable[[Response], None]:
    """Return a check of answers against the JSON Schema that a request asks for.

    Answers that call tools, refuse or were cut by `max_tokens` are not held against it. The check
    raises `TargetError` (kind `malformed`) for text that is no JSON or does not follow the schema.
    References are resolved inside the schema only, never fetched.

    Raises:
        UsageError: the request's schema is no JSON Schema.

    """
    schema = request.json_schema
    if schema is None:
        return _accept
    from jsonschema_rs import ReferencingError, ValidationError, validator_for

    try:
        validator = validator_for(dict(schema), retriever=_refuse)
    except (ValidationError, ReferencingError, ValueError) as exc:
        raise UsageError(f"response_format does not hold a JSON Schema: {exc}") from exc

    def check(response: Response) -> None:
        if response.finish_reason != "stop" or response.refusal:
            return
        try:
            validator.validate(parse(response.text or ""))
        except ValidationError as exc:
            raise _broken(exc.message) from exc
        except JsonError as exc:
            raise _broken(f"the answer is no JSON ({exc})") from exc

    return check


def _accept(response: Response) -> None:
    """Accept any answer."""


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside the schema, and nothing is fetched")


def _broken(reason: str) -> TargetError:
    return TargetError(ErrorKind.MALFORMED, f"the schema was not followed: {reason}")
