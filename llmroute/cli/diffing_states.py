"""Finding out what OLD and NEW of `llmroute diff` are, and loading both.

Each is a workspace, a policy or a provider; as a folder, a file, a policy's name, a git revision
(`REV`), or a folder or file of one (`REV:path`). Revisions are written to a folder of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from llmroute.cli.diffing_git import Repository, Spawn, spawn
from llmroute.config.diagnostics import did_you_mean
from llmroute.config.workspace import Workspace, find_root, read_workspace
from llmroute.errors import ConfigError, UsageError
from llmroute.policy.check import check_expressions

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.config.document import Document
    from llmroute.policy.source import PolicySource
    from llmroute.router import Router

__all__ = ["BrokenError", "State", "load"]

Kind = Literal["policy", "provider", "workspace"]
_FOLDERS, _SETTINGS = {"policies": "policy", "providers.d": "provider"}, "llmroute.yaml"
#: What a workspace is made of.
_PARTS = (*_FOLDERS, "protocols.d", _SETTINGS)
_YAML = (".yaml", ".yml")


class BrokenError(ConfigError):
    """The files of one side are wrong; `side` names it."""

    def __init__(self, side: str, found: Sequence[Diagnostic]) -> None:
        super().__init__(found)
        self.side = side


@dataclass(frozen=True)
class State:
    """One side, loaded: a router, and the one policy that is meant, None for all."""

    label: str
    router: Router
    policy: PolicySource | None = None


@dataclass(frozen=True)
class _Meant:
    """What an argument names: a place in the file system, or a policy of the workspace.

    `exported` is the folder that stands for a revision, None where files are read in place.
    """

    label: str
    kind: Kind
    path: Path | None = None
    exported: Path | None = None

    def shown(self, item: Diagnostic) -> Diagnostic:
        """Return a finding that names the revision's file, not its copy."""
        if self.exported is None:
            return item
        path = Path(item.file).absolute()
        if not path.is_relative_to(self.exported):
            return item
        revision = self.label.partition(":")[0]
        return replace(item, file=f"{revision}:{path.relative_to(self.exported).as_posix()}")


def load(
    old: str, new: str | None, config: str | None, folder: Path, run: Spawn = spawn
) -> tuple[State, State]:
    """Load OLD and NEW; without NEW, a revision and what stands in the work tree.

    `config` is the workspace's folder where one was given. Copies are written below `folder`.

    Raises:
        BrokenError: the files of a side are wrong.
        UsageError: an argument names nothing, or the two are not of one kind.

    """
    loader = _Loader(config, folder.resolve(), run)
    first = loader.meant(old, alone=new is None)
    second = loader.counterpart(old, first) if new is None else loader.meant(new)
    if first.kind != second.kind:
        raise UsageError(
            f"{old} is a {first.kind} and {second.label} is a {second.kind}; name two of one kind"
        )
    roots = loader.roots(first, second)
    made = [loader.state(item, root) for item, root in zip((first, second), roots, strict=True)]
    return made[0], made[1]


class _Loader:
    """Resolves arguments."""

    def __init__(self, config: str | None, folder: Path, run: Spawn) -> None:
        if config is not None and not Path(config).is_dir():
            raise UsageError(f"{config}: there is no such workspace folder")
        self._config = None if config is None else Path(config).absolute()
        self._folder, self._run = folder, run
        self._exports = 0

    @cached_property
    def _root(self) -> Path:
        return self._config or find_root()

    @cached_property
    def _repository(self) -> Repository:
        return Repository(self._config or Path.cwd(), self._run)

    @cached_property
    def _names(self) -> frozenset[str]:
        """The names and aliases of the workspace's policies, broken ones too."""
        workspace, _ = read_workspace(self._root)
        settings = workspace.settings.data if workspace.settings else {}
        files = (self._root / "policies").glob("*.yaml")
        stems = (path.stem for path in files if not path.name.endswith(".test.yaml"))
        return frozenset((*stems, *workspace.policies, *settings.get("aliases", {})))

    def meant(self, text: str, *, alone: bool = False) -> _Meant:
        """Return what an argument names; `alone` it can only be a revision."""
        if not alone and Path(text).exists():
            return self._place(text)
        if not alone and text.removeprefix("policy/") in self._names:
            return _Meant(text, "policy")
        revision, colon, path = text.partition(":")
        if not alone and not colon and text.endswith(_YAML):
            raise UsageError(f"{text}: there is no such file")
        return self._revision(text, revision, path or None)

    def _place(self, text: str) -> _Meant:
        path = Path(text).absolute()
        if path.is_dir():
            if not any((path / name).exists() for name in (*_FOLDERS, _SETTINGS)):
                raise UsageError(f"{text}: there is no workspace in this folder")
            return _Meant(text, "workspace", path)
        return _Meant(text, _kind(path), path)

    def _revision(self, text: str, revision: str, path: str | None) -> _Meant:
        try:
            commit = self._repository.commit(revision)
        except UsageError as exc:
            if Path(text).exists() or text in self._names:
                told = f"{text} is not compared with anything; name OLD and NEW"
                raise UsageError(told) from exc
            hint = did_you_mean(text, self._names)
            known = f"no file, folder or policy of {self._root}"
            raise UsageError(f'"{text}": {known}, and {exc}{f"; {hint}" if hint else ""}') from exc
        inside = self._inside(path)
        kind = self._repository.kind(commit, inside)
        if kind is None:
            raise UsageError(f"{text}: {revision} has nothing at {inside or '.'}")
        self._exports += 1
        copy = self._folder / str(self._exports)
        copy.mkdir()
        if kind == "blob":
            self._repository.export_beside(commit, inside, copy)
            return _Meant(text, _kind(copy / inside), copy / inside, copy)
        return self._whole(text, commit, inside, copy)

    def _whole(self, text: str, commit: str, inside: str, copy: Path) -> _Meant:
        paths = [str(PurePosixPath(inside, name)) for name in _PARTS]
        if not self._repository.export(commit, paths, copy):
            raise UsageError(f"{text}: there is no workspace in {inside or 'the top folder'} there")
        return _Meant(text, "workspace", copy / inside, copy)

    def _inside(self, path: str | None) -> str:
        """Return a path in a revision as git writes it: from the top, `./` from here."""
        top = self._repository.top.resolve()
        if path is not None and not path.startswith(("./", "../")):
            return path.strip("/")
        place = (self._root if path is None else Path.cwd() / path).resolve()
        if not place.is_relative_to(top):
            if path is not None:
                raise UsageError(f"{path} leads out of the repository {top}")
            return ""
        return place.relative_to(top).as_posix().removeprefix(".")

    def counterpart(self, text: str, old: _Meant) -> _Meant:
        """Return what stands in the work tree where a revision's workspace or file is."""
        if old.path is None or old.exported is None:
            raise UsageError(f"{text} is no revision; name OLD and NEW")
        place = self._repository.top / old.path.relative_to(old.exported)
        if not place.exists():
            raise UsageError(f"{place}: this is not in the work tree; name NEW")
        return replace(self._place(str(place)), label="the work tree")

    def roots(self, first: _Meant, second: _Meant) -> tuple[Path, Path]:
        """Return the workspaces in which both are judged.

        A file of a revision, or one that is part of no workspace, is judged in the other's.
        """
        own = [self._own_root(item) for item in (first, second)]
        default = own[1] or own[0] or self._root
        return own[0] or default, own[1] or default

    def _own_root(self, item: _Meant) -> Path | None:
        if item.kind == "workspace":
            return item.path
        if self._config is not None or item.path is None:
            return self._root
        if item.exported is not None or item.path.parent.name not in _FOLDERS:
            return None
        root = item.path.parent.parent
        return root if (root / "providers.d").is_dir() else None

    def state(self, item: _Meant, root: Path) -> State:
        """Load one side."""
        from llmroute.router import Router

        if item.kind == "provider":
            return State(item.label, Router(_with_provider(item, root)))
        router = Router(_read(item, root))
        if item.kind == "workspace":
            return State(item.label, router)
        return State(item.label, router, _policy(item, router))


def _kind(path: Path) -> Kind:
    """Return what a file holds, by its folder, else by its keys."""
    if path.name == _SETTINGS or path.name.endswith(".test.yaml"):
        raise UsageError(f"{path.name}: this is neither a policy nor a provider")
    by_folder = _FOLDERS.get(path.parent.name)
    if by_folder is None:
        from llmroute.config.files import read_document

        document, _ = read_document(path, path.parent)
        data = document.data if document and isinstance(document.data, Mapping) else {}
        by_folder = "provider" if "provider" in data or "endpoint" in data else "policy"
    return "provider" if by_folder == "provider" else "policy"


def _read(item: _Meant, root: Path) -> Workspace:
    """Read a workspace.

    Raises:
        BrokenError: it has errors.

    """
    workspace, found = read_workspace(root)
    return _checked(item, workspace, found)


def _checked(item: _Meant, workspace: Workspace, found: Sequence[Diagnostic]) -> Workspace:
    errors = [f for f in (*found, *check_expressions(workspace)) if f.severity == "error"]
    if errors:
        raise BrokenError(item.label, [item.shown(error) for error in dict.fromkeys(errors)])
    return workspace


def _policy(item: _Meant, router: Router) -> PolicySource:
    """Return the policy that is meant, with the workspace's requirements."""
    from llmroute.policy.policy import load_policy

    path = item.path
    if path is None:
        return router.policy(item.label).source
    own = router.workspace.policies.get(path.stem)
    if own is not None and own.path.resolve() == path.resolve():
        return router.policy(path.stem).source
    try:
        return router.policy(load_policy(path)).source
    except ConfigError as exc:
        raise BrokenError(item.label, [item.shown(found) for found in exc.diagnostics]) from exc


def _with_provider(item: _Meant, root: Path) -> Workspace:
    """Return the workspace with a provider file in the place of the one of the same provider."""
    path = item.path
    workspace, found = read_workspace(root)
    if path is None or path.parent.resolve() == (root / "providers.d").resolve():
        return _checked(item, workspace, found)
    document = _provider(item, path, workspace)
    name = document.data["provider"]
    others = {k: d for k, d in workspace.providers.items() if d.data["provider"] != name}
    replaced = root / "providers.d" / f"{name}.yaml"
    kept = [f for f in found if Path(f.file).absolute() != replaced.absolute()]
    return _checked(item, replace(workspace, providers={**others, name: document}), kept)


def _provider(item: _Meant, path: Path, workspace: Workspace) -> Document:
    """Read a provider file; outside `providers.d` it may have any name.

    Raises:
        BrokenError: it has errors.

    """
    from llmroute.config.files import read_document
    from llmroute.config.provider_checks import Surroundings, check_provider
    from llmroute.config.schema import check

    document, found = read_document(path, path.parent)
    if document is not None:
        found = [*found, *check(document, "provider")]
        if not found:
            around = Surroundings(workspace.environment, path.parent)
            found = list(check_provider(document, around))
    named = path.parent.name == "providers.d"
    errors = [f for f in found if f.severity == "error" and (named or f.rule != "provider-name")]
    if document is None or errors:
        raise BrokenError(item.label, [item.shown(error) for error in errors])
    return document
