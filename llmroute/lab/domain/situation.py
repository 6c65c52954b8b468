"""One concrete case: a request, the time, what was spent and what was measured."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from llmroute.catalog.model import Target
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import LiveFacts, Output, Priors
from llmroute.types import Request

__all__ = ["EVERY", "IMAGE", "PRIOR", "SCHEMA", "TOOL", "Measured", "Situation"]

#: Stands for all targets in `Situation.live`.
EVERY = "*"
#: The value of a dimension of measurements where nothing was measured.
PRIOR = "prior"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
_FORM = {"type": "object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": _FORM, "strict": True}}


class Measured(Priors):
    """Priors with some values set: of one target by its id, or of `EVERY` one."""

    def __init__(
        self,
        live: Mapping[str, Mapping[str, Any]],
        served: str | None = None,
        cached: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.values = live
        self._served = served
        self._cached = cached

    def of(self, target: Target) -> LiveFacts:
        """Return the target's priors with what was set for it."""
        known = super().of(target)
        values = {**self.values.get(EVERY, {}), **self.values.get(target.id, {})}
        if outputs := values.get("outputs"):
            values["outputs"] = {task: Output(**output) for task, output in outputs.items()}
        return known._replace(**{"measured": True, **values}) if values else known

    def affinity(self, request: Request) -> str | None:  # noqa: ARG002 - the view's signature
        """Return the target that is to have served the conversation."""
        return self._served

    def cached(self, request: Request) -> Mapping[str, int]:  # noqa: ARG002 - the view's signature
        """Return the tokens that targets are to have cached."""
        return self._cached


@dataclass(frozen=True)
class Situation:
    """A request with its surroundings.

    `live` maps target ids, or `EVERY`, to measured fields; the others are priors. `served` is the
    target that served the conversation last, `cached` the tokens that targets have in their caches.
    `choices` are the values of the dimensions that are
    not at their default, for people.
    """

    request: Request
    now: datetime
    budgets: Mapping[str, float] = field(default_factory=dict)
    live: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    served: str | None = None
    choices: tuple[tuple[str, Any], ...] = ()
    view: Measured | None = field(default=None, compare=False, repr=False)
    cached: Mapping[str, int] = field(default_factory=dict)

    def around(self) -> Surroundings:
        """Return what a decision depends on besides the request."""
        view = self.view or Measured(self.live, self.served, self.cached)
        return Surroundings(self.now, view, self.budgets)

    def describe(self) -> str:
        """Say on one line what is special about the situation."""
        said = (f"{name} = {_short(value)}" for name, value in self.choices)
        return ", ".join(said) or "a plain request"

    def arguments(self) -> list[str]:
        """Return the request as arguments of `llmroute decide`."""
        request = self.request
        labels = (
            f"{name}={value if isinstance(value, str) else _json(value)}"
            for name, value in request.metadata.items()
        )
        options: list[tuple[str, Any]] = [("tag", tag) for tag in request.tags]
        options += [("metadata", label) for label in labels]
        options += [("task", request.task), ("max-tokens", request.max_tokens)]
        options += [("input-tokens", request.input_tokens), ("system", _system_of(request))]
        options += [("ignore", ",".join(request.route.ignore) or None)]
        found = [_text_of(request) or " "]
        for name, value in options:
            found += [] if value is None else _option(name, str(value))
        return [*found, *([] if request.stream else ["--no-stream"])]

    def command(self, policy: str) -> str:
        """Return the command line that shows the decision in a shell such as bash."""
        argv = ["llmroute", "decide", *self.arguments(), "--policy", policy]
        words = [shlex.join(argv)]
        if self.request.tools == (TOOL,):
            words.append(f"--tool <(echo {shlex.quote(_json(TOOL))})")
        if self.request.json_schema is not None:
            words.append(f"--json-schema <(echo {shlex.quote(_json(_FORM))})")
        if self.pictured:
            words.append("--image PICTURE.png")
        return " ".join([*words, "--assume-usable", "--offline"])

    @property
    def pictured(self) -> bool:
        """Whether the request carries an image."""
        return any(IMAGE in m["content"] for m in self.request.messages if _parted(m))

    def beyond(self) -> tuple[str, ...]:
        """Return what the command line cannot say: the time, budgets, measurements and the like."""
        request = self.request
        named = (
            *("temperature", "top_p", "seed", "user", "reasoning_effort", "stop"),
            *("parallel_tool_calls", "tool_choice"),
        )
        found = [n for n in named if getattr(request, n) not in (None, ())]
        found += ["task"] if request.task is not None and not request.task.strip() else []
        found += ["tags"] if not all(tag.strip() for tag in request.tags) else []
        found += ["messages"] if not _plain_messages(request) else []
        found += ["tools"] if request.tools not in ((), (TOOL,)) else []
        found += ["response_format"] if request.response_format not in (None, SCHEMA) else []
        found += [n for n, v in request.metadata.items() if not isinstance(v, str)]
        found += [n for n, _ in self.choices if n.startswith(("budget.", "live.", "now."))]
        found += ["live"] if self.live and not any(n.startswith("live") for n in found) else []
        found += ["served"] if self.served else []
        found += ["cached"] if self.cached else []
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the request, its arguments for `decide`, and what surrounds it."""
        request = self.request
        named = ("tags", "metadata", "task", "max_tokens", "input_tokens", "stream")
        return {
            "describe": self.describe(),
            "request": {
                "messages": list(request.messages),
                **{name: _plain(getattr(request, name)) for name in named},
                "route": {"ignore": list(request.route.ignore)},
                "tools": bool(request.tools),
                "json_schema": request.json_schema is not None,
            },
            "arguments": self.arguments(),
            "now": {"hour": self.now.hour, "weekday": self.now.isoweekday()},
            "budgets": dict(self.budgets),
            "live": {name: dict(values) for name, values in self.live.items()},
            "served": self.served,
            **({"cached": dict(self.cached)} if self.cached else {}),
            "beyond_command": list(self.beyond()),
        }


def _option(name: str, value: str) -> list[str]:
    return [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]


def _parted(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("content"), list)


def _plain_messages(request: Request) -> bool:
    """Whether the command line can say all messages: a prompt, a picture, what the system says."""
    parts = (part for m in request.messages if _parted(m) for part in m["content"])
    if any(part["type"] != "text" and part != IMAGE for part in parts):
        return False
    roles = [message["role"] for message in request.messages]
    return roles in (["user"], ["system", "user"]) and bool(_text_of(request))


def _text_of(request: Request) -> str:
    content = request.messages[-1].get("content") or ""
    return content if isinstance(content, str) else str(content[0].get("text", ""))


def _system_of(request: Request) -> str | None:
    first = request.messages[0]
    return str(first["content"]) if first["role"] == "system" else None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    text = _json(_plain(value))
    return text if len(text) <= 60 else f"{text[:57]}…"
