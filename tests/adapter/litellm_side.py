"""litellm's own transformations for Anthropic, called as its completion does, without a network."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llmroute.types import Request

__all__ = ["MADE_UP", "OPERATOR", "REFUSED", "their_answer", "their_request"]

#: What litellm writes for a text that is blank, and before late words of the system.
MADE_UP = "[System: Empty message content sanitised to satisfy protocol]"
OPERATOR = "Operator note (not from the user)"
#: How its error begins where it knows no place for a message.
REFUSED = "litellm.BadRequestError: Invalid Message passed in"
_FIELDS = (
    *("tools", "tool_choice", "parallel_tool_calls", "response_format", "max_tokens"),
    *("temperature", "top_p", "stop", "reasoning_effort", "user", "seed"),
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what litellm's own types warn of, when they are first used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _config() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read when litellm is imported
    from litellm.llms.anthropic.chat.transformation import AnthropicConfig

    return AnthropicConfig()


def their_request(request: Request, model: str) -> Any:
    """Return the body that litellm makes of a request, or the words of its refusal."""
    with _quiet():
        return _request(request, model)


def _request(request: Request, model: str) -> Any:
    config = _config()
    from litellm.llms.anthropic.common_utils import AnthropicError

    known = {name: getattr(request, name) for name in _FIELDS}
    asked = {name: value for name, value in known.items() if value is not None and value != ()}
    asked |= {"stream": True} if request.stream else {}
    asked = json.loads(json.dumps(asked))
    supported = config.get_supported_openai_params(model)
    given = {name: value for name, value in asked.items() if name in supported}
    optional = config.map_openai_params(given, {}, model, drop_params=True)
    messages = json.loads(json.dumps(list(request.messages)))
    try:
        made = config.transform_request(model, messages, optional, {"drop_params": True}, {})
    except AnthropicError as exc:
        return str(exc)
    return json.loads(json.dumps(made))


def their_answer(body: Any) -> Any:
    """Return what litellm makes of a whole answer, as JSON."""
    with _quiet():
        return _answer(body)


def _answer(body: Any) -> Any:
    config = _config()
    import httpx
    from litellm.types.utils import ModelResponse

    raw = httpx.Response(200, json=body)
    made = config.transform_parsed_response(
        completion_response=json.loads(json.dumps(body)),
        raw_response=raw,
        model_response=ModelResponse(),
    )
    return made.model_dump()
