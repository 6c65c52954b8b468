"""What `llmroute.yaml` must keep beyond its schema: references, defaults of inputs, time zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.config.document import Document
from llmroute.config.policy_checks import check_names
from llmroute.config.reading import items_of, map_of, reference, text_of
from llmroute.config.wording import any_of, show

__all__ = ["Known", "check_settings"]

_POLICY = "policy/"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
}


class Known:
    """The names that the workspace's files have: broken files count too."""

    __slots__ = ("policies", "providers")

    def __init__(self, providers: set[str], policies: set[str]) -> None:
        self.providers = providers
        self.policies = policies


def check_settings(document: Document, known: Known) -> Iterator[Diagnostic]:
    """Yield what is wrong with the workspace file beyond its schema."""
    yield from check_names(document)
    default = text_of(document.data, "default_policy")
    if default is not None:
        yield from reference(document, ("default_policy",), "policy", default, known.policies)
    for name, meaning in map_of(document.data, "aliases").items():
        yield from _alias(document, name, meaning, known)
    for name, declared in map_of(document.data, "inputs").items():
        yield from _default(document, name, declared)
    for index, budget in enumerate(items_of(document.data, "budgets")):
        yield from _scope(document, ("budgets", index, "scope"), map_of(budget, "scope"), known)
    yield from _timezone(document)


def _alias(document: Document, name: str, meaning: Any, known: Known) -> Iterator[Diagnostic]:
    path = ("aliases", name)
    if not isinstance(meaning, str) or "/" not in meaning:
        return
    if name in known.providers or (name in known.policies and meaning != f"{_POLICY}{name}"):
        kind = "provider" if name in known.providers else "policy"
        message = f"the alias `{name}` is the name of a {kind} too"
        yield document.diagnostic("alias-name", message, path, key=True, help="rename the alias")
    if meaning.startswith(_POLICY):
        wanted = meaning.removeprefix(_POLICY)
        yield from reference(document, path, "policy", wanted, known.policies)
    else:
        provider = meaning.split("/", 1)[0]
        yield from reference(document, path, "provider", provider, known.providers)


def _scope(
    document: Document, path: tuple[str | int, ...], scope: Mapping[str, Any], known: Known
) -> Iterator[Diagnostic]:
    provider, target, policy = (text_of(scope, key) for key in ("provider", "target", "policy"))
    if provider is not None:
        yield from reference(document, (*path, "provider"), "provider", provider, known.providers)
    if target is not None:
        name = target.split("/", 1)[0]
        yield from reference(document, (*path, "target"), "provider", name, known.providers)
    if policy is not None:
        yield from reference(document, (*path, "policy"), "policy", policy, known.policies)


def _default(document: Document, name: str, declared: Any) -> Iterator[Diagnostic]:
    if not isinstance(declared, Mapping) or "default" not in declared:
        return
    value, path = declared["default"], ("inputs", name, "default")
    allowed = items_of(declared, "enum")
    if allowed and value not in allowed:
        message = f"the default {show(value)} is not one of {any_of([show(v) for v in allowed])}"
        meant = did_you_mean(value, map(str, allowed)) if isinstance(value, str) else None
        yield document.diagnostic("input-default", message, path, help=meant)
    kind = text_of(declared, "type") or (None if allowed else "string")
    if kind is not None and not _fits(value, kind):
        message = f"the default {show(value)} is not of the type {kind}"
        help_text = "mend the default, or the type"
        yield document.diagnostic("input-default", message, path, help=help_text)


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, object))


def _timezone(document: Document) -> Iterator[Diagnostic]:
    name = text_of(document.data, "timezone")
    if name is None or name == "UTC":
        return
    from zoneinfo import ZoneInfo, available_timezones  # 10 ms, rarely needed

    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        known = available_timezones()
        if known:  # without a database of zones nothing can be said
            help_text = did_you_mean(name, _places(known)) or "write a name such as Europe/Vienna"
            message = f"there is no time zone `{name}`"
            yield document.diagnostic("timezone", message, ("timezone",), help=help_text)


def _places(zones: set[str]) -> Iterator[str]:
    """Leave out abbreviations and offsets: a name that resembles one of them is another time."""
    yield "UTC"
    yield from (zone for zone in zones if "/" in zone and not zone.startswith("Etc/"))
