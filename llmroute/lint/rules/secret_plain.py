"""A secret stands in a file in plain text.

Wrong:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      headers: {x-custom: sk-test-0123456789abcdefghij}

Right:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {header: x-custom, value: env:EXAMPLE_KEY}

Why: Files are copied, committed and shown. A secret belongs to the environment or to a file that
only its owner can read, and `auth` names the place; one that was ever committed must be replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: What keys of well-known services look like.
_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
    sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,} | (?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{12,} |
    gh[opsur]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,} |
    AIza[A-Za-z0-9_-]{30,} | (?:AKIA|ASIA)[A-Z0-9]{16} | hf_[A-Za-z0-9]{20,} |
    xox[abeoprs]-[A-Za-z0-9-]{10,} | gsk_[A-Za-z0-9]{20,} | xai-[A-Za-z0-9]{20,} |
    r8_[A-Za-z0-9]{20,} | pplx-[A-Za-z0-9]{20,} | eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.
    )""",
    re.VERBOSE,
)
_BEARER = re.compile(r"(?:Bearer|Basic|Token)\s+[A-Za-z0-9._~+/=-]{8,}\Z", re.IGNORECASE)
_LOGIN = re.compile(r"://[^\s/@]+:[^\s/@]+@")
_QUERY = re.compile(
    r"[?&](?:api[-_]?key|key|token|access_token|secret|password)=[^&\s$]+", re.IGNORECASE
)
#: Names that hold a credential: of headers, fields and variables.
_NAME = re.compile(
    r"(?:^|[-_])(?:(?:api|access|auth|secret|private)[-_]?key|(?:access|auth|api|bearer)[-_]?token|"
    r"token|secret|password|passwd|credentials?|authorization)\Z",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(?:env:|file:|\$\{?[A-Za-z_]|\{[a-z_]+\}\Z|none\Z|true\Z|false\Z)", re.IGNORECASE
)
Path = tuple[str | int, ...]


def _check(project: Project) -> Iterator[Diagnostic]:
    for document in project.documents:
        data = document.data
        if _TOKEN.search(document.text) is None:  # then only the endpoint can hold one
            data = {"endpoint": data["endpoint"]} if "endpoint" in data else {}
        for path, text in _texts(data, ()):
            reason = _reason(path, text)
            if reason:
                yield document.diagnostic(
                    RULE.name,
                    reason,
                    path,
                    help=_help(path),
                    severity="warning",
                )


def _texts(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*path, index))
    elif isinstance(data, str):
        yield path, data


def _reason(path: Path, text: str) -> str | None:
    if path[:2] == ("endpoint", "auth") or _HARMLESS.match(text):
        return None
    if _TOKEN.search(text):
        return "this looks like a key of a service"
    if path[0] != "endpoint":
        return None
    if path[1:] == ("base_url",):
        return _of_address(text)
    if _BEARER.match(text):
        return "this looks like a credential"
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    if path[1] in ("environment", "headers", "body") and _NAME.search(name) and text.strip():
        return f"{name} holds a credential in plain text"
    return None


def _of_address(text: str) -> str | None:
    if _LOGIN.search(text):
        return "the address carries a login"
    return "the address carries a key" if _QUERY.search(text) else None


def _help(path: Path) -> str:
    if path[:2] == ("endpoint", "environment"):
        return f"take it from the environment: pass_environment: [{path[-1]}]"
    if path[:1] == ("endpoint",):
        return "write auth: {bearer: env:NAME} or {header: NAME, value: env:NAME}"
    return "remove it, and replace the key: others may have seen it"


RULE = Rule("secret-plain", "warning", _check)
