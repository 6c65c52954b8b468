"""Who can be called now, and who cannot until when: breakers, limits and credentials together.

Dispatch reports how calls end; decisions read `standing`. Circuits are per target, rate limits per
pool, credentials and accounts per provider. Times are of one monotonic clock; `wall` only words
them for people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from threading import Lock
from typing import NamedTuple

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Target
from llmroute.dispatch.health.breaker import Breaker, Circuit, doubled
from llmroute.dispatch.health.effects import Effect, effect_of
from llmroute.dispatch.health.limits import Left, Limits
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy.scoring.standing import IN_SERVICE, Outage, Standing

__all__ = ["Admission", "Health", "Seen"]

#: Seconds that a refused credential, an account without money and a model that is not served
#: are left alone: at first, and at most. Each time in a row it is twice as long.
_OFF: Mapping[Effect, tuple[float, float]] = {
    "credential": (60.0, 3600.0),
    "money": (300.0, 3600.0),
    "model": (600.0, 3600.0),
}
_FOREVER = float("inf")
#: Circuits, the worst state first.
_WORST: tuple[Circuit, ...] = ("open", "half_open")


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to make one call; `probe`: it decides whether a circuit closes.

    `since` is how often its provider has been called otherwise: what a call of before shows says
    nothing of who is called now.
    """

    probe: bool = False
    since: int = 0


class Seen(NamedTuple):
    """What calls have shown of one target: why it is out of service, if it is, and until when."""

    out: Problem | None
    until: datetime | None
    circuit: Circuit
    share: float
    left: Left


@dataclass(slots=True)
class _Off:
    """What cannot be used for now, and how often in a row that was found."""

    until: float
    times: int
    problem: Problem


class Health:
    """Knows the standing of every target; used from several threads."""

    def __init__(
        self, clock: Callable[[], float], wall: Callable[[], datetime], random: Random | None = None
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._random = random or Random()  # noqa: S311 - it spreads load, it guards nothing
        self._lock = Lock()
        self._breakers: dict[str, Breaker] = {}
        self._troubled: set[str] = set()
        self._limited: set[str] = set()
        self._off: dict[str, _Off] = {}
        self._forgotten: dict[str, int] = {}
        self._limits = Limits()
        self._standing: tuple[Sequence[Target], Standing, float] | None = None

    def standing(self, targets: Sequence[Target]) -> Standing:
        """Return who is out now; the same object until something changes."""
        if not (self._troubled or self._limited or self._off):
            return IN_SERVICE
        with self._lock:
            now, known = self._clock(), self._standing
            if known is not None and known[0] is targets and now < known[2]:
                return known[1]
            standing, until = self._work_out(targets, now)
            self._standing = (targets, standing, until)
            return standing

    def seen(self, target: Target) -> Seen:
        """Return what is known of one target now."""
        with self._lock:
            now = self._clock()
            out, until = self._out(target, now)
            circuits = self._circuits(target)
            states = {item.state(now) for item in circuits}
            worst: Circuit = next((s for s in _WORST if s in states), "closed")
            share = min((item.share(now) for item in circuits), default=1.0)
            wall = None if until is None else self._wall() + _cut(until - now)
            return Seen(out, wall, worst, share, self._limits.left(target, now))

    def _out(self, target: Target, now: float) -> tuple[Problem | None, float | None]:
        """Return why a target is out of service, and until when; as decisions order reasons."""
        for name in (target.id, target.provider.name):
            off = self._off.get(name)
            if off is not None and now < off.until:
                return off.problem, off.until
        out: dict[str, Outage] = {}
        self._add_circuits((target,), now, out, {})
        self._add_limits((target,), now, out)
        outage = out.get(target.id)
        return outage, outage.until if outage else None

    def admit(self, target: Target, *, insist: bool = False) -> Admission | Problem:
        """Ask for leave to call a target now; `insist` calls although its circuit is open.

        Returns why not, where another call has found out since the decision was made.
        """
        with self._lock:
            now = self._clock()
            off = self._off_now(target, now)
            if off is not None:
                return off
            circuits = [item for item in self._circuits(target) if not item.quiet]
            since = self._forgotten.get(target.provider.name, 0)
            if not circuits:
                return Admission(since=since)
            shut = ((until, item) for item in circuits if (until := item.open_until(now)))
            if (found := next(shut, None)) is not None:
                why = self._circuit(found[1], found[0], now)
                return Admission(since=since) if insist else why
            self._standing = None
            probes = [item.begin_probe(now) for item in circuits]
            return Admission(any(probes), since)

    def _outdated(self, target: Target, admission: Admission) -> bool:
        return admission.since != self._forgotten.get(target.provider.name, 0)

    def ready(self, target: Target) -> tuple[float, str]:
        """Return when the target's rate limit allows the next call, and why not earlier."""
        with self._lock:
            return self._limits.ready(target.limit_scope, self._clock())

    def began(self, target: Target, tokens: int) -> None:
        """Count a call that begins, and its expected tokens, against declared limits."""
        if target.limits.rpm is None and target.limits.tpm is None:
            return
        with self._lock:
            now = self._clock()
            self._limits.take(target, tokens, now)
            self._note_limit(target.limit_scope, now)

    def announced(self, target: Target, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers say of rate limits."""
        with self._lock:
            self._limits.announced(target, headers, self._clock(), self._wall())

    def headroom(self, target: Target) -> float:
        """Return the free share of the tightest rate limit, 1 where none is known."""
        with self._lock:
            return self._limits.headroom(target, self._clock())

    def succeeded(self, target: Target, admission: Admission, unused_tokens: int = 0) -> None:
        """Note a good answer; `unused_tokens` of those expected were not needed."""
        with self._lock:
            now = self._clock()
            self._limits.served(target)
            self._limits.give_back(target, unused_tokens, now)
            self._note_limit(target.limit_scope, now)
            if self._outdated(target, admission):
                return
            for name in (target.id, target.provider.name):
                if self._off.pop(name, None):
                    self._standing = None
            self._breaker(target.id).succeeded(now, probe=admission.probe)
            self._host_answered(target, admission, now)
            self._note_circuits(target, admission)

    def failed(self, target: Target, error: TargetError, admission: Admission) -> bool | None:
        """Note a failed call; return False where it says that the target is unwell, else None."""
        effect = effect_of(error)
        with self._lock:
            if self._outdated(target, admission):
                return None
            now, why, probe = self._clock(), _short(error), admission.probe
            breaker = self._breaker(target.id)
            if effect == "absent":  # and so is everything else behind that address
                host = self._breaker(target.provider.name)
                host.failed(now, why, probe=probe, nobody_listens=True)
            elif effect != "none":
                self._host_answered(target, admission, now)
            if effect in ("failed", "absent"):
                breaker.failed(now, why, probe=probe)
            else:
                breaker.passed(probe=probe)
            self._wait_if_told(target, error, now)
            if effect == "limit":
                self._limits.limited(target, error.retry_after, now)
                self._note_limit(target.limit_scope, now)
            elif effect in _OFF:
                name = target.id if effect == "model" else target.provider.name
                self._switch_off(name, effect, error, now)
            self._note_circuits(target, admission)
        return False if effect in ("failed", "absent") else None

    def passed(self, target: Target, admission: Admission) -> None:
        """Note a call that ended without saying anything, as when the caller went away."""
        with self._lock:
            if self._outdated(target, admission):
                return
            self._breaker(target.id)
            for breaker in self._circuits(target):
                breaker.passed(probe=admission.probe)
            self._note_circuits(target, admission)

    def unmade(self, target: Target, admission: Admission, tokens: int) -> None:
        """Note that a call was not made after it `began`: it counts against no limit."""
        self.passed(target, admission)
        self.unsent(target, tokens)

    def unsent(self, target: Target, tokens: int) -> None:
        """Note that a call never reached its provider: it counts against no declared limit."""
        with self._lock:
            now = self._clock()
            self._limits.give_back(target, tokens, now, requests=1)
            self._note_limit(target.limit_scope, now)

    def forget(self, names: Collection[str]) -> None:
        """Begin anew with providers and targets that are called otherwise from now on."""
        with self._lock:
            for name in names:
                self._off.pop(name, None)
                self._breakers.pop(name, None)
                self._troubled.discard(name)
                self._limits.forget(name)
                self._limited.discard(name)
                self._forgotten[name] = self._forgotten.get(name, 0) + 1
            self._standing = None

    def _wait_if_told(self, target: Target, error: TargetError, now: float) -> None:
        """Stay away from a server that says when it will be less busy."""
        if error.kind is ErrorKind.OVERLOADED and error.retry_after is not None:
            answer = str(error.status or "that it is too busy")
            self._limits.limited(target, error.retry_after, now, answer)
            self._note_limit(target.limit_scope, now)

    def _breaker(self, name: str) -> Breaker:
        breaker = self._breakers.get(name)
        if breaker is None:
            breaker = self._breakers[name] = Breaker(self._random)
        return breaker

    def _circuits(self, target: Target) -> list[Breaker]:
        """Return the breakers of a target: its own, and its host's where nobody was there once."""
        found = (self._breakers.get(name) for name in (target.id, target.provider.name))
        return [breaker for breaker in found if breaker is not None]

    def _host_answered(self, target: Target, admission: Admission, now: float) -> None:
        host = self._breakers.get(target.provider.name)
        if host is not None:
            host.succeeded(now, probe=admission.probe)

    def _note_circuits(self, target: Target, admission: Admission) -> None:
        """Keep the set of those whose circuit is not simply closed."""
        for name in (target.id, target.provider.name):
            breaker = self._breakers.get(name)
            troubled = breaker is not None and not breaker.quiet
            if admission.probe or troubled != (name in self._troubled):
                self._standing = None
                (self._troubled.add if troubled else self._troubled.discard)(name)

    def _note_limit(self, scope: str, now: float) -> None:
        """Keep the set of limits that are used up, also where what was taken came back."""
        used_up = self._limits.ready(scope, now)[0] > now
        if used_up or scope in self._limited:
            (self._limited.add if used_up else self._limited.discard)(scope)
            self._standing = None

    def _switch_off(self, name: str, effect: Effect, error: TargetError, now: float) -> None:
        before = self._off.get(name)
        if before is not None and now < before.until:
            return  # found by a call that was under way with the first one
        times = before.times + 1 if before else 1
        first, most = _OFF[effect]
        wait = max(doubled(first, times - 1, most), error.retry_after or 0.0)
        reason = f"left alone until {self._told(now + wait, now)}: {_short(error)}"
        help_text = error.help or "it is tried again then"
        self._off[name] = _Off(now + wait, times, Problem(reason, help_text))
        self._standing = None

    def _off_now(self, target: Target, now: float) -> Problem | None:
        for name in (target.id, target.provider.name):
            off = self._off.get(name)
            if off is not None and now < off.until:
                return off.problem
        return None

    def _circuit(self, breaker: Breaker, until: float, now: float) -> Outage:
        told = self._told(until, now)
        reason = f"its circuit is open until {told}: {breaker.why}"
        return Outage(reason, "it is tried again then", "circuit", until)

    def _work_out(self, targets: Sequence[Target], now: float) -> tuple[Standing, float]:
        """Return the standing, and until when it holds if nothing else happens."""
        out: dict[str, Outage] = {}
        ramping: dict[str, float] = {}
        changes = [self._add_circuits(targets, now, out, ramping)]
        changes.append(self._add_limits(targets, now, out))
        off = {name: item for name, item in self._off.items() if now < item.until}
        change = min([*changes, *(item.until for item in off.values())])
        if not (out or off or ramping):
            return IN_SERVICE, change
        return Standing(out, {name: item.problem for name, item in off.items()}, ramping), change

    def _add_circuits(
        self,
        targets: Sequence[Target],
        now: float,
        out: dict[str, Outage],
        ramping: dict[str, float],
    ) -> float:
        """Add open circuits and those that have just closed; return when that changes."""
        change = _FOREVER
        for name in sorted(self._troubled):
            breaker = self._breakers[name]
            until, share = breaker.open_until(now), breaker.share(now)
            change = min(change, breaker.next_change(now))
            concerned = [t.id for t in targets if name in (t.id, t.provider.name)]
            if until is not None:
                outage = self._circuit(breaker, until, now)
                out |= {each: outage for each in concerned if each not in out}
            elif share < 1.0:
                ramping |= {each: min(share, ramping.get(each, 1.0)) for each in concerned}
            elif breaker.quiet:
                self._troubled.discard(name)
        return change

    def _add_limits(self, targets: Sequence[Target], now: float, out: dict[str, Outage]) -> float:
        """Add the rate limits that are used up; return when that changes."""
        change = _FOREVER
        for scope in sorted(self._limited):
            until, why = self._limits.ready(scope, now)
            if until <= now:
                self._limited.discard(scope)
                continue
            change = min(change, until)
            reason = f"its rate limit is used up until {self._told(until, now)}: {why}"
            outage = Outage(reason, "it is called again then", "limit", until)
            out |= {t.id: outage for t in targets if t.limit_scope == scope}
        return change

    def _told(self, until: float, now: float) -> str:
        """Return a time of the clock as people tell it."""
        when = self._wall() + _cut(until - now)
        return f"{when:%H:%M:%S}" if until - now < 43_200 else f"{when:%Y-%m-%d %H:%M}"


def _cut(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, 366 * 86_400.0))


def _short(error: TargetError) -> str:
    status = f" {error.status}" if error.status is not None else ""
    return f"{error.kind}{status}, {error.message[:120]}"
