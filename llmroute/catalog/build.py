"""From checked provider documents to an immutable catalogue of targets."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmroute.catalog.declared import Declaration
from llmroute.catalog.discovery import dialect_named
from llmroute.catalog.model import (
    Auth,
    Discover,
    Endpoint,
    Limits,
    Provider,
    Target,
    Timeouts,
)
from llmroute.catalog.targets import build_target, merge
from llmroute.config.addresses import farthest
from llmroute.config.durations import seconds
from llmroute.config.expand import base_url
from llmroute.config.secrets import Secret, SecretError, SecretSource, resolve
from llmroute.config.workspace import Workspace

__all__ = ["Catalog", "Problem", "build_catalog"]

#: Python modules that a transport needs, and the command that brings them.
_TRANSPORT_MODULES = {"litellm": ("litellm", "pip install 'llmroute[litellm]'")}
_DEFAULT_DIALECT = {"anthropic-messages": "anthropic", "ollama-chat": "ollama"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a provider or target cannot be used now, and what to do about it."""

    reason: str
    help: str


@dataclass(frozen=True)
class Catalog:
    """One immutable snapshot of everything that can be called.

    `problems` maps a provider's name or a target's id to why it cannot be used; `sources` holds
    each provider's declared data, from which discovery builds the next snapshot.
    """

    providers: Mapping[str, Provider]
    targets: tuple[Target, ...]
    problems: Mapping[str, Problem]
    sources: Mapping[str, Mapping[str, Any]]

    def problem(self, target: Target) -> Problem | None:
        """Return why a target cannot be used now, or None."""
        return self.problems.get(target.id) or self.problems.get(target.provider.name)

    def target(self, target_id: str) -> Target | None:
        """Return the target with an id, or None."""
        return next((target for target in self.targets if target.id == target_id), None)

    @property
    def added(self) -> tuple[str, ...]:
        """The names of the providers that were made in Python."""
        return tuple(name for name, provider in self.providers.items() if not provider.file)

    def targets_of(self, name: str) -> tuple[Target, ...]:
        """Return a provider's targets."""
        return tuple(target for target in self.targets if target.provider.name == name)

    def changed(self, fresh: Catalog) -> frozenset[str]:
        """Return the providers, and their targets' ids, that a new catalogue calls otherwise.

        Those that it does not have are among them.
        """
        now = {name: provider.endpoint for name, provider in fresh.providers.items()}
        names = {n for n, provider in self.providers.items() if now.get(n) != provider.endpoint}
        left = {target.id for target in fresh.targets}
        ids = (t.id for t in self.targets if t.provider.name in names or t.id not in left)
        return frozenset({*names, *ids})

    def with_discovered(self, name: str, found: Sequence[Mapping[str, Any]]) -> Catalog:
        """Return the catalogue after a provider's server listed its models."""
        provider, source = self.providers[name], self.sources[name]
        targets = _targets(provider, source, found)
        problems = self._problems_but(name) | _not_installed(provider, targets, found)
        return self._replaced(name, targets, problems)

    def with_problem(self, name: str, problem: Problem) -> Catalog:
        """Return the catalogue after a provider could not be reached."""
        return replace(self, problems={**self._problems_but(name), name: problem})

    def with_provider(self, provider: Provider, targets: Sequence[Target]) -> Catalog:
        """Return the catalogue with one more provider, made in Python."""
        return replace(
            self,
            providers={**self.providers, provider.name: provider},
            targets=_sorted((*self.targets, *targets)),
            sources={**self.sources, provider.name: {}},
        )

    def with_auth(self, name: str, auth: Auth) -> Catalog:
        """Return the catalogue after a provider's secret was exchanged; see `Auth.reread`."""
        old = self.providers[name]
        provider = replace(old, endpoint=replace(old.endpoint, auth=auth))
        targets = [
            replace(t, provider=provider) if t.provider.name == name else t for t in self.targets
        ]
        providers = {**self.providers, name: provider}
        return replace(self, providers=providers, targets=tuple(targets))

    def _problems_but(self, name: str) -> dict[str, Problem]:
        prefix = f"{name}/"
        return {k: v for k, v in self.problems.items() if k != name and not k.startswith(prefix)}

    def _replaced(
        self, name: str, targets: Sequence[Target], problems: Mapping[str, Problem]
    ) -> Catalog:
        others = tuple(t for t in self.targets if t.provider.name != name)
        return replace(self, targets=_sorted((*others, *targets)), problems=problems)


def build_catalog(workspace: Workspace) -> Catalog:
    """Build the catalogue of a checked workspace; nothing is called and no network is touched."""
    providers: dict[str, Provider] = {}
    targets: list[Target] = []
    problems: dict[str, Problem] = {}
    sources: dict[str, Mapping[str, Any]] = {}
    declared = {name: Declaration(found.data) for name, found in workspace.protocols.items()}
    for name, document in workspace.providers.items():
        source = document.data
        provider = _provider(source, workspace, document.label, declared)
        providers[name], sources[name] = provider, source
        targets += _targets(provider, source, ())
        if problem := _unusable(provider, workspace.environment):
            problems[name] = problem
    return Catalog(providers, _sorted(targets), problems, sources)


def _sorted(targets: Sequence[Target]) -> tuple[Target, ...]:
    return tuple(sorted(targets, key=lambda target: target.id))


def _targets(
    provider: Provider, source: Mapping[str, Any], found: Sequence[Mapping[str, Any]]
) -> list[Target]:
    """Merge declared models over discovered ones over the provider's defaults."""
    defaults = source.get("defaults", {})
    declared = list(source.get("models", ()))
    by_name = {_name(provider, data): data for data in found}
    names = {_name(provider, data) for data in declared}
    targets = [
        build_target(
            provider,
            merge(defaults, by_name.get(_name(provider, data), {}), data),
            discovered=False,
        )
        for data in declared
    ]
    targets += [
        build_target(provider, merge(defaults, data), discovered=True)
        for data in found
        if _name(provider, data) not in names
    ]
    return targets


def _name(provider: Provider, data: Mapping[str, Any]) -> str:
    """Return a model's name on the wire in the one form that its server lists."""
    name: str = data.get("upstream", data["model"])
    return dialect_named(provider.discover.dialect).canonical(name) if provider.discover else name


def _not_installed(
    provider: Provider, targets: Sequence[Target], found: Sequence[Mapping[str, Any]]
) -> dict[str, Problem]:
    if provider.discover is None:
        return {}
    dialect = dialect_named(provider.discover.dialect)
    present = {_name(provider, data) for data in found}
    return {
        t.id: Problem(dialect.absent.format(t.upstream), dialect.get.format(t.upstream))
        for t in targets
        if dialect.canonical(t.upstream) not in present
    }


def _provider(
    source: Mapping[str, Any],
    workspace: Workspace,
    file: str,
    declared: Mapping[str, Declaration],
) -> Provider:
    local = source["locality"] == "local"
    endpoint = replace(_endpoint(source["endpoint"], workspace, local=local), declared=declared)
    return Provider(
        name=source["provider"],
        locality=source["locality"],
        endpoint=endpoint,
        description=source.get("description", ""),
        limits=Limits(**source.get("limits", {})),
        discover=_discover(source.get("discover"), endpoint),
        file=file,
    )


def _discover(data: Mapping[str, Any] | None, endpoint: Endpoint) -> Discover | None:
    if data is None:
        return None
    protocol, declared = endpoint.protocol, endpoint.declared.get(endpoint.protocol)
    default = protocol if declared and "discovery" in declared.data else "openai"
    dialect = data.get("dialect") or _DEFAULT_DIALECT.get(protocol, default)
    return Discover(dialect, seconds(data.get("interval", 60)))


def _endpoint(data: Mapping[str, Any], workspace: Workspace, *, local: bool) -> Endpoint:
    environment = workspace.environment
    address = base_url(data["base_url"], environment) if data.get("base_url") else None
    names = [name for name in data.get("pass_environment", ()) if name in environment]
    timeouts = {name: seconds(value) for name, value in data.get("timeouts", {}).items()}
    return Endpoint(
        transport=data["transport"],
        protocol=data["protocol"],
        base_url=address,
        auth=_auth(data.get("auth", "none"), workspace),
        headers=data.get("headers", {}),
        body=data.get("body", {}),
        timeouts=Timeouts(**timeouts),
        command=tuple(tuple(p) if isinstance(p, list) else p for p in data.get("command", ())),
        environment=data.get("environment", {}),
        passed={name: Secret(environment[name]) for name in names},
        model_prefix=data.get("model_prefix", ""),
        farthest=farthest(address, local=local) if address else "public",
        strict_model=data.get("strict_model"),
    )


def _auth(data: Any, workspace: Workspace) -> Auth | None:
    if data == "none":
        return None
    bearer = data.get("bearer")
    header, prefix = ("authorization", "Bearer ") if bearer else (data["header"].lower(), "")
    reference: str = bearer or data["value"]
    source = SecretSource(reference, workspace.variables, Path(workspace.root))
    try:
        secret = resolve(reference, workspace.environment, Path(workspace.root))
    except SecretError as exc:
        return Auth(header, prefix, reference, None, str(exc), source)
    return Auth(header, prefix, reference, secret, source=source)


def _unusable(provider: Provider, environment: Mapping[str, str]) -> Problem | None:
    endpoint = provider.endpoint
    if endpoint.auth and endpoint.auth.secret is None:
        return Problem("no credential", endpoint.auth.missing or "set it")
    module, install = _TRANSPORT_MODULES.get(endpoint.transport, (None, ""))
    if module and find_spec(module) is None:
        return Problem(f"the package {module} is not installed", install)
    if endpoint.command and not _found(str(endpoint.command[0]), environment):
        command = endpoint.command[0]
        return Problem(
            f"the command {command} was not found",
            f"install it, or put its folder on PATH (or its full path into {provider.file})",
        )
    return None


def _found(command: str, environment: Mapping[str, str]) -> bool:
    return shutil.which(command, path=environment.get("PATH", "")) is not None
