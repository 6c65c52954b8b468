"""What is wrong with tests before they run: names that nothing has, and tests that cannot fail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from llmroute.catalog.build import Catalog
from llmroute.config.diagnostics import Diagnostic, closest, did_you_mean
from llmroute.config.reading import items_of, twice
from llmroute.config.workspace import Workspace
from llmroute.errors import UsageError
from llmroute.lab.testing.bench import Bench
from llmroute.lab.testing.files import Case, read_cases

__all__ = ["check_case", "check_tests"]

#: Requirements that every policy has: what a request needs, what its `route` says, what works.
_IMPLICIT = (
    *("tools", "vision", "json_schema", "streaming", "forced_tool_choice"),
    *("image_urls", "pdf", "files", "audio", "json_object", "prefill"),
    *("tool_names", "max_tools"),
    *("content_part", "tool_type"),
    *("context_window", "max_output", "usable"),
    *("route.only", "route.ignore", "route.locality", "route.require", "route.max_cost"),
)
#: Expectations that demand nothing when they are empty.
_LISTS = ("never", "order", "rejected")


def check_tests(workspace: Workspace) -> list[Diagnostic]:
    """Return everything that is wrong with the tests of a workspace without errors."""
    cases, found = read_cases(workspace)
    bench = Bench(workspace)
    return [*found, *(item for case in cases for item in check_case(case, bench))]


def check_case(case: Case, bench: Bench) -> list[Diagnostic]:
    """Return what is wrong with one test; it can run if that is nothing."""
    found = [*_discovered(case, bench.router.catalog)]
    if not found:
        catalog = bench.catalog(case)
        known = _Known(case, catalog)
        found += [*_names(case, known), *_requirements(case, bench), *_time(case)]
        found += [*_budgets(case, bench), *_request(case, bench), *_cannot_fail(case, catalog)]
        found += [*_cannot_pass(case)]
    return sorted(found, key=lambda item: (item.line, item.col))


def _discovered(case: Case, catalog: Catalog) -> Iterator[Diagnostic]:
    """Check what servers are said to list; the file's own part is told with each test once."""
    for name, models in case.discovered.items():
        inside = name in case.data.get("discovered", {})
        path = case.path("discovered", name) if inside else ("discovered", name)
        provider = catalog.providers.get(name)
        if provider is None:
            yield _unknown(case, path, "provider", name, catalog.providers, key=True)
        elif provider.discover is None:
            message = f"`{name}` discovers nothing: its models are those that its file declares"
            hint = f"declare the model in {provider.file}, or take it out here"
            yield case.document.diagnostic("test-discovered", message, path, key=True, help=hint)
        named = [((*path, i, "model"), model["model"]) for i, model in enumerate(models)]
        message = "the model {} is there twice"
        yield from twice(case.document, named, "schema-duplicate", message)


@dataclass(frozen=True)
class _Known:
    """The names that a test may use, and how to say that one is none of them."""

    case: Case
    catalog: Catalog

    @property
    def targets(self) -> list[str]:
        return [target.id for target in self.catalog.targets]

    @property
    def both(self) -> list[str]:
        return [*self.catalog.providers, *self.targets]

    def target(self, name: str, *steps: str | int, key: bool = False) -> Iterator[Diagnostic]:
        if name not in self.targets:
            path = self.case.path(*steps)
            hint = self._hint(name)
            yield _unknown(self.case, path, "target", name, self.targets, key=key, hint=hint)

    def either(self, name: str, *steps: str | int, key: bool = False) -> Iterator[Diagnostic]:
        if name not in self.both:
            path, kind = self.case.path(*steps), "target" if "/" in name else "provider"
            hint = self._hint(name)
            yield _unknown(self.case, path, kind, name, self.both, key=key, hint=hint)

    def _hint(self, name: str) -> str | None:
        """Say how a test names a model that is discovered."""
        first, slash, model = name.partition("/")
        provider = self.catalog.providers.get(first)
        if not slash:
            return f"write a model of it, {first}/MODEL" if provider else None
        if provider is None or provider.discover is None:
            return None
        if closest(name, [known for known in self.targets if known.startswith(f"{first}/")]):
            return None
        return f"nobody is asked in a test: add discovered: {{{first}: [{{model: {model}}}]}}"


def _unknown(
    case: Case,
    path: tuple[str | int, ...],
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    key: bool = False,
    hint: str | None = None,
) -> Diagnostic:
    names = sorted(known)
    help_text = hint or did_you_mean(name, names) or _listed(names)
    message = f"there is no {kind} `{name}`"
    return case.document.diagnostic(f"unknown-{kind}", message, path, key=key, help=help_text)


def _listed(names: list[str]) -> str:
    more = ", …" if len(names) > 8 else ""
    return f"there are: {', '.join(names[:8])}{more}" if names else "there is none at all"


def _names(case: Case, known: _Known) -> Iterator[Diagnostic]:
    """Check each name of a target or provider in what a test says of the world."""
    data = case.data
    for name in data.get("live", {}):
        yield from known.either(name, "live", name, key=True)
    for number, name in enumerate(data.get("unavailable", ())):
        yield from known.either(name, "unavailable", number)
    if "affinity" in data:
        yield from known.target(data["affinity"], "affinity")
    for part in ("only", "ignore", "order"):
        for number, name in enumerate(items_of(data["request"].get("route"), part)):
            yield from known.either(name, "request", "route", part, number)
    yield from _expected_names(case, known)


def _expected_names(case: Case, known: _Known) -> Iterator[Diagnostic]:
    """Check each name of a target or provider in what a test expects."""
    expect, providers = case.data["expect"], known.catalog.providers
    if "target" in expect:
        yield from known.target(expect["target"], "expect", "target")
    if expect.get("provider", None) not in (None, *providers):
        path = case.path("expect", "provider")
        yield _unknown(case, path, "provider", expect["provider"], providers)
    for number, name in enumerate(expect.get("never", ())):
        yield from known.either(name, "expect", "never", number)
    for number, name in enumerate(expect.get("order", ())):
        yield from known.target(name, "expect", "order", number)
    for name in expect.get("rejected", {}):
        yield from known.either(name, "expect", "rejected", name, key=True)
    for name in expect.get("cost", {}):
        yield from known.target(name, "expect", "cost", name, key=True)
    for name in expect.get("charge", {}).get("cost", {}):
        yield from known.target(name, "expect", "charge", "cost", name, key=True)


def _requirements(case: Case, bench: Bench) -> Iterator[Diagnostic]:
    source = bench.router.policy(case.policy).source
    known = [*(item.name for item in source.require), *_IMPLICIT]
    for target, name in case.data["expect"].get("rejected", {}).items():
        if name not in known:
            path = case.path("expect", "rejected", target)
            yield _unknown(case, path, "requirement", name, known)


def _time(case: Case) -> Iterator[Diagnostic]:
    now = case.data.get("now", {})
    if "date" not in now:
        return
    try:
        day = date.fromisoformat(now["date"])
    except ValueError:
        message = f"there is no day {now['date']}"
        yield case.diagnostic("schema-date", message, "now", "date")
        return
    if now.get("weekday", day.isoweekday()) != day.isoweekday():
        message = f"{now['date']} is weekday {day.isoweekday()}, not {now['weekday']}"
        yield case.diagnostic("test-weekday", message, "now", "weekday", hint="leave one of them")


def _budgets(case: Case, bench: Bench) -> Iterator[Diagnostic]:
    settings = bench.workspace.settings
    known = [item["name"] for item in items_of(settings.data if settings else None, "budgets")]
    for name in case.data.get("budgets", {}):
        if name not in known:
            yield _unknown(case, case.path("budgets", name), "budget", name, known, key=True)


def _request(case: Case, bench: Bench) -> Iterator[Diagnostic]:
    try:
        bench.request(case)
    except UsageError as exc:
        yield case.diagnostic("test-request", str(exc), "request", key=True)


def _cannot_fail(case: Case, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report expectations that hold whatever the policy does."""
    expect = case.data["expect"]
    for kind in _LISTS:
        if kind in expect and not expect[kind]:
            message = f"`{kind}` is empty: it holds whatever the policy does"
            hint = "say what must come out, or leave it out"
            yield case.diagnostic("test-cannot-fail", message, "expect", kind, hint=hint)
    served = _served(catalog)
    for number, name in enumerate(expect.get("never", ())):
        if name in catalog.providers and name not in served:
            message = f"`{name}` has no target in this test: it can never be in any place"
            hint = f"add discovered: {{{name}: [{{model: …}}]}}, or leave it out"
            yield case.diagnostic("test-cannot-fail", message, "expect", "never", number, hint=hint)


def _cannot_pass(case: Case) -> Iterator[Diagnostic]:
    """Report expectations that no policy, and no bill, can meet."""
    expect = case.data["expect"]
    charge = expect.get("charge", {})
    costs = ((("cost",), expect), (("charge", "cost"), charge))
    ranges = (
        (p, name, wanted) for p, part in costs for name, wanted in part.get("cost", {}).items()
    )
    for path, name, wanted in ranges:
        if isinstance(wanted, list) and wanted[0] > wanted[1]:
            message = f"nothing costs at least {wanted[0]} and at most {wanted[1]}"
            hint = f"write [{wanted[1]}, {wanted[0]}]"
            yield case.diagnostic("test-cannot-pass", message, "expect", *path, name, hint=hint)
    yield from _impossible_usage(case, charge.get("usage", {}))


def _impossible_usage(case: Case, usage: Mapping[str, int]) -> Iterator[Diagnostic]:
    """Report tokens that are a part of others, and more than those."""
    cached, written = usage.get("cached", 0), usage.get("cache_written", 0)
    if cached + written > usage.get("input", 0):
        parts = " and ".join(f"`{name}`" for name in ("cached", "cache_written") if usage.get(name))
        message = f"`input` is {usage['input']}, less than {parts}, which count within it"
        yield case.diagnostic("test-usage", message, "expect", "charge", "usage", "input")
    if usage.get("cache_written_1h", 0) > written:
        message = f"`cache_written` is {written}, less than `cache_written_1h`, a part of it"
        steps = ("expect", "charge", "usage", "cache_written_1h")
        yield case.diagnostic("test-usage", message, *steps)


def _served(catalog: Catalog) -> Collection[Any]:
    return {target.provider.name for target in catalog.targets}
