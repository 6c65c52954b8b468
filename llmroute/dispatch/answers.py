"""What a whole answer must satisfy before it is handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from llmroute.adapter.jsontext import JsonError, parse
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.policy.source import Fallback
from llmroute.types import Chunk, Request, Response

__all__ = ["answer_check", "commits", "refused"]

Check = Callable[[Response], None]


def answer_check(request: Request, fallback: Fallback) -> Check:
    """Return a check of whole answers, by what the request asks for and the policy wants.

    Answers that call tools, refuse or were cut by `max_tokens` are not held against the request's
    JSON Schema. The check raises `TargetError`: of kind `malformed` for text that is no JSON or
    does not follow the schema, of kind `policy` for a refusal that must go on to the next target.
    References are resolved inside the schema only, never fetched.

    Raises:
        UsageError: the request's schema is no JSON Schema.

    """
    follows = _schema_check(request)
    wants_next = fallback.on_refusal == "next"

    def check(response: Response) -> None:
        if wants_next and (response.refusal or response.finish_reason == "content_filter"):
            raise refused(response.refusal)
        if fallback.check_schema and response.finish_reason == "stop" and not response.refusal:
            follows(response)

    return check


def commits(request: Request, fallback: Fallback) -> Callable[[Chunk], bool]:
    """Return what tells whether a chunk is the first that the caller waits for.

    That is text, a tool call, a refusal that no other target is asked about, and reasoning where
    the request asks for it.
    """
    refusals = fallback.on_refusal == "return"
    thoughts = request.reasoning_effort not in (None, "none")

    def begins(chunk: Chunk) -> bool:
        if chunk.text or chunk.tool_call or (chunk.refusal and refusals):
            return True
        return bool(chunk.reasoning) and thoughts

    return begins


def refused(said: str | None) -> TargetError:
    """Return the error of a refusal that another target may see otherwise."""
    return TargetError(ErrorKind.POLICY, said or "the model refused", code="refusal")


def _schema_check(request: Request) -> Check:
    schema = request.json_schema
    if schema is None:
        return _accept
    from jsonschema_rs import ReferencingError, ValidationError, validator_for

    try:
        validator = validator_for(dict(schema), retriever=_refuse)
    except (ValidationError, ReferencingError, ValueError) as exc:
        raise UsageError(f"response_format does not hold a JSON Schema: {exc}") from exc

    def check(response: Response) -> None:
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
    message = f"the schema was not followed: {reason}"
    return TargetError(ErrorKind.MALFORMED, message, code="schema")
