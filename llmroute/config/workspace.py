"""The workspace: one checked, immutable snapshot of `llmroute.yaml`, providers and policies.

A root holds `providers.d/*.yaml`, `policies/*.yaml` and `llmroute.yaml`; each part is optional.
A root without `policies/` uses the shipped policies, one without `providers.d/` the shipped
providers; without `llmroute.yaml` there are no settings. Only `*.yaml` counts.

This is the only place that reads the process's environment variables.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.files import file_finding, label_of, list_yaml, read_document, writable
from llmroute.config.policy_checks import check_extends, check_policy
from llmroute.config.protocols import BUILT_IN, check_protocol, check_uses, protocols_used
from llmroute.config.provider_checks import Surroundings, check_provider
from llmroute.config.schema import SchemaName, check
from llmroute.config.settings_checks import Known, check_settings
from llmroute.config.shipped import data_root
from llmroute.errors import ConfigError

__all__ = ["Workspace", "find_root", "load_workspace", "read_again", "read_workspace"]

_PROVIDERS, _POLICIES, _SETTINGS = "providers.d", "policies", "llmroute.yaml"
_PROTOCOLS = "protocols.d"
_Check = Callable[[Document], Iterator[Diagnostic]]


@dataclass(frozen=True)
class Workspace:
    """A snapshot of the configuration; nothing in it changes after it was read.

    `settings` is `llmroute.yaml`, None where there is none or it is empty. `providers` and
    `policies` map names to documents without errors. `environment` is a copy of the environment
    variables, which no textual form shows; `variables` are those of which it is a copy, as they
    are now. `fingerprint` is the SHA-256 of all data in canonical JSON: equal for equal
    configuration, wherever it stands. `protocols` are those declared in YAML: the workspace's own,
    and of the shipped ones those that its providers name.
    """

    root: Path
    settings: Document | None
    providers: Mapping[str, Document]
    policies: Mapping[str, Document]
    environment: Mapping[str, str] = field(repr=False)
    fingerprint: str
    protocols: Mapping[str, Document] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Part:
    """The documents of one folder: the good ones, all that could be parsed, all file names."""

    good: Mapping[str, Document]
    parsed: Mapping[str, Document]
    names: set[str]


def find_root(start: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the workspace of a folder (default: the current one).

    It is the nearest folder upwards with `providers.d/`, else `$XDG_CONFIG_HOME/llmroute` (or
    `~/.config/llmroute`) where that exists, else the folder of the shipped files.
    """
    folder = (start or Path.cwd()).absolute()
    for candidate in (folder, *folder.parents):
        if (candidate / _PROVIDERS).is_dir():
            return candidate
    variables = _environment() if environment is None else environment
    user = _user_folder(variables)
    return user if user is not None and user.is_dir() else data_root()


def _user_folder(environment: Mapping[str, str]) -> Path | None:
    configured, home = environment.get("XDG_CONFIG_HOME"), environment.get("HOME")
    if configured and Path(configured).is_absolute():
        return Path(configured) / "llmroute"
    return Path(home) / ".config" / "llmroute" if home else None


def _environment() -> Mapping[str, str]:
    return MappingProxyType(dict(os.environ))


def load_workspace(
    root: Path | None = None, environment: Mapping[str, str] | None = None
) -> Workspace:
    """Read a workspace whose files are right (default: the one of the current folder).

    Raises:
        ConfigError: there are errors; it carries all of them, of all files.

    """
    variables = _environment() if environment is None else environment
    found = find_root(environment=variables) if root is None else root
    workspace, findings = read_workspace(found, environment)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return workspace


def read_workspace(
    root: Path, environment: Mapping[str, str] | None = None
) -> tuple[Workspace, list[Diagnostic]]:
    """Read a workspace as far as its files are right, with every finding of every file.

    Files with errors are left out of the mappings. Never raises on bad files.
    """
    variables = _environment() if environment is None else MappingProxyType(dict(environment))
    findings = list(_root_findings(root))
    around = Surroundings(variables, root)
    providers = _part(root, _PROVIDERS, "provider", lambda d: check_provider(d, around), findings)
    protocols = _protocols(root, providers, findings)
    policies = _part(root, _POLICIES, "policy", check_policy, findings)
    circular = list(check_extends(policies.parsed, policies.names))
    findings += circular
    known = Known(providers.names, policies.names)
    settings = _settings(root, known, findings)
    good = _without(policies.good, {finding.file for finding in circular})
    faulty = {finding.file for finding in findings if finding.severity == "error"}
    usable = _without(providers.good, faulty)
    fingerprint = _fingerprint(settings, usable, good, protocols)
    now = os.environ if environment is None else environment
    workspace = Workspace(root, settings, usable, good, variables, fingerprint, protocols, now)
    return workspace, findings


def read_again(workspace: Workspace) -> tuple[Workspace, list[Diagnostic]]:
    """Read a workspace's files and variables as they are now; see `read_workspace`."""
    now = workspace.variables
    return read_workspace(workspace.root, None if now is os.environ else now)


def _protocols(root: Path, providers: _Part, findings: list[Diagnostic]) -> Mapping[str, Document]:
    """Read the protocols that providers may name, and check that they name no others."""
    own = _Part({}, {}, set())
    if os.path.lexists(root / _PROTOCOLS):
        own = _part(root, _PROTOCOLS, "protocol", check_protocol, findings)
    shipped = data_root() / _PROTOCOLS
    paths = {path.name.removesuffix(".yaml"): path for path in list_yaml(shipped)[0]}
    used = {name for doc in providers.parsed.values() for _, name in protocols_used(doc.data)}
    declared = dict(own.good)
    for name in sorted((used & set(paths)) - own.names - BUILT_IN):
        document, own_findings = _checked(paths[name], data_root(), "protocol", check_protocol)
        findings += own_findings
        declared |= {name: document} if document else {}
    names = own.names | set(paths)
    for document in providers.parsed.values():
        findings += check_uses(document, declared, names)
    return MappingProxyType(declared)


def _without(documents: Mapping[str, Document], labels: set[str]) -> Mapping[str, Document]:
    return MappingProxyType({k: d for k, d in documents.items() if d.label not in labels})


def _root_findings(root: Path) -> Iterator[Diagnostic]:
    if not root.is_dir():
        help_text = "give the folder that holds providers.d/, or run llmroute init"
        yield file_finding("file-missing", str(root), "there is no such folder", help_text)
        return
    yield from writable(root, root.stat().st_mode)
    if (root / "llmroute.yml").exists():
        message, help_text = "this file is ignored", f"rename it to {_SETTINGS}"
        label = label_of(root / "llmroute.yml")
        yield file_finding("file-ignored", label, message, help_text, "warning")


def _part(
    root: Path, folder: str, schema: SchemaName, check_more: _Check, findings: list[Diagnostic]
) -> _Part:
    """Read one folder; where the root lacks it, the shipped one."""
    base = root if os.path.lexists(root / folder) or not root.is_dir() else data_root()
    if not os.path.lexists(base / folder):
        return _Part({}, {}, set())
    paths, found = list_yaml(base / folder)
    findings += found
    if not paths and not found:
        message, help_text = f"this folder has no {schema} in it", f"add NAME.yaml with a {schema}"
        label = label_of(base / folder)
        findings.append(file_finding("file-none", label, message, help_text, "warning"))
    good, parsed = {}, {}
    for path in paths:
        document, own = _checked(path, base, schema, check_more)
        findings += own
        name = path.name.removesuffix(".yaml")
        if document is not None:
            parsed[name] = document
            if not any(finding.severity == "error" for finding in own):
                good[name] = document
    return _Part(good, parsed, {path.name.removesuffix(".yaml") for path in paths})


def _checked(
    path: Path, root: Path, schema: SchemaName, check_more: _Check
) -> tuple[Document | None, list[Diagnostic]]:
    """Read one file and check it in full."""
    document, findings = read_document(path, root)
    if document is None:
        return None, findings
    for later in (check(document, schema), list(check_more(document))):
        findings += _without_echoes(later, findings)
    return document, sorted(findings, key=lambda finding: (finding.line, finding.col))


def _without_echoes(later: list[Diagnostic], earlier: list[Diagnostic]) -> list[Diagnostic]:
    """Leave out what is said of a value that an earlier check already refused."""
    faulty = {(f.line, f.col) for f in earlier if not f.rule.startswith("file-")}
    return [finding for finding in later if (finding.line, finding.col) not in faulty]


def _settings(root: Path, known: Known, findings: list[Diagnostic]) -> Document | None:
    path = root / _SETTINGS
    if not os.path.lexists(path):
        return None
    document, own = _checked(path, root, "workspace", lambda d: check_settings(d, known))
    findings += own
    if document is None or document.data is None:
        return None
    return None if any(finding.severity == "error" for finding in own) else document


def _fingerprint(
    settings: Document | None,
    providers: Mapping[str, Document],
    policies: Mapping[str, Document],
    protocols: Mapping[str, Document],
) -> str:
    data = {
        "settings": settings.data if settings else None,
        "providers": {name: document.data for name, document in providers.items()},
        "policies": {name: document.data for name, document in policies.items()},
    }
    if protocols:
        data["protocols"] = {name: document.data for name, document in protocols.items()}
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
