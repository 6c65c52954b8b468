"""Two targets behind one router: `first`, which the fault is in, and `second`, which answers well.

`Bench.ask` makes a call in one of two forms and returns all that can be seen of it: what the
caller got, the attempts, and what became of the health of `first`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmroute import LlmrouteError, RouteFailed, Router, StreamInterrupted
from llmroute.sim import Sim
from llmroute.types import Attempt, Response

FORMS = ("complete", "stream")
#: What the good target says begins so, with the prompt behind it.
PROMPT = "Say hello to everybody in the house"
#: The connect timer is long, so that a busy machine does not meet it before the others.
TIMEOUTS = "{connect: 2s, first_token: 300ms, idle: 300ms, total: 3s}"
PROVIDER = """\
provider: {name}
locality: {locality}
endpoint:
  {endpoint}
  timeouts: {timeouts}
{more}models:
  - model: m
    context_window: {window}
    capabilities: {{streaming: {streaming}, tools: true, json_schema: true, prefill: {prefill}}}
    cost: {{input: {price}, output: 10}}
"""
HTTP = 'transport: http\n  protocol: openai-chat\n  base_url: "{url}/v1"'
#: A price that puts it second.
SECOND = {"price": 2}
POLICY = "policy: balanced\nrules:\n  - {{name: cheap, weight: 1, prefer: price}}\n{fallback}"


@dataclass
class Seen:
    """What came of one call."""

    response: Response | None
    error: Exception | None
    attempts: tuple[Attempt, ...]
    texts: list[str]
    before: float
    after: float
    standing: str
    asked_second: int

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def first(self) -> Attempt:
        return next(a for a in self.attempts if a.target == "first/m")

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(a.target, a.outcome) for a in self.attempts]

    @property
    def answered(self) -> Response:
        assert self.response is not None, self.error
        return self.response


@dataclass
class Bench:
    """Builds a workspace in `root`, and asks its router."""

    root: Path
    good: Sim
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    router: Router = field(init=False)
    _open: list[Router] = field(default_factory=list)

    def first(self, url: str = "", **data: Any) -> Bench:
        """Describe the faulty target; `second` is the good simulator unless it is given."""
        (self.root / "policies").mkdir(exist_ok=True)
        (self.root / "providers.d").mkdir(exist_ok=True)
        fallback = data.pop("fallback", "")
        policy = POLICY.format(fallback=f"fallback: {fallback}\n" if fallback else "")
        (self.root / "policies" / "balanced.yaml").write_text(policy)
        second = data.pop("second", {})
        if second is not None:
            self.provider("second", self.good.url, **{**SECOND, **second})
        self.provider("first", url, **data)
        self.router = Router.load(self.root, environment=self.environment, **self.options)
        self._open.append(self.router)
        return self

    def provider(self, name: str, url: str = "", **data: Any) -> None:
        values = {
            "name": name,
            "locality": "local",
            "endpoint": HTTP.format(url=url) + data.pop("endpoint_more", ""),
            "timeouts": TIMEOUTS,
            "more": "",
            "window": 10_000_000,
            "prefill": "false",
            "streaming": "true",
            "price": 1,
            **data,
        }
        (self.root / "providers.d" / f"{name}.yaml").write_text(PROVIDER.format(**values))

    def ask(self, form: str = "complete", prompt: Any = PROMPT, **options: Any) -> Seen:
        target = self.router.catalog.target("first/m")
        before, asked = self._success(target), len(self.good.inferences)
        response, error, texts, attempts = self._called(form, prompt, options)
        return Seen(
            response,
            error,
            attempts,
            texts,
            before,
            self._success(target),
            self.standing(),
            len(self.good.inferences) - asked,
        )

    def _called(self, form: str, prompt: Any, options: dict[str, Any]) -> Any:
        texts: list[str] = []
        try:
            if form == "complete":
                response = self.router.complete(prompt, **options)
                return response, None, [response.text or ""], response.attempts
            with self.router.stream(prompt, **options) as stream:
                for chunk in stream:
                    texts.append(chunk.text)
                return stream.response, None, texts, stream.attempts
        except RouteFailed as error:
            return None, error, texts, error.attempts
        except LlmrouteError as error:
            return None, error, texts, ()

    def standing(self) -> str:
        """Say what the health of `first` is taken for: who leaves it alone, and why."""
        catalog, health = self.router.catalog, self.router._health
        target = catalog.target("first/m")
        standing = health.standing(catalog.targets)
        if target is None:
            return ""
        if "first/m" in standing.out:
            return standing.out["first/m"].kind
        if "first/m" in standing.problems:
            return "model off"
        return "credential off" if "first" in standing.problems else ""

    def ready_in(self) -> float:
        """Seconds until the rate limit of `first` allows the next call."""
        target = self.router.catalog.target("first/m")
        assert target is not None
        ready, _ = self.router._health.ready(target)
        return ready - self.router._health._clock()

    def retries_left(self, provider: str = "first") -> int:
        return self.router._engine.dispatcher.services.retries.left(provider)

    def _success(self, target: Any) -> float:
        return 0.0 if target is None else round(self.router._live.of(target).success, 9)

    def close(self) -> None:
        for router in self._open:
            router.close()


def failed_over(seen: Seen, kind: str, words: str = "", *, counted: bool = True) -> None:
    """Hold a call to F (`counted`) or F0: `second` answers whole, `first` is (not) blamed."""
    assert seen.outcomes == [("first/m", kind), ("second/m", "ok")]
    assert words in (seen.first.message or "")
    assert seen.answered.target == "second/m"
    assert PROMPT in (seen.answered.text or "")
    assert seen.text == seen.answered.text
    assert (seen.after < seen.before) is counted
    if not counted:
        assert seen.after == seen.before
        assert seen.standing != "circuit"


def interrupted(seen: Seen, kind: str, words: str = "") -> None:
    """Hold a stream to T: an error event, no clean end, nobody else asked; it counts."""
    assert isinstance(seen.error, StreamInterrupted)
    assert seen.response is None
    assert seen.text
    assert seen.outcomes == [("first/m", kind)]
    assert words in (seen.first.message or "")
    assert seen.asked_second == 0
    assert seen.after < seen.before


def returned(seen: Seen, kind: str, words: str = "") -> None:
    """Hold a call to N as an error: back to the caller, no second call, no blame."""
    assert isinstance(seen.error, RouteFailed)
    assert not isinstance(seen.error, StreamInterrupted)
    assert seen.outcomes == [("first/m", kind)]
    assert words in (seen.first.message or "")
    assert seen.asked_second == 0
    assert (seen.after, seen.standing) == (seen.before, "")


def answered_by_first(seen: Seen, text: str) -> None:
    """Hold a call to an answer of `first`, whole, that counts as a success."""
    assert seen.outcomes == [("first/m", "ok")]
    assert seen.answered.text == seen.text == text
    assert seen.after > seen.before


def told(seen: Seen) -> str:
    """Say in one line what was seen, by the records: what is the same in every run."""
    line = ", then ".join(_attempt(a) for a in seen.attempts if a.outcome != "ok")
    if isinstance(seen.error, StreamInterrupted):
        line += " → error after the text so far, no clean end"
    elif seen.error is not None:
        line += " → error to the caller"
    else:
        line += f" → `{seen.answered.target.split('/')[0]}` answers"
    notes = seen.answered.warnings if seen.response else ()
    line += f", with the warning “{notes[0]}”" if notes else ""
    return "; ".join(part for part in (line.strip(), _health(seen)) if part)


def _attempt(attempt: Attempt) -> str:
    return f"{attempt.outcome}: {_plain(attempt.message or '')}"


def _health(seen: Seen) -> str:
    words = {"circuit": "circuit open", "limit": "not before its time", "": ""}
    standing = words.get(seen.standing, seen.standing)
    counted = "counted against it" if seen.after < seen.before else ""
    return ", ".join(part for part in (counted, standing) if part)


#: What differs between runs, systems and versions of libraries: ports, and others' words.
_OTHERS = re.compile(
    r"(?<=\d\.\d\.\d\.\d):\d+|: [^:]*: line \d+ column \d+.*"
    r"| \((?:[^()]*\(os error|\[Errno|invalid peer certificate|message head|end of file).*"
)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _OTHERS.sub("", text)).replace("|", "/")


Record = Callable[..., None]
