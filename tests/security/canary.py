"""A secret that must not be seen, and every place where it could be."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.traceback import Traceback

from llmroute import Router
from llmroute.errors import ConfigError, RouteFailed, TargetError

SECRET = "sk-proj-Kq7zCaNaRy0x9LmW2vTq/+5wxyz"
PROMPT = "Canary prompt: the merger with Umbrella closes on Friday."

POLICY = """\
policy: once
rules: [{name: cheap, weight: 1, prefer: price}]
fallback: {attempts: 1}
"""
PROVIDER = """\
provider: example
locality: local
endpoint:
  transport: http
  protocol: {protocol}
  base_url: {url}
  auth: {auth}
  timeouts: {{connect: 1s, first_token: 300ms, idle: 300ms, total: 600ms}}
defaults:
  capabilities: {{streaming: {streaming}}}
  cost: {{input: 0, output: 0}}
models:
  - model: small
    context_window: 8192
"""


def workspace(
    root: Path,
    url: str,
    auth: str = "{bearer: env:EXAMPLE_KEY}",
    *,
    protocol: str = "openai-chat",
    streaming: bool = False,
) -> Path:
    """Write a workspace of one provider, and return its folder."""
    text = PROVIDER.format(url=url, auth=auth, protocol=protocol, streaming=str(streaming).lower())
    return written(root, text)


def written(root: Path, text: str, name: str = "example") -> Path:
    folder = root / "providers.d"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (root / "policies").mkdir(exist_ok=True)
    (root / "policies" / "once.yaml").write_text(POLICY, encoding="utf-8")
    (root / "llmroute.yaml").write_text("default_policy: once\n", encoding="utf-8")
    return root


def refused(root: Path) -> ConfigError:
    """Load a workspace that is wrong, and return what is said of it."""
    try:
        Router.load(root, environment={})
    except ConfigError as exc:
        return exc
    raise AssertionError("the workspace was loaded")


def loaded(root: Path, **environment: str) -> Router:
    return Router.load(root, environment={"EXAMPLE_KEY": SECRET, **environment})


def shows(text: str, secret: str = SECRET) -> list[str]:
    """Return what a text shows of a secret: runs of eight characters, and other spellings."""
    runs = {secret[i : i + 8] for i in range(len(secret) - 7)}
    seen = [run for run in runs if run.lower() in text.lower()]
    packed = base64.b64encode(f"Bearer {secret}".encode()).decode()
    return seen + [part for part in (packed, packed[12:28], secret[-4:]) if part in text]


def chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that hangs on it."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [exc]
    while waiting:
        link = waiting.pop()
        if link is None or link in seen:
            continue
        seen.append(link)
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, RouteFailed):
            waiting.append(link.last)


def told(exc: BaseException) -> str:
    """Return all that an error says, also to tools that print local variables."""
    parts = []
    for link in chain(exc):
        parts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
        parts += traceback.format_exception(link)
        parts += _variables(link)
        if isinstance(link, TargetError):
            parts += [repr(link.native), repr((link.code, link.request_id, link.help))]
        if isinstance(link, RouteFailed):
            parts += [repr([asdict(attempt) for attempt in link.attempts])]
        if isinstance(link, ConfigError):
            parts += [repr(link.diagnostics)]
    return "\n".join([*parts, _in_rich(exc)])


def _variables(exc: BaseException) -> Iterator[str]:
    """Yield the local variables of an error's frames, but for those of the tests themselves."""
    for frame, _ in traceback.walk_tb(exc.__traceback__):
        if "tests" in Path(frame.f_code.co_filename).parts:
            continue
        for name, value in frame.f_locals.items():
            with suppress(Exception):
                yield f"{name} = {value!r}"


def _in_rich(exc: BaseException) -> str:
    """Return what rich would print of an error's local variables, without its layout."""
    trace = Traceback.extract(type(exc), exc, exc.__traceback__, show_locals=True)
    frames = [frame for stack in trace.stacks for frame in stack.frames]
    shown = [frame.locals or {} for frame in frames if "/tests/" not in frame.filename]
    return "\n".join(f"{name} = {node}" for names in shown for name, node in names.items())


def failure(router: Router, *, stream: bool = False, **fields: Any) -> BaseException:
    """Ask, and return the error that comes of it."""
    try:
        if stream:
            with router.stream(PROMPT, **fields) as chunks:
                for _ in chunks:
                    pass
        else:
            router.complete(PROMPT, **fields)
    except Exception as exc:  # noqa: BLE001 - whatever comes is looked at
        return exc
    raise AssertionError("the call did not fail")
