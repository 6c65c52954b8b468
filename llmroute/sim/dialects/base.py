"""What the dialects share: routes, keys, models and a table of error conditions."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmroute.sim.answer import Answer, Prompt, compose
from llmroute.sim.exchange import Recorded, Reply, Whole, whole
from llmroute.sim.models import Model, catalog
from llmroute.sim.script import RateLimit, Scope

__all__ = ["Dialect", "Failure", "RefusedError", "Settings"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A provider's error: its status, its headers, and what its body says."""

    status: int
    message: str
    type: str = ""
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is answered with an error; `reply` is the whole of it."""

    def __init__(self, reply: Whole) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(slots=True)
class Settings:
    """How one simulated server is set up; `quirks` are a dialect's own switches."""

    models: Iterable[Model | str] | None = None
    key: str | None = None
    limit: RateLimit | None = None
    quirks: Mapping[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.time


class Dialect(ABC):
    """One provider's protocol, as its server speaks it."""

    kind: ClassVar[str]
    #: Paths that ask a model something; every other path is discovery.
    inference: ClassVar[frozenset[str]]
    #: The models that are served unless the settings name others.
    default_models: ClassVar[tuple[Model, ...]]
    conditions: ClassVar[Mapping[str, Failure]]
    by_status: ClassVar[Mapping[int, str]] = {
        400: "bad_request",
        401: "auth",
        403: "permission",
        404: "model_missing",
        413: "too_large",
        429: "rate_limit",
        500: "server_error",
        503: "overloaded",
        504: "timeout",
        529: "overloaded",
    }

    def __init__(self, settings: Settings) -> None:
        served = self.default_models if settings.models is None else settings.models
        self.models = catalog(served)
        self.settings = settings
        self.serial = itertools.count(1)
        self.routes = self._routes()

    @abstractmethod
    def _routes(self) -> dict[tuple[str, str], Callable[[Recorded, Answer | None], Reply]]:
        """Handlers by method and path."""

    @abstractmethod
    def error_body(self, failure: Failure, request_id: str) -> Any:
        """Build the provider's JSON for an error."""

    @abstractmethod
    def error_frame(self) -> bytes:
        """Return the bytes that break a stream."""

    @abstractmethod
    def authorized(self, request: Recorded) -> str | None:
        """Return the key that the request carries, or None."""

    def scope(self, request: Recorded) -> Scope:
        """Say whether the request asks a model."""
        return "inference" if request.path in self.inference else "discovery"

    def respond(self, request: Recorded, scripted: Answer | None = None) -> Reply:
        """Answer a request; `scripted` replaces what the model would say."""
        try:
            self._check_key(request)
            handler = self.routes.get((request.method, request.path)) or self._fallback(request)
            return handler(request, scripted)
        except RefusedError as exc:
            return exc.reply

    def _fallback(self, request: Recorded) -> Callable[[Recorded, Answer | None], Reply]:
        raise self.refuse(
            "not_found", status=404, message=f"Invalid URL ({request.method} {request.path})"
        )

    def _check_key(self, request: Recorded) -> None:
        wanted = self.settings.key
        if wanted is not None and self.authorized(request) != wanted:
            raise self.refuse("auth")

    def failure(self, condition: str, **changes: Any) -> Whole:
        """Build the provider's reply for a condition; `changes` are fields of `Failure`."""
        known = self.conditions.get(condition) or self.conditions["bad_request"]
        made = Failure(**{**_fields(known), **changes})
        request_id = self.next_id("req_")
        headers = {**self.id_headers(request_id), **made.headers}
        return whole(self.error_body(made, request_id), made.status, headers)

    def failure_of_status(self, status: int) -> Whole:
        """Build the provider's reply for a status, as near as its table comes."""
        condition = self.by_status.get(status) or ("bad_request", "server_error")[status >= 500]
        return self.failure(condition, status=status)

    def refuse(self, condition: str, **changes: Any) -> RefusedError:
        """Build the error to raise inside a handler."""
        return RefusedError(self.failure(condition, **changes))

    def id_headers(self, request_id: str) -> dict[str, str]:
        """Headers that carry the request's id."""
        return {"x-request-id": request_id}

    def next_id(self, prefix: str) -> str:
        """Return an id that is new in this server and the same in every run."""
        return f"{prefix}sim{next(self.serial):06d}"

    def limit_headers(self) -> dict[str, str]:
        """Headers of the rate limit, on every inference reply."""
        return {}

    def settle(self, prompt: Prompt, scripted: Answer | None) -> Answer:
        """Return the scripted answer with its input counted, or compose one."""
        if scripted is None:
            return compose(prompt)
        from dataclasses import replace

        size = prompt.size if scripted.input_tokens is None else scripted.input_tokens
        return replace(scripted, input_tokens=size)

    def json_object(self, request: Recorded) -> dict[str, Any]:
        """Return the body as an object, or refuse the request."""
        if not isinstance(request.body, dict):
            raise self.refuse("bad_request", message="We could not parse the JSON body.")
        return request.body


def _fields(failure: Failure) -> dict[str, Any]:
    return {name: getattr(failure, name) for name in Failure.__dataclass_fields__}
