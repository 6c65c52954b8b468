"""The types of all that an expression may read: the fields of `llmroute.policy.fields`, typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.catalog.model import Capabilities
from llmroute.lint.jsontypes import ANY, Type, literal_type, union
from llmroute.policy.facts.kinds import QUESTIONS
from llmroute.policy.facts.languages import LANGUAGES

__all__ = ["REQUEST_ROOTS", "metadata_type", "roots"]

#: The roots that a `let` may read.
REQUEST_ROOTS = frozenset({"request", "facts", "budget", "now"})


def _of(*kinds: str, low: float | None = None, high: float | None = None) -> Type:
    return Type(frozenset(kinds), low=low, high=high)


def _object(fields: Mapping[str, Type], rest: Type | None = None) -> Type:
    return Type(frozenset({"object"}), fields=fields, rest=rest)


def _choice(*values: str) -> Type:
    return Type(frozenset({"string"}), values=values)


def _list(items: Type) -> Type:
    return Type(frozenset({"array"}), items=items)


_TEXT, _FLAG = _of("string"), _of("boolean")
_NUMBER, _OPEN = _of("number"), Type(frozenset({"object"}))
_COUNT, _SIZE, _SHARE = _of("number", low=0), _of("number", low=1), _of("number", low=0, high=1)

_REQUEST = {
    "messages": _list(_OPEN),
    "tools": _list(_OPEN),
    "tool_choice": _of("string", "object", "null"),
    "parallel_tool_calls": _FLAG.or_null(),
    "response_format": _OPEN,
    "max_tokens": _SIZE.or_null(),
    "temperature": _NUMBER.or_null(),
    "top_p": _NUMBER.or_null(),
    "stop": _list(_TEXT),
    "seed": _NUMBER.or_null(),
    "reasoning_effort": _TEXT.or_null(),
    "user": _TEXT.or_null(),
    "stream": _FLAG,
    "tags": _list(_TEXT),
    "task": _TEXT.or_null(),
}
_FACTS = {
    **dict.fromkeys(("tokens", "characters", "messages", "turns", "words"), _COUNT),
    **dict.fromkeys(("tools", "images", "json_schema", "code", "math", "multiple_choice"), _FLAG),
    **dict.fromkeys(("lexical_diversity", "digits"), _SHARE),
    "average_word_length": _COUNT,
    "language": _choice(*LANGUAGES).or_null(),
    "question": _choice(*QUESTIONS).or_null(),
    "task": _TEXT,
}
_PRICES = ("input", "output", "cache_read", "cache_write", "per_request")
_TARGET = {
    **dict.fromkeys(("id", "provider", "model", "upstream"), _TEXT),
    "locality": _choice("local", "cloud"),
    **dict.fromkeys(("context_window", "max_output", "typical_output"), _SIZE.or_null()),
    "capabilities": _object(dict.fromkeys(Capabilities.names(), _FLAG)),
    "specializations": _list(_TEXT),
    "quality": _object({}, rest=_SHARE.or_null()),
    "cost": _object(dict.fromkeys(_PRICES, _COUNT.or_null())),
    "limits": _object(
        {
            **dict.fromkeys(("concurrency", "rpm", "tpm"), _SIZE.or_null()),
            "pool": _TEXT.or_null(),
        }
    ),
    "parameters": _SIZE.or_null(),
    "discovered": _FLAG,
}
_ESTIMATE = {
    **dict.fromkeys(("tokens_in", "tokens_out"), _COUNT),
    **dict.fromkeys(("cost", "cost_max"), _COUNT.or_null()),
}
_LIVE = {
    **dict.fromkeys(("first_token", "tokens_per_second", "in_flight"), _COUNT),
    **dict.fromkeys(("success", "headroom"), _SHARE),
    "loaded": _FLAG.or_null(),
}
_NOW = {
    "hour": Type(frozenset({"number"}), values=tuple(range(24)), low=0, high=23),
    "weekday": Type(frozenset({"number"}), values=tuple(range(1, 8)), low=1, high=7),
}
_DECLARED = {"string": _TEXT, "number": _NUMBER, "boolean": _FLAG}


def roots(inputs: Mapping[str, Any] | None) -> Mapping[str, Type]:
    """Return the type of every root; `inputs` are the declared labels, None: metadata is open."""
    return {
        "request": _object({**_REQUEST, "metadata": metadata_type(inputs)}),
        "facts": _object(_FACTS),
        "target": _object(_TARGET),
        "estimate": _object(_ESTIMATE),
        "live": _object(_LIVE),
        "budget": _object({}, rest=_COUNT.or_null()),
        "now": _object(_NOW),
    }


def metadata_type(inputs: Mapping[str, Any] | None) -> Type:
    """Return the type of `request.metadata`."""
    if inputs is None:
        return _OPEN
    return _object({name: _label(declared or {}) for name, declared in inputs.items()})


def _label(declared: Mapping[str, Any]) -> Type:
    """Return the type of one label; it is null where the caller gives none and none is set."""
    made = _DECLARED.get(declared.get("type", ""), ANY)
    if "enum" in declared:
        made = union(map(literal_type, declared["enum"]))
    return made.without_null() if "default" in declared else made.or_null()
