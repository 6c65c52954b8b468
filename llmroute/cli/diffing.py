"""What `llmroute diff` compares of two loaded states: policy by policy, or a log's requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError
from llmroute.lab.diffing.diff import (
    Compared,
    Diff,
    Logged,
    Names,
    Side,
    compare,
    compare_log,
    same_meaning,
)

if TYPE_CHECKING:
    from llmroute.cli.diffing_states import State
    from llmroute.policy.source import PolicySource
    from llmroute.router import Router

__all__ = ["MOST", "ReadLog", "compare_states"]

#: Requests that are looked at for one policy, for all policies together, for each at least.
MOST, _TOGETHER, _LEAST = 5_000, 10_000, 1_000
#: Reads a log as of a moment: its requests, and what is wrong with other lines.
ReadLog = Callable[[datetime], tuple[list[Logged], list[str]]]


class _Pair(NamedTuple):
    names: Names
    old: Side
    new: Side


def compare_states(
    old: State,
    new: State,
    *,
    policy: str | None = None,
    limit: int | None = None,
    read_log: ReadLog | None = None,
) -> Diff:
    """Compare all policies of two states, or one; on the requests of a log where there is one.

    `limit` bounds the requests for each policy.

    Raises:
        UsageError: neither side has the policy.

    """
    now = datetime.now(_zone(new.router))
    skipped: list[str] = []
    if read_log is None:
        pairs = list(_pairs(old, new, policy))
        changed = [pair for pair in pairs if not same_meaning(pair.old, pair.new)]
        most = limit or min(MOST, max(_LEAST, _TOGETHER // max(len(changed), 1)))
        found = [compare(p.old, p.new, p.names, now=now, limit=most) for p in pairs]
    else:
        requests, skipped = read_log(now)
        found = list(_by_log(_Routes(old, new, policy), requests, skipped))
    added, removed = _news(old, new, policy)
    return Diff(old.label, new.label, tuple(found), added, removed, _scope(old, new), (*skipped,))


def _zone(router: Router) -> ZoneInfo | Any:
    name = _settings(router).get("timezone")
    return ZoneInfo(name) if name else UTC


def _settings(router: Router) -> Mapping[str, Any]:
    settings = router.workspace.settings
    return settings.data if settings else {}


def _side(router: Router, source: PolicySource) -> Side:
    return Side(source, router.targets, _settings(router).get("inputs"))


def _pair(old: State, new: State, names: Names) -> _Pair:
    one = old.policy or old.router.policy(names.old).source
    other = new.policy or new.router.policy(names.new).source
    return _Pair(names, _side(old.router, one), _side(new.router, other))


def _pairs(old: State, new: State, policy: str | None) -> Iterator[_Pair]:
    """Yield what is compared: policies of the same name, and names that now mean another one."""
    if old.policy is not None and new.policy is not None:
        yield _pair(old, new, _names(old.policy.name, new.policy.name))
        return
    if policy is not None:
        both = [_resolved(state.router, policy) for state in (old, new)]
        if both == [None, None]:
            known = {*old.router.policies, *new.router.policies}
            hint = did_you_mean(policy, known) or f"known: {', '.join(sorted(known))}"
            raise UsageError(f'--policy: neither side has a policy "{policy}"; {hint}')
        if both[0] is not None and both[1] is not None:
            yield _pair(old, new, _names(both[0], both[1]))
        return
    for name in old.router.policies:
        if name in new.router.policies:
            yield _pair(old, new, _names(name, name))
    yield from _redirected(old, new)


def _redirected(old: State, new: State) -> Iterator[_Pair]:
    """Yield the default policy and each alias that leads to another policy than before."""
    one, other = (_settings(state.router).get("aliases", {}) for state in (old, new))
    names = [("default policy", old.router.default_policy, new.router.default_policy)]
    names += [(f"alias {name}", name, name) for name in one if name in other]
    for kind, before, after in names:
        first, second = _resolved(old.router, before), _resolved(new.router, after)
        if first and second and first != second:
            yield _pair(old, new, Names(first, second, f"{first} → {second}", kind))


def _names(old: str, new: str) -> Names:
    return Names(old, new, new if old == new else f"{old} → {new}")


def _resolved(router: Router, name: str) -> str | None:
    """Return the policy that a name or alias leads to, None where it is none."""
    try:
        return router.policy(name).name
    except UsageError:
        return None


class _Routes:
    """By which policies the requests of a log are decided."""

    def __init__(self, old: State, new: State, policy: str | None) -> None:
        self._old, self._new = old, new
        self._only = next(_pairs(old, new, policy), None) if old.policy or policy else None
        self._fixed = bool(old.policy or policy)
        self._known: dict[tuple[str, str], _Pair] = {}

    def of(self, name: str | None) -> _Pair:
        """Return what decides a request that names a policy, or none.

        Raises:
            UsageError: a side has no such policy.

        """
        if self._fixed:
            if self._only is None:
                raise UsageError("the policy is on one side only")
            return self._only
        routers = (self._old.router, self._new.router)
        before, after = (r.policy(name or r.default_policy).name for r in routers)
        if (before, after) not in self._known:
            made = _pair(self._old, self._new, _names(before, after))
            self._known[before, after] = made
        return self._known[before, after]


def _by_log(routes: _Routes, requests: Sequence[Logged], skipped: list[str]) -> Iterator[Compared]:
    """Yield what becomes of a log's requests; what cannot be decided is added to `skipped`."""
    grouped: dict[int, tuple[_Pair, list[Logged]]] = {}
    for item in requests:
        try:
            pair = routes.of(item.policy)
        except UsageError as exc:
            skipped.append(f"{item.origin}: {exc}")
            continue
        grouped.setdefault(id(pair), (pair, []))[1].append(item)
    for pair, items in grouped.values():
        yield compare_log(pair.old, pair.new, pair.names, items)


def _news(
    old: State, new: State, policy: str | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return which policies and targets only one side has."""
    targets = [{t.id for t in state.router.targets} for state in (old, new)]
    policies = [set(state.router.policies) for state in (old, new)]
    if old.policy is not None:
        policies = [set(), set()]
    elif policy is not None:
        policies = [{policy} & known for known in policies]
    added, removed = {}, {}
    for name, (before, after) in (("policies", policies), ("targets", targets)):
        added[name], removed[name] = _sorted(after - before), _sorted(before - after)
    return added, removed


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _scope(old: State, new: State) -> tuple[str, ...]:
    """Say whose models are not known without asking a server, and whose time it is."""
    asked = {
        name
        for state in (old, new)
        for name, provider in state.router.catalog.providers.items()
        if provider.discover is not None
    }
    zones = [str(_zone(state.router)) for state in (old, new)]
    told = [f"time zone: {' → '.join(zones)}; the latter is taken"] if len({*zones}) > 1 else []
    if asked:
        told.append(f"models that only a server can name are left out: {', '.join(sorted(asked))}")
    return tuple(told)
