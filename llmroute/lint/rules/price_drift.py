"""A price differs from the one in LiteLLM's or genai-prices' table.

Wrong:
    # providers.d/openai.yaml
    provider: openai
    endpoint:
      {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1",
       auth: {bearer: env:OPENAI_API_KEY}}
    models:
      - model: gpt-4o
        capabilities: {streaming: true}
        cost: {input: 25, output: 100, source: https://openai.com/api/pricing, date: "2024-06-01"}

Right:
    # providers.d/openai.yaml
    provider: openai
    endpoint:
      {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1",
       auth: {bearer: env:OPENAI_API_KEY}}
    models:
      - model: gpt-4o
        capabilities: {streaming: true}
        cost: {input: 2.5, output: 10, source: https://openai.com/api/pricing, date: "2026-11-01"}

Why: The two packages carry tables of prices, which are read where they are installed; nothing is
fetched. One of the two numbers is out of date: look at the vendor's own list. A price that was
looked up on or after the day on which a table was installed is the newer of the two, and nothing
is said. Differences of up to 1 % are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import Model
from llmroute.lint.rules._prices import day, priced
from llmroute.lint.rules._tables import Entry, Table, installed_tables

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE", "drifted"]

#: The share by which prices may differ.
_SHARE = 0.01


def _check(project: Project) -> Iterator[Diagnostic]:
    yield from drifted(project, installed_tables())


def drifted(project: Project, tables: Iterable[Table]) -> Iterator[Diagnostic]:
    """Yield every model with prices that some table has, and none as they are here.

    Tables that were there before the price was looked up do not count.
    """
    known = tuple(tables)
    for model, cost in priced(project) if known else ():
        if model.number is None:
            continue
        upstream = model.data.get("upstream", model.data["model"])
        endpoint = model.document.data["endpoint"]
        found = [table.find(upstream, endpoint, project.today) for table in known]
        yield from _compared(model, cost, [e for e in found if e and not _older(e, cost)])


def _older(entry: Entry, cost: Any) -> bool:
    dated = day(cost.get("date"))
    return entry.by is not None and dated is not None and entry.by <= dated


def _compared(model: Model, cost: Any, entries: list[Entry]) -> Iterator[Diagnostic]:
    """Make one finding of all prices of a model that differ, at the first of them."""
    differing = list(_differing(cost, entries))
    if not differing:
        return
    listed = ", ".join(text for _, text in differing)
    message = f"prices of {model.name} differ from the tables: {listed}"
    help_text = "look at the vendor's list; mend the prices and their date, or leave them"
    path = ("cost", differing[0][0])
    yield model.finding(RULE.name, message, *path, help=help_text, severity="note")


def _differing(cost: Any, entries: list[Entry]) -> Iterator[tuple[str, str]]:
    for name in ("input", "output", "cache_read", "cache_write"):
        ours = cost.get(name)
        told = [(one.table, one.rates[name]) for one in entries if name in one.rates]
        if ours is None or not told or any(_near(ours, theirs) for _, theirs in told):
            continue
        listed = " and ".join(f"{theirs:g} in {table}" for table, theirs in told)
        yield name, f"{name} is {ours:g}, {listed}"


def _near(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= _SHARE * max(abs(ours), abs(theirs))


RULE = Rule("price-drift", "note", _check, analyses=True)
