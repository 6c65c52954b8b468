"""The public facade: load a workspace, decide, complete, stream.

::

    router = Router.load()
    print(router.decide("fix this bug", tags=["code"]).winner)
    print(router.complete("fix this bug", tags=["code"]).text)

Every call exists twice: `complete`, `stream` and `refresh` for plain code, `acomplete`,
`astream` and `arefresh` for async code. Both do the same; the plain ones run the async ones on
a thread of the router's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from llmroute.catalog.build import Catalog, build_catalog
from llmroute.catalog.model import Auth, Provider, Target
from llmroute.config.diagnostics import did_you_mean
from llmroute.config.protocols import is_shipped
from llmroute.config.workspace import Workspace, find_root, read_workspace
from llmroute.dispatch.allowances import allowances
from llmroute.dispatch.health.health import Health
from llmroute.dispatch.live import LiveState
from llmroute.errors import ConfigError, UsageError
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.settings import open_ledger
from llmroute.policy.check import check_expressions
from llmroute.policy.engine.decision import Decision
from llmroute.policy.inputs import check_inputs
from llmroute.policy.policy import Policy
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.standing import IN_SERVICE
from llmroute.policy.source import policy_source
from llmroute.types import Message, Request, Response, Route

if TYPE_CHECKING:
    from llmroute.adapter.adapter import Adapter
    from llmroute.adapter.transports.base import Transport
    from llmroute.dispatch.engine import Engine
    from llmroute.dispatch.pace import Pace
    from llmroute.dispatch.portal import SyncStream
    from llmroute.dispatch.refresh import Found
    from llmroute.dispatch.run import Run
    from llmroute.dispatch.stream import AnswerStream
    from llmroute.dispatch.trial import OnAttempt

__all__ = ["Prompt", "Router"]

#: What may be asked: a prompt, messages in the OpenAI chat shape, or a whole request.
Prompt = str | Sequence[Message] | Request
#: The policy where neither the caller nor `llmroute.yaml` names one.
_DEFAULT_POLICY = "balanced"
#: Seconds that the first decision waits to learn what budgets have spent.
_LOOK = 2.0


class Router:
    """Routes requests over the targets of one workspace.

    Close it (`close`, `aclose`, or `with`) to end its connections. One router may be used from
    several threads and event loops.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        adapter: Adapter | None = None,
        pace: Pace | None = None,
        now: Callable[[], datetime] | None = None,
        random: Random | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.workspace = workspace
        self._settings: Mapping[str, Any] = workspace.settings.data if workspace.settings else {}
        self._catalog = build_catalog(workspace)
        self._policies: dict[str, Policy] = {}
        self._foreign: WeakKeyDictionary[Policy, Policy] = WeakKeyDictionary()
        self._lock = Lock()
        self._building = Lock()
        self._built: Engine | None = None
        self._adapter = adapter
        self._pace = pace
        self._now = now or self._wall_clock
        self._random = random or Random()  # noqa: S311 - it spreads load, it guards nothing
        learn = bool(self._settings.get("estimates", {}).get("learn"))
        clock = pace.clock if pace else time.monotonic
        self._health = Health(clock, self._now, self._random)
        self._live = LiveState(clock, learn=learn, quota=self._health.headroom)
        self._ledger = ledger or open_ledger(workspace)
        self._looked = False

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """Load and check a workspace; nothing is called and no network is touched.

        `path` is the workspace's folder. Without it: the nearest folder upwards with
        `providers.d/`, else the user's configuration folder, else the shipped files.
        `environment` stands in for the process's own. Options as for the constructor.

        Raises:
            ConfigError: a file is wrong; every finding of every file.
            UsageError: there is no such folder.

        """
        root = find_root(environment=environment) if path is None else Path(path)
        if not root.is_dir():
            raise UsageError(f"{root}: there is no such workspace folder")
        workspace, found = read_workspace(root, environment)
        found += check_expressions(workspace)
        if not all(map(is_shipped, workspace.protocols.values())):
            from llmroute.adapter.declared.check import check_declared

            found += check_declared(workspace)
        errors = [item for item in found if item.severity == "error"]
        if errors:
            raise ConfigError(errors)
        return cls(workspace, **options)

    @property
    def ledger(self) -> Ledger:
        """What is written down of calls and money, and what went wrong with that (`alarms`)."""
        return self._ledger

    @property
    def catalog(self) -> Catalog:
        """The present snapshot of providers, targets and their problems."""
        return self._catalog

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every known target, usable or not, sorted by id."""
        return self._catalog.targets

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the workspace's policies."""
        return tuple(sorted(self.workspace.policies))

    @property
    def default_policy(self) -> str:
        """The policy that decides where the caller names none."""
        name: str = self._settings.get("default_policy", _DEFAULT_POLICY)
        return name

    def policy(self, name: str | Policy | None = None) -> Policy:
        """Return a policy by name or alias, or the default one.

        The workspace's requirements are joined to a policy object from elsewhere too.

        Raises:
            UsageError: there is none of that name.

        """
        if isinstance(name, Policy):
            return self._joined(name)
        wanted = self._unaliased(name or self.default_policy).removeprefix("policy/")
        if wanted not in self.workspace.policies:
            hint = did_you_mean(wanted, self.policies) or f"known: {', '.join(self.policies)}"
            raise UsageError(f'there is no policy "{wanted}"; {hint}')
        if wanted not in self._policies:
            documents = {n: doc.data for n, doc in self.workspace.policies.items()}
            source = policy_source(wanted, documents, self._settings.get("require", ()))
            self._policies[wanted] = Policy(source, self.workspace.fingerprint)
        return self._policies[wanted]

    def request(self, prompt: Prompt, *, target: str | None = None, **fields: Any) -> Request:
        """Build a request and check it against the workspace's declared inputs.

        `target` names the only target or provider that may serve it.

        Raises:
            UsageError: a field, label, target or provider is not known.

        """
        request = Request.of(prompt, **fields)
        if target is not None:
            request = Request.of(request, route=self._pinned(request.route, target))
        return check_inputs(request, self._settings.get("inputs"))

    def decide(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        assume_usable: bool = False,
        **fields: Any,
    ) -> Decision:
        """Rank the targets for a request, with every reason; nothing is called.

        `assume_usable` ignores missing keys and servers that are down.

        Raises:
            UsageError: the request or the policy's name is wrong.

        """
        request = self.request(prompt, **fields)
        catalog = self._catalog
        return self.policy(policy).decide(
            request,
            catalog.targets,
            around=self._surroundings(catalog, assume_usable=assume_usable),
            problems={} if assume_usable else catalog.problems,
            random=self._random,
        )

    def _surroundings(self, catalog: Catalog, *, assume_usable: bool) -> Surroundings:
        standing = IN_SERVICE if assume_usable else self._health.standing(catalog.targets)
        ledger, now = self.ledger, self._now()
        if not ledger.budgets:
            return Surroundings(now, self._live, standing=standing)
        if not self._looked:
            self._looked = ledger.look().wait(_LOOK)
        left = allowances(ledger, self._zone)
        return Surroundings(now, self._live, ledger.shares(), standing, left)

    async def acomplete(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - spans all attempts
        on_attempt: OnAttempt | None = None,
        **fields: Any,
    ) -> Response:
        """Answer a request from the best target that can.

        `timeout` in seconds spans all attempts; `on_attempt` is called after each call.

        Raises:
            UsageError: the request or the policy's name is wrong.
            NoEligibleTarget: nobody meets the requirements.
            RouteFailed: every attempt failed.

        """
        await self._discovered()
        request = self.request(prompt, **fields)
        decision = self.decide(request, policy=policy)
        return await self._engine.dispatcher.complete(
            request, decision, timeout=timeout, on_attempt=on_attempt
        )

    def astream(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        timeout: float | None = None,
        on_attempt: OnAttempt | None = None,
        **fields: Any,
    ) -> AnswerStream:
        """Answer a request as a stream of chunks; options and errors as for `acomplete`.

        ::

            async with router.astream("Tell me a story") as stream:
                async for chunk in stream:
                    print(chunk.text, end="")

        Nothing happens before the first chunk is asked for. Once content has arrived a failure
        raises `StreamInterrupted`.
        """
        from llmroute.dispatch.stream import AnswerStream

        async def start() -> Run:
            await self._discovered()
            request = self.request(prompt, **{**fields, "stream": True})
            decision = self.decide(request, policy=policy)
            return self._engine.dispatcher.run(request, decision, timeout, on_attempt)

        return AnswerStream(start)

    async def arefresh(self, *, force: bool = True) -> None:
        """Ask every discovering server for its models; those not due are left out unless forced."""
        refresher = self._engine.refresher
        discovering = [p for p in self._catalog.providers.values() if p.discover]
        await refresher.ask(discovering if force else refresher.due(self._catalog))

    async def _discovered(self) -> None:
        """Wait until every discovering server was asked once; later asking runs beside requests."""
        if not any(provider.discover for provider in self._catalog.providers.values()):
            return
        refresher = self._engine.refresher
        await refresher.ask(refresher.never_answered(self._catalog))
        refresher.start(refresher.due(self._catalog))

    def _found(self, name: str, found: Found) -> None:
        from llmroute.dispatch.refresh import applied

        with self._lock:
            self._catalog = applied(self._catalog, name, found)

    def _rotated(self, name: str, auth: Auth) -> None:
        """Call a provider with the credential that has replaced a refused one."""
        with self._lock:
            self._catalog = self._catalog.with_auth(name, auth)

    def complete(self, prompt: Prompt, **options: Any) -> Response:
        """Do what `acomplete` does, from plain code."""
        return self._engine.portal.run(self.acomplete(prompt, **options))

    def stream(self, prompt: Prompt, **options: Any) -> SyncStream:
        """Do what `astream` does, from plain code."""
        from llmroute.dispatch.portal import SyncStream

        portal = self._engine.portal
        return SyncStream(portal, self.astream(prompt, **options))

    def refresh(self) -> None:
        """Do what `arefresh` does, from plain code."""
        self._engine.portal.run(self.arefresh())

    def add_provider(
        self, provider: Provider, targets: Sequence[Target], transport: Transport
    ) -> None:
        """Add a provider that is made in Python; its targets are scored like all others.

        `provider.endpoint.transport` must be the name under which `transport` is to be found.

        Raises:
            UsageError: the name is taken.

        """
        with self._lock:
            if provider.name in self._catalog.providers:
                message = f'there is already a provider "{provider.name}"; choose another name'
                raise UsageError(message)
            self._engine.adapter.add_transport(provider.endpoint.transport, transport)
            self._catalog = self._catalog.with_provider(provider, targets)

    async def aclose(self) -> None:
        """Close every connection; safe to call twice."""
        if self._built is not None:
            await self._built.aclose()
        import asyncio

        await asyncio.to_thread(self._ledger.close)

    def close(self) -> None:
        """Close every connection, from plain code; safe to call twice."""
        if self._built is not None:
            self._built.close()
        self._ledger.close()

    @property
    def _engine(self) -> Engine:
        """What calls others, loaded when something is called first."""
        with self._building:
            if self._built is None:
                self._built = self._build()
            return self._built

    def _build(self) -> Engine:
        from llmroute.adapter.adapter import Adapter
        from llmroute.dispatch.engine import Engine
        from llmroute.dispatch.pace import Pace
        from llmroute.dispatch.services import Services

        services = Services(
            self._adapter or Adapter(),
            self._live,
            self._health,
            self._pace or Pace(),
            self._ledger,
            on_rotated=self._rotated,
        )
        return Engine(services, self._found)

    def _wall_clock(self) -> datetime:
        return datetime.now(self._zone)

    @cached_property
    def _zone(self) -> tzinfo:
        """The time zone of `now` in expressions: `timezone` of `llmroute.yaml`, else UTC."""
        name = self._settings.get("timezone")
        if name is None:
            return UTC
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)

    def _joined(self, policy: Policy) -> Policy:
        """Put the workspace's requirements before those of a policy from elsewhere."""
        if policy in self._foreign.values() or policy in self._policies.values():
            return policy
        if policy not in self._foreign:
            required = self._settings.get("require", ())
            self._foreign[policy] = policy.joined(required, self.workspace.fingerprint)
        return self._foreign[policy]

    def _unaliased(self, name: str) -> str:
        alias: str = self._settings.get("aliases", {}).get(name, name)
        return alias

    def _pinned(self, route: Route, name: str) -> Route:
        wanted = self._unaliased(name)
        known = {*self._catalog.providers, *(target.id for target in self.targets)}
        provider = wanted.split("/", 1)[0]
        may_appear = provider in self._catalog.providers and bool(
            self._catalog.providers[provider].discover
        )
        if wanted not in known and not may_appear:
            hint = did_you_mean(wanted, known) or "see `llmroute providers`"
            raise UsageError(f'there is no target or provider "{wanted}"; {hint}')
        return replace(route, only=(wanted,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
