"""Reading a log of requests: one JSON object a line.

A line holds the `request` of a policy test, as the whole object or under `request`, and may say
`count` (how often it came) and `policy` (by which it is decided). Other keys are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from llmroute.config.schema import schema_text
from llmroute.errors import UsageError
from llmroute.lab.diffing.diff import Logged
from llmroute.lab.domain.situation import Situation
from llmroute.lab.testing.request import request_fields
from llmroute.types import Request

__all__ = ["read_log"]

_MOST_TOLD = 200


def read_log(lines: Iterable[bytes], label: str, now: datetime) -> tuple[list[Logged], list[str]]:
    """Return the requests of a log, and what is wrong with each line that is none.

    `label` is the file's name in messages; requests are decided as of `now`.
    """
    found: list[Logged] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        place = f"{label}:{number}"
        if not line.strip(b" \t\r\n\xef\xbb\xbf"):
            continue
        try:
            found.append(_logged(_object(line), place, now))
        except UsageError as exc:
            wrong.append(f"{place}: {' '.join(str(exc).split())[:_MOST_TOLD]}")
    return found, wrong


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(line.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as exc:
        raise UsageError("this line is not UTF-8 text") from exc
    except RecursionError as exc:
        raise UsageError("this line is nested too deeply") from exc
    except ValueError as exc:
        raise UsageError(f"this line is no JSON: {exc}") from exc
    if not isinstance(data, Mapping):
        raise UsageError("this line is no JSON object; write one request a line")
    return data


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _logged(data: Mapping[str, Any], place: str, now: datetime) -> Logged:
    body = data["request"] if isinstance(data.get("request"), Mapping) else data
    known = {name: body[name] for name in _properties() if body.get(name) is not None}
    for fault in _faults(known):
        raise UsageError(fault)
    if not known.keys() & {"prompt", "messages"} and not known:
        raise UsageError("this line holds no request; write at least its prompt or messages")
    messages, fields = request_fields(known)
    request = Request.of(messages, **fields)
    return Logged(Situation(request, now), _count(data), _policy(data), place)


def _count(data: Mapping[str, Any]) -> int:
    count = data.get("count", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"count is {json.dumps(count)}; it must be a whole number, at least 1")
    return count


def _policy(data: Mapping[str, Any]) -> str | None:
    name = data.get("policy")
    if name is not None and not isinstance(name, str):
        raise UsageError(f"policy is {json.dumps(name)}; it must be a policy's name")
    return name


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text("test"))
    return schema


def _properties() -> Iterator[str]:
    yield from _schema()["$defs"]["test_request"]["properties"]


@cache
def _validator() -> Any:
    import jsonschema_rs  # 40 ms, only where a log is read

    schema = _schema()
    picked = {"$defs": schema["$defs"], "$ref": "#/$defs/test_request"}
    return jsonschema_rs.Draft202012Validator(picked)


def _faults(request: Mapping[str, Any]) -> Iterator[str]:
    if {"prompt", "messages"} <= request.keys():
        yield "a request has a prompt or messages, not both"
    for error in _validator().iter_errors(request):
        where = ".".join(map(str, error.instance_path))
        yield f"{where or 'the request'}: {error.message}"
