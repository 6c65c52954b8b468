"""The public facade: load a workspace, decide, complete, stream.

::

    router = Router.load()
    print(router.decide("fix this bug", tags=["code"]).winner)
    print(router.complete("fix this bug", tags=["code"]).text)

Every call exists twice: `complete`, `stream`, `refresh` for plain code, `acomplete`, `astream`,
`arefresh` for async code. The plain ones run the async ones on a thread of the router's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, Unpack

from llmroute.catalog.build import Catalog
from llmroute.catalog.model import Provider, Target
from llmroute.config.workspace import Workspace, find_root
from llmroute.dispatch.health.health import Health
from llmroute.dispatch.ledgers import Ledgers
from llmroute.dispatch.live import LiveState
from llmroute.errors import UsageError
from llmroute.ledger.ledger import Ledger
from llmroute.options import CallOptions, DecideFields, RequestFields
from llmroute.policy.engine.decision import Decision
from llmroute.policy.policy import Policy
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.standing import IN_SERVICE
from llmroute.snapshot import Snapshot, Snapshots, checked
from llmroute.types import Message, OnAttempt, OnWait, Request, Response

if TYPE_CHECKING:
    from llmroute.adapter.adapter import Adapter
    from llmroute.adapter.transports.base import Transport
    from llmroute.dispatch.engine import Engine
    from llmroute.dispatch.health.report import TargetHealth
    from llmroute.dispatch.pace import Pace
    from llmroute.dispatch.portal import SyncStream
    from llmroute.dispatch.run import Run
    from llmroute.dispatch.stream import AnswerStream

__all__ = ["Prompt", "Router"]

#: What may be asked: a prompt, messages in the OpenAI chat shape, or a whole request.
Prompt = str | Sequence[Message] | Request


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
        self._snapshots = Snapshots(workspace)
        self._building = Lock()
        self._built: Engine | None = None
        self._closed = False
        self._adapter = adapter
        self._pace = pace
        self._now = now or (lambda: datetime.now(self._snapshot.zone))
        self._random = random or Random()  # noqa: S311 - it spreads load, it guards nothing
        clock = pace.clock if pace else time.monotonic
        self._health = Health(clock, self._now, self._random)
        self._live = LiveState(clock, learn=self._snapshot.learns, quota=self._health.headroom)
        self._ledgers = Ledgers(workspace, ledger)

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
        return cls(checked(root, environment), **options)

    def reload(self) -> None:
        """Read and check the workspace again, and serve by it from the next request on.

        All is swapped in one step, and nothing where a file is wrong. Requests under way end by the
        files that they began with; the models that servers listed, what was measured, and the
        health of targets whose endpoint is still the same are kept. Any thread may call it.

        Raises:
            ConfigError: a file is wrong; every finding of every file.
            UsageError: a new file's provider is one that was added in Python.

        """
        self._snapshots.reload(self._swapped)

    def _swapped(self, old: Snapshot, new: Snapshot) -> None:
        """Let what was measured follow the files."""
        self._live.learn(new.learns)
        self._ledgers.change(new.workspace)
        self._health.forget(old.catalog.changed(new.catalog))

    @property
    def _snapshot(self) -> Snapshot:
        return self._snapshots.present

    @property
    def workspace(self) -> Workspace:
        """The present snapshot of the files."""
        return self._snapshot.workspace

    @property
    def ledger(self) -> Ledger:
        """What is written down of calls and money, and what went wrong with that (`alarms`)."""
        return self._ledgers.present

    @property
    def catalog(self) -> Catalog:
        """The present snapshot of providers, targets and their problems."""
        return self._snapshot.catalog

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every known target, usable or not, sorted by id."""
        return self.catalog.targets

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the workspace's policies."""
        return self._snapshot.policies

    @property
    def default_policy(self) -> str:
        """The policy that decides where the caller names none."""
        return self._snapshot.default_policy

    def policy(self, name: str | Policy | None = None) -> Policy:
        """Return a policy by name or alias, or the default one.

        The workspace's requirements are joined to a policy object from elsewhere too.

        Raises:
            UsageError: there is none of that name.

        """
        return self._snapshot.policy(name)

    def request(
        self, prompt: Prompt, *, target: str | None = None, **fields: Unpack[RequestFields]
    ) -> Request:
        """Build a request and check it against the workspace's declared inputs.

        `target` names the only target or provider that may serve it.

        Raises:
            UsageError: a field, label, target or provider is not known.

        """
        return self._snapshot.request(prompt, target, fields)

    def decide(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        assume_usable: bool = False,
        **fields: Unpack[DecideFields],
    ) -> Decision:
        """Rank the targets for a request, with every reason; nothing is called.

        `assume_usable` ignores missing keys and servers that are down.

        Raises:
            UsageError: the request or the policy's name is wrong.

        """
        return self._decide(prompt, policy, fields, assume_usable=assume_usable)

    def _decide(
        self,
        prompt: Prompt,
        policy: str | Policy | None,
        fields: Mapping[str, Any],
        *,
        assume_usable: bool = False,
    ) -> Decision:
        """Decide by one snapshot, whatever is reloaded meanwhile."""
        snapshot, options = self._snapshot, dict(fields)
        catalog = snapshot.catalog
        request = snapshot.request(prompt, options.pop("target", None), options)
        return snapshot.policy(policy).decide(
            request,
            catalog.targets,
            around=self._surroundings(snapshot, assume_usable=assume_usable),
            problems={} if assume_usable else catalog.problems,
            random=self._random,
        )

    def _surroundings(self, snapshot: Snapshot, *, assume_usable: bool) -> Surroundings:
        standing = IN_SERVICE if assume_usable else self._health.standing(snapshot.catalog.targets)
        spent, left = self._ledgers.budgets(snapshot.zone)
        return Surroundings(self._now(), self._live, spent, standing, left)

    def health(self) -> tuple[TargetHealth, ...]:
        """Return what this router has seen of each target, sorted by id; nothing is called."""
        from llmroute.dispatch.health.report import report

        return report(self.catalog, self._health, self._live)

    async def acomplete(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - spans all attempts
        on_attempt: OnAttempt | None = None,
        on_wait: OnWait | None = None,
        **fields: Unpack[DecideFields],
    ) -> Response:
        """Answer a request from the best target that can.

        `timeout` in seconds spans everything; of `on_attempt` and `on_wait` see `CallOptions`.

        Raises:
            UsageError: the request or the policy's name is wrong.
            NoEligibleTarget: nobody meets the requirements.
            RouteFailed: every attempt failed.

        """
        engine = self._engine
        left = engine.dispatcher.left(timeout)
        with engine.underway.request():
            await self._ready(left())
            decision = self._decide(prompt, policy, fields)
            return await engine.dispatcher.complete(
                decision.request, decision, timeout=left(), on_attempt=on_attempt, on_wait=on_wait
            )

    def astream(
        self,
        prompt: Prompt,
        *,
        policy: str | Policy | None = None,
        timeout: float | None = None,
        on_attempt: OnAttempt | None = None,
        on_wait: OnWait | None = None,
        **fields: Unpack[DecideFields],
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

        engine = self._engine

        async def start() -> Run:
            left = engine.dispatcher.left(timeout)
            await self._ready(left())
            decision = self._decide(prompt, policy, {**fields, "stream": True})
            return engine.dispatcher.run(decision.request, decision, left(), on_attempt, on_wait)

        return AnswerStream(start, engine.underway)

    async def arefresh(self, *, force: bool = True) -> None:
        """Ask every discovering server for its models; those not due are left out unless forced."""
        engine = self._engine
        with engine.underway.request():
            await engine.refresher.refresh(self.catalog, force=force)

    async def _ready(self, within: float) -> None:
        """Wait until ledger and servers were asked once, so many seconds at most."""
        from llmroute.dispatch.failing import before_the_first_call

        async with before_the_first_call(within):
            await self._ledgers.looked()
            await self._engine.refresher.ready(lambda: self.catalog)

    def complete(self, prompt: Prompt, **options: Unpack[CallOptions]) -> Response:
        """Answer a request from the best target that can: `acomplete` from plain code."""
        return self._engine.portal.run(self.acomplete(prompt, **options))

    def stream(self, prompt: Prompt, **options: Unpack[CallOptions]) -> SyncStream:
        """Answer a request as a stream of chunks: `astream` from plain code."""
        from llmroute.dispatch.portal import SyncStream

        return SyncStream(self._engine.portal, self.astream(prompt, **options))

    def refresh(self) -> None:
        """Ask every discovering server for its models: `arefresh` from plain code."""
        self._engine.portal.run(self.arefresh())

    def add_provider(
        self, provider: Provider, targets: Sequence[Target], transport: Transport
    ) -> None:
        """Add a provider that is made in Python; its targets are scored like all others.

        `provider.endpoint.transport` must be the name under which `transport` is to be found.

        Raises:
            UsageError: the name is taken.

        """
        adapter, name = self._engine.adapter, provider.endpoint.transport
        self._snapshots.added(provider, targets, lambda: adapter.add_transport(name, transport))

    async def aclose(self) -> None:
        """Close every connection; safe to call twice.

        Requests under way end: their callers, and the readers of streams, are told so
        (`UsageError`), and what was used until then is settled.
        """
        import asyncio

        self._closed = True
        if self._built is not None:
            await self._built.aclose()
        if self._at_rest():
            await asyncio.to_thread(self._ledgers.close)

    def close(self) -> None:
        """Do what `aclose` does, from plain code; safe to call twice.

        On the thread of an event loop, what that loop carries ends when it goes on.
        """
        self._closed = True
        if self._built is not None:
            self._built.close()
        if self._at_rest():
            self._ledgers.close()

    def _at_rest(self) -> bool:
        """Whether nothing needs the ledger any more; else it ends once that is so."""
        return self._built is None or self._built.underway.afterwards(self._ledgers.end)

    @property
    def _engine(self) -> Engine:
        """What calls others, loaded when something is called first."""
        with self._building:
            if self._closed:
                raise UsageError("the router is closed; load another one")
            if self._built is None:
                from llmroute.dispatch.engine import build_engine

                self._built = build_engine(
                    self._live,
                    self._health,
                    lambda: self._ledgers.present,
                    adapter=self._adapter,
                    pace=self._pace,
                    on_rotated=self._snapshots.rotated,
                    on_found=self._snapshots.found,
                )
            return self._built

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
