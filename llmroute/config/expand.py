"""Environment variables inside configured text: `${NAME}` and `${NAME:-default}`.

As in a shell, the default stands in where the variable is unset or empty. Expansion happens in
`base_url` and in the path of a `file:` secret, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmroute.config.addresses import AddressError

__all__ = ["UnsetVariable", "base_url", "expand"]

_REFERENCE = re.compile(r"\$\{([^}]*)(\}?)")
_INNER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):-([^}]*)\}\Z")
_AUTHORITY = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<host>\[[^\]]*\]|[^:/]*)(?P<port>:\d+)?"
)


_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")


class UnsetVariable(ValueError):  # noqa: N818 - reads as what happened
    """A variable without a default is unset; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set; set it, or give a default: ${{{name}:-…}}")
        self.name = name


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced; a `$` without `{` stays as it is.

    Raises:
        UnsetVariable: a variable without a default is unset or empty.
        ValueError: a reference is malformed.

    """
    return _REFERENCE.sub(lambda match: _value(match, environment), text)


def _value(match: re.Match[str], environment: Mapping[str, str]) -> str:
    inner = _INNER.match(match[1])
    if inner is None or not match[2]:
        raise ValueError(f"`{match[0]}` is malformed; write ${{NAME}} or ${{NAME:-default}}")
    value = environment.get(inner[1]) or inner[2]
    if value is None:
        raise UnsetVariable(inner[1])
    return value


def base_url(text: str, environment: Mapping[str, str]) -> str:
    """Return a `base_url` expanded and completed, without a trailing slash.

    Servers take their address in short forms (`OLLAMA_HOST=0.0.0.0`, `gpu-box:8080`, `:8080`).
    Where such a variable is the whole value and has a default, the scheme, host and port that
    the variable leaves out come from the default. A word alone is no short form: the host must be
    an address, `localhost`, a name with a dot, or have a port. 0.0.0.0, an address to listen on,
    becomes 127.0.0.1, the address to call.

    Raises:
        AddressError: the variable holds neither a URL nor a short form; its text is not shown.
        UnsetVariable: a variable without a default is unset or empty.
        ValueError: a reference is malformed.

    """
    url = expand(text, environment).strip()
    whole = _WHOLE.match(text.strip())
    if whole and not _SCHEME.match(url):
        url = _complete(url, whole[1], whole[2])
    return re.sub(r"://0\.0\.0\.0(?=[:/]|\Z)", "://127.0.0.1", url).rstrip("/")


def _complete(short: str, name: str, default: str) -> str:
    model = _AUTHORITY.match(default)
    if model is None:
        return short
    short = f"[{short}]" if _BARE_IPV6.fullmatch(short) else short
    given = _AUTHORITY.match(f"x://{short}")
    path = short[given.end() - len("x://") :] if given else ""
    if given is None or not _is_short_form(given["host"], given["port"], path):
        raise AddressError(
            f"{name} holds neither a URL nor a host",
            f"set {name} to a URL such as {default}, or to HOST:PORT",
        )
    host = given["host"] or model["host"]
    port = given["port"] or model["port"] or ""
    return f"{model['scheme']}{host}{port}{path}"


def _is_short_form(host: str, port: str | None, path: str) -> bool:
    if path and not path.startswith("/"):
        return False
    if port:
        return not host or _HOST.fullmatch(host) is not None
    told = "." in host or host.startswith("[") or host.lower() == "localhost"
    return told and _HOST.fullmatch(host) is not None
