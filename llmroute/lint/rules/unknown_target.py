"""A test, condition, alias or budget names a target or provider that the workspace does not have.

Wrong:
    policy: example
    rules:
      - {name: strong, weight: 1, when: "target.provider == 'cluod'", prefer: quality}
    tests:
      - {name: cheap, request: {prompt: hello}, expect: {never: [cluod]}}

Right:
    policy: example
    rules:
      - {name: strong, weight: 1, when: "target.provider == 'cloud'", prefer: quality}
    tests:
      - {name: cheap, request: {prompt: hello}, expect: {never: [cloud]}}

Why: What does not exist is never chosen, never fails and never measured: a test says nothing of
what was meant, and a condition gives the same answer for every target. Tests are those of the
policy and those in `*.test.yaml` beside it. Models that a local server is asked for may have any
name, and a condition may name a provider that comes with llmroute and is left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from llmroute.config.diagnostics import Diagnostic, closest, did_you_mean
from llmroute.config.shipped import data_root
from llmroute.lint.registry import Rule
from llmroute.lint.rules._expressions import Found, Node, about, shown
from llmroute.lint.types_of import each, is_text

if TYPE_CHECKING:
    from llmroute.catalog.build import Catalog
    from llmroute.lint.project import Placed, Project
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

Named = tuple[str, tuple[str | int, ...], bool]
_ID, _PROVIDER, _MODEL = "target.id", "target.provider", "target.model"


def _check(project: Project) -> Iterator[Diagnostic]:
    catalog = project.catalog
    if catalog is None:
        return
    for test in project.tests:
        for name, path, key in _names(test.data):
            help_text = _unknown(name, catalog)
            if help_text:
                message = f'there is no target or provider "{name}"'
                yield test.finding(RULE.name, message, *path, key=key, help=help_text)
    yield from _settings(project, catalog)
    here, known = project.root.absolute(), _Known.of(catalog)
    for item, typed in each(project):
        if item.document.path.absolute().is_relative_to(here):  # else about shipped providers
            yield from _in_expression(item, typed, known)


def _settings(project: Project, catalog: Catalog) -> Iterator[Diagnostic]:
    """Check the targets that the workspace file names."""
    document = project.settings_document
    if document is None:
        return
    for name, path in _targets(project.settings):
        help_text = _unknown(name, catalog)
        if help_text:
            message = f'there is no target "{name}"'
            yield document.diagnostic(RULE.name, message, path, help=help_text, severity="warning")


def _targets(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield what aliases stand for and budgets are for."""
    for name, meant in (settings.get("aliases") or {}).items():
        if not meant.startswith("policy/"):
            yield meant, ("aliases", name)
    for index, budget in enumerate(settings.get("budgets") or ()):
        if target := (budget.get("scope") or {}).get("target"):
            yield target, ("budgets", index, "scope", "target")


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
    for key in ("live", "discovered"):
        for name in test.get(key) or {}:
            yield name, (key, name), True
    if "affinity" in test:
        yield test["affinity"], ("affinity",), False


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


class _Known(NamedTuple):
    """What fields of targets can be, and the providers whose models can be anything.

    `elsewhere` are the providers that come with llmroute: a policy may name one that its workspace
    leaves out.
    """

    values: Mapping[str, frozenset[str]]
    open: frozenset[str]
    elsewhere: frozenset[str]

    @classmethod
    def of(cls, catalog: Catalog) -> _Known:
        values = {
            _ID: frozenset(target.id for target in catalog.targets),
            _PROVIDER: frozenset(catalog.providers),
            _MODEL: frozenset(target.model for target in catalog.targets),
        }
        shipped = frozenset(path.stem for path in (data_root() / "providers.d").glob("*.yaml"))
        elsewhere = shipped.difference(catalog.providers)
        discovering = frozenset(n for n, p in catalog.providers.items() if p.discover)
        return cls(values, discovering, elsewhere)

    def may_be(self, field: str, given: str) -> bool:
        """Whether some target has the value, or one that is discovered may have it."""
        if given in self.values[field]:
            return True
        provider, slash, model = given.partition("/")
        if field == _PROVIDER:
            return given in self.elsewhere
        if field == _ID:
            return bool(slash and model) and provider in self.open | self.elsewhere
        return field == _MODEL and bool(self.open)

    def help(self, field: str, given: str) -> str:
        """Return what was meant, or else what there is."""
        if field != _PROVIDER and given in self.values[_PROVIDER]:
            return f"compare {_PROVIDER}: {_PROVIDER} == {shown(given)}"
        if field == _MODEL and given in self.values[_ID]:
            return f"compare {_ID}: {_ID} == {shown(given)}"
        meant = closest(given, self.values[field])
        if meant:
            return f"did you mean {shown(meant)}?"
        return f"providers are {', '.join(sorted(self.values[_PROVIDER]))}"


def _in_expression(item: Placed, typed: Typed, known: _Known) -> Iterator[Diagnostic]:
    for found in _compared(typed, known):
        yield item.finding(
            RULE.name,
            found.message,
            column=found.start,
            length=max(found.end - found.start, 1),
            help=found.help,
        )


def _compared(typed: Typed, known: _Known) -> Iterator[Found]:
    """Look at every comparison of a field with a text, and at lists that may contain it."""
    for node in typed.nodes:
        if node["type"] == "comparator" and node["value"] in ("eq", "ne"):
            left, right = node["children"]
            for field, text in ((left, right), (right, left)):
                if is_text(text):
                    yield from _outside(typed, field, text, [text["value"]], known)
        elif node["type"] == "function_expression" and node["value"] == "contains":
            listed, field = node["children"]
            for place, values in _elements(listed):
                yield from _outside(typed, field, place, values, known)


def _elements(listed: Node) -> Iterator[tuple[Node, list[str]]]:
    """Yield the texts of a list that is written out, with where they stand."""
    if listed["type"] == "literal" and isinstance(listed["value"], list):
        yield listed, [one for one in listed["value"] if isinstance(one, str)]
    elif listed["type"] == "multi_select_list":
        yield from ((one, [one["value"]]) for one in listed["children"] if is_text(one))


def _outside(
    typed: Typed, field: Node, place: Node, values: Iterable[str], known: _Known
) -> Iterator[Found]:
    name = ".".join(_fields(field))
    if name not in known.values:
        return
    for given in values:
        if not known.may_be(name, given):
            message = f"{name} is never {shown(given)}: no target of this workspace has it"
            yield about(typed, place, message, known.help(name, given))


def _fields(node: Node) -> Iterator[str]:
    """Yield the names of a chain of fields; of anything else what is no field's name."""
    if node["type"] == "subexpression":
        for child in node["children"]:
            yield from _fields(child)
    else:
        yield node["value"] if node["type"] == "field" else "?"


RULE = Rule("unknown-target", "warning", _check)
