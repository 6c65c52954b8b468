"""A test names a target or provider that the workspace does not have.

Wrong:
    policy: example
    tests:
      - {name: cheap, request: {prompt: hello}, expect: {never: [cluod]}}

Right:
    policy: example
    tests:
      - {name: cheap, request: {prompt: hello}, expect: {never: [cloud]}}

Why: What does not exist is never chosen, never fails and never measured: the test says nothing of
what was meant. Models that a local server is asked for may have any name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic, did_you_mean
from llmroute.lint.registry import Rule

if TYPE_CHECKING:
    from llmroute.catalog.build import Catalog
    from llmroute.lint.project import Project

__all__ = ["RULE"]

Named = tuple[str, tuple[str | int, ...], bool]


def _check(project: Project) -> Iterator[Diagnostic]:
    catalog = project.catalog
    if catalog is None:
        return
    for document in project.policies.values():
        if not document.path.absolute().is_relative_to(project.root.absolute()):
            continue  # the shipped policies name the shipped providers
        for index, test in enumerate(document.data.get("tests") or ()):
            for name, path, key in _names(test):
                help_text = _unknown(name, catalog)
                if help_text:
                    yield document.diagnostic(
                        RULE.name,
                        f'there is no target or provider "{name}"',
                        ("tests", index, *path),
                        key=key,
                        help=help_text,
                        severity="warning",
                    )


def _names(test: Mapping[str, Any]) -> Iterator[Named]:
    """Yield the names of a test with their paths, and whether a name is a key."""
    expect, route = test["expect"], test["request"].get("route") or {}
    for name in ("target", "provider"):
        if name in expect:
            yield expect[name], ("expect", name), False
    lists: list[tuple[Mapping[str, Any], tuple[str, ...], str]]
    lists = [(expect, ("expect",), key) for key in ("never", "order")]
    lists += [(route, ("request", "route"), key) for key in ("only", "ignore", "order")]
    lists += [(test, (), "unavailable")]
    for data, path, key in lists:
        for index, name in enumerate(data.get(key) or ()):
            yield name, (*path, key, index), False
    for name in expect.get("rejected") or {}:
        yield name, ("expect", "rejected", name), True
    for name in test.get("live") or {}:
        yield name, ("live", name), True


def _unknown(name: str, catalog: Catalog) -> str | None:
    """Return what to do about a name that does not exist; None if it does or may."""
    provider, _, model = name.partition("/")
    known = catalog.providers.get(provider)
    if known is not None and (not model or known.discover or catalog.target(name)):
        return None
    ids = [target.id for target in catalog.targets]
    names = ids if model else [*catalog.providers]
    listed = f"providers are {', '.join(sorted(catalog.providers))}"
    return did_you_mean(name, names) or listed


RULE = Rule("unknown-target", "warning", _check)
