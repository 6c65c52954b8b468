"""What a provider file must keep beyond its schema: names, secrets, addresses, dates.

Documents come here with schema faults too, so that one run shows everything; each check looks
only at values that have the type it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmroute.config.addresses import Address, AddressError, classify
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.expand import UnsetVariable, base_url
from llmroute.config.reading import items_of, map_of, name_finding, text_of, twice
from llmroute.config.redact import variable_name
from llmroute.config.secrets import SecretError, check_reference, resolve

__all__ = ["Surroundings", "check_provider"]

_ENDPOINT = ("endpoint",)
_BASE_URL = ("endpoint", "base_url")
#: Names of headers that tell of a credential.
_CREDENTIAL_HEADER = re.compile(
    r"""(?:.*[-_])?(?:(?:api|access|auth|secret|private|subscription)[-_]?key|
    token|secret|password|credentials?|authorization|cookie)\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_EXPANSION = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")
_NAMES = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_DATES = {"quality": ("date",), "cost": ("valid_from", "valid_until", "date")}


class Surroundings(NamedTuple):
    """What a check knows besides the file."""

    environment: Mapping[str, str]
    root: Path


def check_provider(document: Document, around: Surroundings) -> Iterator[Diagnostic]:
    """Yield what is wrong with a provider file beyond its schema."""
    yield from name_finding(document, "provider")
    yield from _secrets(document, around)
    yield from _headers(document)
    yield from _url(document, around)
    yield from _unbound(document)
    yield from _expansions(document)
    models = items_of(document.data, "models")
    named = [(("models", i, "model"), text_of(m, "model")) for i, m in enumerate(models)]
    yield from twice(document, named, "schema-duplicate", "the model {} is listed twice")
    yield from _dates(document, ("defaults",), map_of(document.data, "defaults"))
    for index, model in enumerate(models):
        yield from _dates(document, ("models", index), model)


def _unbound(document: Document) -> Iterator[Diagnostic]:
    """Without an address LiteLLM calls the vendor's own, so such a provider is never local."""
    endpoint = map_of(document.data, "endpoint")
    local = text_of(document.data, "locality") == "local"
    if local and text_of(endpoint, "transport") == "litellm" and "base_url" not in endpoint:
        yield document.diagnostic(
            "base-url-local",
            "locality is local, but without base_url LiteLLM calls the vendor's own address",
            ("locality",),
            help="write locality: cloud, or the base_url of a machine in your network",
        )


def _secrets(document: Document, around: Surroundings) -> Iterator[Diagnostic]:
    auth = map_of(document.data, "endpoint", "auth")
    for key in ("bearer", "value"):
        reference = auth.get(key)
        if not isinstance(reference, str) or check_reference(reference):
            continue  # the schema reports a malformed reference
        try:
            resolve(reference, around.environment, around.root)
        except SecretError as exc:
            provider = text_of(document.data, "provider") or document.path.stem
            yield document.diagnostic(
                "secret-unset",
                f"no secret at {reference}: {provider} is left out until there is one",
                (*_ENDPOINT, "auth", key),
                help=str(exc),
                severity="note",
            )


def _headers(document: Document) -> Iterator[Diagnostic]:
    for name, value in map_of(document.data, "endpoint", "headers").items():
        if _CREDENTIAL_HEADER.match(name):
            yield document.diagnostic(
                "secret-reference",
                f"the header `{name}` carries a credential, which belongs to `auth`",
                (*_ENDPOINT, "headers", name),
                key=True,
                help=f"write auth: {_auth_of(name.lower(), value)}",
            )


def _auth_of(header: str, value: Any) -> str:
    """Write the `auth` that sends what a header was to carry."""
    scheme, _, rest = value.strip().partition(" ") if isinstance(value, str) else ("", "", "")
    bearer = header == "authorization" and scheme.lower() == "bearer"
    name = variable_name((rest if bearer else scheme).strip()) or "NAME"
    return f"{{bearer: env:{name}}}" if bearer else f"{{header: {header}, value: env:{name}}}"


def _url(document: Document, around: Surroundings) -> Iterator[Diagnostic]:
    text = text_of(map_of(document.data, "endpoint"), "base_url")
    if text is None:
        return
    origin = ""
    try:
        url = base_url(text, around.environment)
        origin = _origin(text)
        address = classify(url)
    except UnsetVariable as exc:
        help_text = f"set {exc.name}, or write ${{{exc.name}:-…}} with a default"
        message = f"{exc.name} is not set, and has no default here"
        yield document.diagnostic("variable-unset", message, _BASE_URL, help=help_text)
    except AddressError as exc:
        yield document.diagnostic("base-url", f"{exc}{origin}", _BASE_URL, help=exc.help)
    except ValueError as exc:
        yield document.diagnostic("variable-form", str(exc), _BASE_URL)
    else:
        yield from _reach(document, address, origin)


def _origin(text: str) -> str:
    names = list(dict.fromkeys(_NAMES.findall(text)))
    return f" (after its variables are replaced: {', '.join(names)})" if names else ""


def _reach(document: Document, address: Address, origin: str) -> Iterator[Diagnostic]:
    endpoint = map_of(document.data, "endpoint")
    if text_of(document.data, "locality") == "local" and address.reach == "public":
        yield document.diagnostic(
            "base-url-local",
            f"locality is local, but {address.host} is neither loopback nor private{origin}",
            _BASE_URL,
            help="write locality: cloud, or the address of a machine in your network",
        )
    if address.scheme == "https" or address.reach == "loopback":
        return
    if address.reach == "public":
        message = f"http:// to {address.host} sends prompts and keys unencrypted{origin}"
        yield document.diagnostic("base-url-http", message, _BASE_URL, help="write https://")
    elif endpoint.get("plain_http", False) is False:  # the schema reports what is no truth value
        yield document.diagnostic(
            "base-url-http",
            f"http:// to the private address {address.host} is unencrypted{origin}",
            _BASE_URL,
            help="write https://, or allow it with plain_http: true",
        )


def _expansions(document: Document) -> Iterator[Diagnostic]:
    """Variables are replaced in base_url and secrets only; elsewhere they would be sent."""
    endpoint = map_of(document.data, "endpoint")
    for part in ("headers", "environment", "command"):
        help_text = "write the value itself; a program gets variables by pass_environment"
        yield from _unreplaced(document, (*_ENDPOINT, part), endpoint.get(part), help_text)
    for part in ("model_prefix", "body"):
        yield from _unreplaced(document, (*_ENDPOINT, part), endpoint.get(part))
    for index, model in enumerate(items_of(document.data, "models")):
        yield from _unreplaced(document, ("models", index, "upstream"), text_of(model, "upstream"))


def _unreplaced(
    document: Document,
    path: tuple[str | int, ...],
    value: Any,
    help_text: str = "write the value itself",
) -> Iterator[Diagnostic]:
    """Report every variable in a value and in what is in it."""
    if isinstance(value, str) and (found := _EXPANSION.search(value)):
        message = f"`{found[0]}` is not replaced here, only in base_url and secrets"
        yield document.diagnostic("variable-place", message, path, help=help_text)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unreplaced(document, (*path, key), item, help_text)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unreplaced(document, (*path, index), item, help_text)


def _dates(document: Document, path: tuple[str | int, ...], model: Any) -> Iterator[Diagnostic]:
    for part, keys in _DATES.items():
        for key in keys:
            text = text_of(map_of(model, part), key)
            if text is not None and len(text) == 10 and not _is_date(text):
                message = f"`{key}`: there is no day {text}"
                yield document.diagnostic("schema-date", message, (*path, part, key))
    first, last = (text_of(map_of(model, "cost"), key) for key in ("valid_from", "valid_until"))
    if first and last and first > last:
        message = f"the price ends ({last}) before it begins ({first})"
        yield document.diagnostic("cost-dates", message, (*path, "cost", "valid_until"))


def _is_date(text: str) -> bool:
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
