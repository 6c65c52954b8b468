"""One checked workspace as a router uses it: its catalogue, its policies, its settings.

A router swaps whole snapshots, so that a decision never sees half of a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from llmroute.catalog.build import Catalog, build_catalog
from llmroute.catalog.model import key_of
from llmroute.checks import unknown_field
from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.config.protocols import is_shipped
from llmroute.config.workspace import Workspace, read_again, read_workspace
from llmroute.errors import ConfigError, UsageError
from llmroute.options import CallOptions, RequestFields
from llmroute.policy.check import check_expressions
from llmroute.policy.inputs import check_inputs
from llmroute.policy.policy import Policy
from llmroute.policy.source import policy_source
from llmroute.types import Request, Route

if TYPE_CHECKING:
    from llmroute.catalog.model import Auth, Provider, Target
    from llmroute.dispatch.refresh import Found

__all__ = ["Snapshot", "Snapshots", "checked", "checked_again", "taken"]

#: The policy where neither the caller nor `llmroute.yaml` names one.
_DEFAULT_POLICY = "balanced"
#: What other libraries call an option of a call.
_MEANT = {"model": "target", "provider": "target"}


def checked(root: Path, environment: Mapping[str, str] | None) -> Workspace:
    """Read a workspace and check all of it.

    Raises:
        ConfigError: a file is wrong; every finding of every file.

    """
    return _right(*read_workspace(root, environment))


def checked_again(workspace: Workspace) -> Workspace:
    """Read a workspace's files and variables as they are now, and check all of it.

    Raises:
        ConfigError: a file is wrong; every finding of every file.

    """
    return _right(*read_again(workspace))


def _right(workspace: Workspace, found: list[Diagnostic]) -> Workspace:
    found = [*found, *check_expressions(workspace)]
    if not all(map(is_shipped, workspace.protocols.values())):
        from llmroute.adapter.declared.check import check_declared

        found += check_declared(workspace)
    errors = [item for item in found if item.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return workspace


def taken(name: str) -> UsageError:
    """Return the error of two providers of one name."""
    return UsageError(f'there is already a provider "{name}"; choose another name')


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A workspace and the catalogue that was made of it, which discovery replaces.

    Compiled policies are kept with the workspace that they are of.
    """

    workspace: Workspace
    catalog: Catalog
    _policies: dict[str, Policy] = field(default_factory=dict)
    _foreign: WeakKeyDictionary[Policy, Policy] = field(default_factory=WeakKeyDictionary)

    @classmethod
    def of(cls, workspace: Workspace) -> Snapshot:
        """Build the catalogue of a checked workspace."""
        return cls(workspace, build_catalog(workspace))

    def with_catalog(self, catalog: Catalog) -> Snapshot:
        """Return this with another catalogue."""
        return replace(self, catalog=catalog)

    def after(self, old: Snapshot, listed: Mapping[tuple[str, str | None], Found]) -> Snapshot:
        """Return this with what was added to an older snapshot: by Python, and by servers.

        `listed` is what each server answered last, by its `key_of`.

        Raises:
            UsageError: a file has taken the name of a provider that was added in Python.

        """
        from llmroute.dispatch.refresh import applied

        catalog = self.catalog
        for name in old.catalog.added:
            if name in catalog.providers:
                raise taken(name)
            targets = old.catalog.targets_of(name)
            catalog = catalog.with_provider(old.catalog.providers[name], targets)
        for provider in catalog.providers.values():
            found = listed.get(key_of(provider))
            if found is not None and provider.discover:
                catalog = applied(catalog, provider.name, found)
        return self.with_catalog(catalog)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The data of `llmroute.yaml`."""
        return self.workspace.settings.data if self.workspace.settings else {}

    @property
    def learns(self) -> bool:
        """Whether estimates learn from answers (`estimates.learn`)."""
        return bool(self.settings.get("estimates", {}).get("learn"))

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of `now` in expressions: `timezone` of `llmroute.yaml`, else UTC."""
        name = self.settings.get("timezone")
        if name is None:
            return UTC
        from zoneinfo import ZoneInfo

        return ZoneInfo(name)

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the policies."""
        return tuple(sorted(self.workspace.policies))

    @property
    def default_policy(self) -> str:
        """The policy that decides where the caller names none.

        The one that `llmroute.yaml` names, else `balanced`, else the only one that there is.
        """
        only = self.policies[0] if len(self.policies) == 1 else _DEFAULT_POLICY
        name: str = self.settings.get("default_policy", only)
        return name

    def policy(self, name: str | Policy | None = None) -> Policy:
        """Return a policy by name or alias, the default one, or one from elsewhere, joined.

        Raises:
            UsageError: there is none of that name.

        """
        if isinstance(name, Policy):
            return self._joined(name)
        wanted = self._unaliased(name or self.default_policy).removeprefix("policy/")
        if wanted not in self.workspace.policies:
            raise UsageError(self._no_policy(wanted, chosen=name is not None))
        if wanted not in self._policies:
            documents = {n: doc.data for n, doc in self.workspace.policies.items()}
            source = policy_source(wanted, documents, self.settings.get("require", ()))
            self._policies[wanted] = Policy(source, self.workspace.fingerprint)
        return self._policies[wanted]

    def _no_policy(self, wanted: str, *, chosen: bool) -> str:
        """Say that there is no such policy, and what to do; `chosen` by the caller, or default."""
        known = ", ".join(self.policies)
        if not known:
            advice = "write one into policies/, or run `llmroute init` for the shipped ones"
            return f"there is no policy in {self.workspace.root / 'policies'}; {advice}"
        if chosen or "default_policy" in self.settings:
            hint = did_you_mean(wanted, self.policies) or f"known: {known}"
            return f'there is no policy "{wanted}"; {hint}'
        advice = "name one, or write `default_policy: NAME` into llmroute.yaml"
        return f'no policy was named, and there is none called "{wanted}"; {advice}; known: {known}'

    def request(self, prompt: Any, target: str | None, fields: Mapping[str, Any]) -> Request:
        """Build a request and check it against the declared inputs; see `Router.request`.

        Raises:
            UsageError: a field, label, target or provider is not known.

        """
        _check_names(fields)
        request = Request.of(prompt, **fields)
        if target is not None:
            request = Request.of(request, route=self._pinned(request.route, target))
        return check_inputs(request, self.settings.get("inputs"))

    def _joined(self, policy: Policy) -> Policy:
        """Put the workspace's requirements before those of a policy from elsewhere."""
        if policy in self._foreign.values() or policy in self._policies.values():
            return policy
        if policy not in self._foreign:
            required = self.settings.get("require", ())
            self._foreign[policy] = policy.joined(required, self.workspace.fingerprint)
        return self._foreign[policy]

    def _unaliased(self, name: str) -> str:
        alias: str = self.settings.get("aliases", {}).get(name, name)
        return alias

    def _pinned(self, route: Route, name: str) -> Route:
        wanted, providers = self._unaliased(name), self.catalog.providers
        known = {*providers, *(target.id for target in self.catalog.targets)}
        owner = providers.get(wanted.split("/", 1)[0])
        may_appear = owner is not None and owner.discover is not None
        if wanted not in known and not may_appear:
            hint = did_you_mean(wanted, known) or "see `llmroute providers`"
            raise UsageError(f'there is no target or provider "{wanted}"; {hint}')
        return replace(route, only=(wanted,))


def _check_names(fields: Mapping[str, Any]) -> None:
    """Refuse an option that no call has, and suggest the one that was meant."""
    unknown = fields.keys() - RequestFields.__annotations__.keys() - {"messages"}
    if unknown:
        raise unknown_field("request", unknown, CallOptions.__annotations__, _MEANT)


class Snapshots:
    """The present snapshot, and what replaces it; used from several threads."""

    def __init__(self, workspace: Workspace) -> None:
        self.present = Snapshot.of(workspace)
        self._listed: dict[tuple[str, str | None], Found] = {}
        self._lock = Lock()
        self._reloading = Lock()

    def reload(self, swapped: Callable[[Snapshot, Snapshot], None]) -> None:
        """Read the files again; `swapped` is called with the old snapshot and the new one.

        Raises:
            ConfigError: a file is wrong; every finding of every file.
            UsageError: a new file's provider is one that was added in Python.

        """
        with self._reloading:
            fresh = Snapshot.of(checked_again(self.present.workspace))
            with self._lock:
                old = self.present
                self.present = fresh.after(old, self._listed)
                swapped(old, self.present)

    def added(
        self, provider: Provider, targets: Sequence[Target], first: Callable[[], None]
    ) -> None:
        """Add a provider that is made in Python, after `first` was done.

        Raises:
            UsageError: the name is taken.

        """
        with self._lock:
            if provider.name in self.present.catalog.providers:
                raise taken(provider.name)
            first()
            self._swap(self.present.catalog.with_provider(provider, targets))

    def found(self, provider: Provider, found: Found) -> None:
        """Take what a discovering server answered."""
        from llmroute.dispatch.refresh import applied

        with self._lock:
            catalog = self.present.catalog
            self._listed[key_of(provider)] = found
            now = catalog.providers.get(provider.name)
            if now and key_of(now) == key_of(provider):
                self._swap(applied(catalog, provider.name, found))

    def rotated(self, name: str, auth: Auth) -> None:
        """Call a provider with the credential that has replaced a refused one."""
        with self._lock:
            catalog = self.present.catalog
            provider = catalog.providers.get(name)
            known = provider and provider.endpoint.auth
            if known and known.reference == auth.reference:
                self._swap(catalog.with_auth(name, auth))

    def _swap(self, catalog: Catalog) -> None:
        self.present = self.present.with_catalog(catalog)
