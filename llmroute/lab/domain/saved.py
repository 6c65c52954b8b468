"""Situations as JSON: everything that a decision depends on, so that it can be decided again.

::

    {"policy": "mine", "request": {"messages": [...], "tags": [...]}, "now": "2026-11-22T12:00:00Z",
     "budgets": {"team": 0.9}, "live": {"*": {"success": 0.5}}, "served": "openai/gpt-6-luna",
     "cached": {"openai/gpt-6-luna": 9216},
     "discovered": {"provider": "ollama", "model": {"model": "llama3.1:8b"}}}

Under `live` stand the fields of that root, and what was learned for estimates: `"token_factor":
1.25` and `"outputs": {"chat": {"tokens": 724, "answers": 12}}`. `cached` are the tokens of the
conversation that targets have in their prompt caches.
Only `request` must be there, with its `messages`. Measurements that are not said are priors; all
known targets count as usable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple

from llmroute.catalog.model import Capabilities
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError
from llmroute.lab.domain.situation import Situation
from llmroute.lab.domain.values import KINDS, Kind
from llmroute.policy.scoring.live import Output
from llmroute.types import Request, Route

__all__ = ["Saved", "parse_situation", "situation_data"]

_DEFAULTS = Request(({"role": "user", "content": ""},))
_ROUTE = Route()
#: Measured fields that are no part of a policy's `live` root but of the measurements.
_MORE = {
    "measured": Kind(frozenset(), closed=(False, True)),
    "observations": Kind(frozenset({"float"}), 0),
    "token_factor": Kind(frozenset({"float"}), 0.5, 2.0),
}
#: What is learned of answers to one task; see `policy.scoring.live.Output`.
_OUTPUT = {name: Kind(frozenset({"int"}), 1, 1_000_000) for name in Output._fields}
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


class Saved(NamedTuple):
    """A situation with the policy that it was found for and a model that a server lists, if any."""

    situation: Situation
    policy: str | None = None
    provider: str | None = None
    listing: Mapping[str, Any] | None = None


def situation_data(saved: Saved) -> dict[str, Any]:
    """Return plain JSON data, from which `parse_situation` makes the same again."""
    case = saved.situation
    found: dict[str, Any] = {"policy": saved.policy, "request": _request_data(case.request)}
    found |= {"now": case.now.isoformat(), "budgets": dict(case.budgets)}
    found |= {"live": {name: dict(values) for name, values in case.live.items()}}
    found |= {"served": case.served, "cached": dict(case.cached)}
    found |= {"choices": [list(choice) for choice in case.choices]}
    if saved.listing is not None:
        found["discovered"] = {"provider": saved.provider, "model": dict(saved.listing)}
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _request_data(request: Request) -> dict[str, Any]:
    """Return what is not as usual in a request."""
    data = {
        f.name: getattr(request, f.name)
        for f in fields(Request)
        if f.name != "route" and getattr(request, f.name) != getattr(_DEFAULTS, f.name)
    }
    route = {k: v for k, v in asdict(request.route).items() if v != getattr(_ROUTE, k)}
    whole = {"messages": request.messages, **data, **({"route": route} if route else {})}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in whole.items()}


def parse_situation(text: str, label: str, now: datetime | None = None) -> Saved:
    """Read a situation from JSON; what `prove --json` prints is taken too, its first example.

    `label` names the file in messages, `now` is the moment where the file names none.

    Raises:
        UsageError: the text is no JSON, or not of a situation; the message says where.

    """
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{label}{_place(exc)}: no JSON: {_said(exc)}") from exc
    return _Reader(label).saved(_inside(data), now or datetime.now(UTC))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _place(exc: Exception) -> str:
    return f":{exc.lineno}:{exc.colno}" if isinstance(exc, json.JSONDecodeError) else ""


def _said(exc: Exception) -> str:
    return exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)


def _inside(data: Any) -> Any:
    """Return the situation of what `prove --json` prints, anything else as it is."""
    proofs = data if isinstance(data, list) else [data]
    for proof in proofs:
        example = proof.get("example") if isinstance(proof, Mapping) else None
        if isinstance(example, Mapping) and "situation" in example:
            return example["situation"]
    return data


class _Reader:
    """Checks the data of one file; `label` names it."""

    def __init__(self, label: str) -> None:
        self._label = label

    def saved(self, data: Any, now: datetime) -> Saved:
        """Return the situation of checked data."""
        self._map(data, "the situation")
        self._known(data, _KEYS, "")
        listing = self._discovered(data.get("discovered"))
        case = Situation(
            self._request(data.get("request")),
            self._moment(data.get("now"), now),
            self._budgets(data.get("budgets", {})),
            self._live(data.get("live", {})),
            self._text(data.get("served"), "served"),
            self._choices(data.get("choices", [])),
            cached=self._cached(data.get("cached", {})),
        )
        return Saved(case, self._text(data.get("policy"), "policy"), *listing)

    def _wrong(self, where: str, what: str) -> UsageError:
        return UsageError(f"{self._label}: {where} {what}")

    def _map(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(where, f"is {_short(value)}; it must be a map")
        return value

    def _known(self, data: Mapping[str, Any], known: tuple[str, ...], under: str) -> None:
        for name in data:
            if name not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
                raise self._wrong(f"{under}{name}", f"is no key of a situation; {hint}")

    def _text(self, value: Any, where: str) -> str | None:
        if value is not None and not isinstance(value, str):
            raise self._wrong(where, f"is {_short(value)}; it must be a text")
        return value

    def _request(self, data: Any) -> Request:
        given = dict(self._map(data, "request"))
        if "messages" not in given:
            raise self._wrong("request", "has no messages")
        messages = given.pop("messages")
        for name in ("stream",):
            if not isinstance(given.get(name, False), bool):
                raise self._wrong(f"request.{name}", "must be true or false")
        if not isinstance(given.get("route", {}), Mapping):
            raise self._wrong("request.route", "must be a map")
        try:
            return Request.of(self._messages(messages), **given)
        except UsageError as exc:
            raise self._wrong("request:", str(exc)) from exc

    def _messages(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong("request.messages", f"is {_short(value)}; it must be a list")
        for number, message in enumerate(value):
            content = message.get("content") if isinstance(message, Mapping) else None
            parts = content if isinstance(content, list) else []
            if not isinstance(content, str | list | None) or not all(map(_is_part, parts)):
                where = f"request.messages[{number}].content"
                raise self._wrong(where, "must be a text or a list of parts")
        return value

    def _moment(self, value: Any, now: datetime) -> datetime:
        if value is None:
            return now
        try:
            moment = datetime.fromisoformat(self._text(value, "now") or "")
        except ValueError as exc:
            what = f'is {_short(value)}; write it as "2026-11-22T12:00:00+01:00"'
            raise self._wrong("now", what) from exc
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _budgets(self, value: Any) -> dict[str, float]:
        for name, share in self._map(value, "budgets").items():
            if not _TYPES["float"](share) or share < 0:
                raise self._wrong(f"budgets.{name}", f"is {_short(share)}; it must be 0 or more")
        return dict(value)

    def _live(self, value: Any) -> dict[str, dict[str, Any]]:
        kinds = {path[1]: kind for path, kind in KINDS.items() if path[0] == "live"} | _MORE
        for target, measured in self._map(value, "live").items():
            where = f"live.{target}."
            self._known(self._map(measured, where[:-1]), (*kinds, "outputs"), where)
            self._figures({k: v for k, v in measured.items() if k != "outputs"}, kinds, where)
            self._outputs(measured.get("outputs", {}), f"{where}outputs")
        return {target: dict(measured) for target, measured in value.items()}

    def _figures(self, data: Mapping[str, Any], kinds: Mapping[str, Kind], under: str) -> None:
        for name, figure in data.items():
            if not _is_of(figure, kinds[name]):
                raise self._wrong(f"{under}{name}", f"cannot be {_short(figure)}")

    def _outputs(self, value: Any, where: str) -> None:
        for task, output in self._map(value, where).items():
            under = f"{where}.{task}."
            self._known(self._map(output, under[:-1]), tuple(_OUTPUT), under)
            if output.keys() != _OUTPUT.keys():
                raise self._wrong(under[:-1], f"needs {' and '.join(_OUTPUT)}")
            self._figures(output, _OUTPUT, under)

    def _cached(self, value: Any) -> dict[str, int]:
        for target, tokens in self._map(value, "cached").items():
            if not _is_count(tokens):
                raise self._wrong(f"cached.{target}", f"cannot be {_short(tokens)}")
        return dict(value)

    def _choices(self, value: Any) -> tuple[tuple[str, Any], ...]:
        found = []
        for pair in value if isinstance(value, list) else [value]:
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise self._wrong("choices", "must be a list of names with values")
            found.append((pair[0], pair[1]))
        return tuple(found)

    def _discovered(self, value: Any) -> tuple[str | None, Mapping[str, Any] | None]:
        if value is None:
            return None, None
        data = self._map(value, "discovered")
        self._known(data, ("model", "provider"), "discovered.")
        provider = self._text(data.get("provider"), "discovered.provider")
        model = self._map(data.get("model"), "discovered.model")
        if provider is None or not model.get("model"):
            raise self._wrong("discovered", "needs a provider and a model with its name, `model`")
        self._known(model, tuple(_LISTED), "discovered.model.")
        for name, item in model.items():
            if not _LISTED[name](item):
                raise self._wrong(f"discovered.model.{name}", f"cannot be {_short(item)}")
        return provider, dict(model)


_KEYS = (
    *("policy", "request", "now", "budgets", "live", "served", "cached", "choices"),
    "discovered",
)


def _is_count(value: Any) -> bool:
    return _TYPES["int"](value) and value > 0


#: What a server's listing says of a model, as `catalog.discovery` reads it.
_LISTED: Mapping[str, Callable[[Any], bool]] = {
    "model": lambda value: isinstance(value, str),
    "locality": lambda value: value in ("local", "cloud"),
    "cost": lambda value: value is None,
    "capabilities": lambda value: (
        isinstance(value, Mapping)
        and value.keys() <= set(Capabilities.names())
        and all(isinstance(flag, bool) for flag in value.values())
    ),
    "context_window": _is_count,
    "trained_context": _is_count,
    "max_output": _is_count,
    "parameters": lambda value: _TYPES["float"](value) or isinstance(value, str),
    "loaded": lambda value: isinstance(value, bool),
}


def _is_of(value: Any, kind: Kind) -> bool:
    if kind.closed is not None:
        return any(value is item for item in kind.closed)
    if not any(_TYPES[name](value) for name in kind.types):
        return False
    return value is None or bool(kind.least <= value <= kind.most)


def _is_part(part: Any) -> bool:
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        return False
    return part["type"] != "text" or isinstance(part.get("text"), str)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
