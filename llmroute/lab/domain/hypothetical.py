"""Models that discovery may add: what a server could list tomorrow, as targets.

A dialect determines which fields a listing can set; all others come from the provider's file.
Of the fields that are read, every combination of representative values is made; a field that
nothing reads gets the value that most requests fit. Each is built by the catalogue's own
`with_discovered`, so that it is merged with `defaults` and declared fields as a real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from llmroute.catalog.build import Catalog
from llmroute.catalog.discovery import dialect_named
from llmroute.catalog.model import Provider, Target
from llmroute.lab.domain.uses import Use
from llmroute.lab.domain.values import Kind, Values, representatives, seen

__all__ = ["Imagined", "Imagining", "imagine"]

#: Combinations of one provider beyond which only a part is made.
_MOST = 1024
_AMPLE = 100_000_000
#: Sizes on either side of each step in the prior quality of local models.
_SIZES = (1e9, 3e9, 8e9, 15e9, 30e9, 70e9, 100e9)
_NAME = "any-model"
_NUMBER = Kind(frozenset({"int"}), 1)
_TEXT = Kind(frozenset({"text"}))


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a dialect's listing can say of a model beyond its name.

    `capabilities` can be on or off, those that are `given` can be on or not be told; `limits` are
    numbers of tokens. `sizes`: the number of parameters; `remote`: that it runs elsewhere.
    """

    capabilities: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    sizes: bool = False
    remote: bool = False


_LOCAL = _Listing(("tools", "vision", "reasoning"), limits=("context_window",), sizes=True)
#: After `catalog.discovery`: Ollama tells of models that it runs elsewhere, and these follow no
#: schema; a plain OpenAI listing has names only. What Anthropic's tells of the wire (types of
#: thinking, efforts) decides nothing.
_LISTINGS: Mapping[str, _Listing] = {
    "anthropic": _Listing(
        ("vision", "pdf", "json_schema", "reasoning"),
        given=("tools", "streaming"),
        limits=("context_window", "max_output"),
    ),
    "lm-studio": _LOCAL,
    "ollama": replace(_LOCAL, remote=True),
    "openai": _Listing(),
}


class Imagined(NamedTuple):
    """A target that discovery may bring, and what its server would have to list."""

    target: Target
    provider: str
    data: Mapping[str, Any]


class Imagining(NamedTuple):
    """Every target that discovery may bring, as far as it can be told apart; else why not."""

    models: tuple[Imagined, ...]
    why_not: tuple[str, ...]


def imagine(catalog: Catalog, uses: Sequence[Use], names: Iterable[str] = ()) -> Imagining:
    """Return the models that discovery may add, given what is read of `target`.

    `uses` come from `collect_uses` without targets; `names` are more target ids of interest.
    """
    fields: dict[tuple[str, ...], list[Use]] = {}
    most = next((u for u in uses if u.path in (("estimate",), ("estimate", "cost_max"))), None)
    for use in uses:
        if use.path[0] in ("target", "@"):
            fields.setdefault(use.path[1:], []).append(use)
    found: list[Imagined] = []
    why_not: list[str] = []
    for name, provider in catalog.providers.items():
        if provider.discover is not None:
            maker = _Maker(catalog, provider, fields, tuple(names))
            found += _distinct(maker.models())
            if most:
                maker.check_cost(most)
            why_not += [f"{name}: {why}" for why in maker.why_not]
    return Imagining(tuple(found), tuple(why_not))


def _distinct(models: Iterable[Imagined]) -> Iterator[Imagined]:
    seen: set[str] = set()
    for model in models:
        key = f"{model.target.view}"
        if key not in seen:
            seen.add(key)
            yield model


class _Maker:
    """Makes the models of one provider."""

    def __init__(
        self,
        catalog: Catalog,
        provider: Provider,
        fields: Mapping[tuple[str, ...], list[Use]],
        names: Sequence[str],
    ) -> None:
        self._catalog = catalog
        self._provider = provider
        self._fields = fields
        self._wanted = [n.partition("/")[2] for n in names if n.startswith(f"{provider.name}/")]
        dialect = provider.discover.dialect if provider.discover else ""
        self._listing = _LISTINGS.get(dialect, _Listing())
        self.why_not: list[str] = []
        if dialect not in _LISTINGS:
            self.why_not.append(f"what the dialect {dialect} lists is not described")

    def models(self) -> Iterator[Imagined]:
        """Yield what may be listed, new models first, then declared ones with other fields."""
        self._check()
        source = self._catalog.sources[self._provider.name]
        declared = {
            data["model"]: data.get("upstream", data["model"]) for data in source.get("models", ())
        }
        canonical = (
            dialect_named(self._provider.discover.dialect).canonical
            if self._provider.discover
            else str
        )
        taken = {canonical(upstream) for upstream in declared.values()}
        combinations = self._combinations()
        for name in self._names():
            if canonical(name) not in taken:
                for data in combinations:
                    yield from self._made(name, name, data)
        for model, upstream in declared.items():
            for data in combinations:
                yield from self._made(model, upstream, data)

    def _made(self, model: str, upstream: str, data: Mapping[str, Any]) -> Iterator[Imagined]:
        listed = {"model": upstream, **data}
        catalog = self._catalog.with_discovered(self._provider.name, [listed])
        target = catalog.target(f"{self._provider.name}/{model}")
        if target is not None:
            yield Imagined(target, self._provider.name, listed)

    def _check(self) -> None:
        """Note fields that a listing can set and that are read in a way that is not covered."""
        listing = self._listing
        free = {"", "id", "model", "upstream", *(["locality", "cost"] if listing.remote else [])}
        free |= {"parameters", "quality"} if listing.sizes else set()
        free |= {*listing.limits}
        for path, uses in self._fields.items():
            opaque = next((use for use in uses if use.how == "opaque"), None)
            if opaque and (path[0] if path else "") in free - {"locality", "cost"}:
                self.why_not.append(f"{'.'.join(opaque.path)} is used freely in {opaque.text!r}")

    def check_cost(self, use: Use) -> None:
        """Note that the most that an answer may cost is as open as a listed `max_output`."""
        source = self._catalog.sources[self._provider.name]
        shared = source.get("defaults", {})
        models: list[Mapping[str, Any]] = [{}, *source.get("models", ())]
        open_ended = [{**shared, **own} for own in models if "max_output" not in own]
        if "max_output" in self._listing.limits and any(data.get("cost") for data in open_ended):
            self.why_not.append(f"{use.text!r} depends on max_output, which may be listed")

    def _combinations(self) -> list[dict[str, Any]]:
        parts = [self._localities(), *self._able(), *self._limits(), *self._sizes()]
        found: list[dict[str, Any]] = []
        for options in product(*parts):
            if len(found) >= _MOST:
                self.why_not.append(f"more than {_MOST} combinations of fields")
                break
            found.append(_joined(options))
        return found

    def _localities(self) -> list[dict[str, Any]]:
        if not self._listing.remote:
            return [{}]
        elsewhere = {"locality": "cloud", "cost": None, "capabilities": {"json_schema": False}}
        return [{"locality": "local"}, elsewhere]

    def _able(self) -> Iterator[list[dict[str, Any]]]:
        """Yield each capability that can be listed, off as well where something reads it."""
        for name in self._listing.capabilities:
            on, off = ({"capabilities": {name: flag}} for flag in (True, False))
            yield [on, off] if self._reads(name) else [on]
        for name in self._listing.given:
            on = {"capabilities": {name: True}}
            yield [on, {}] if self._reads(name) else [on]

    def _reads(self, capability: str) -> bool:
        wholes = ((), ("capabilities",))
        return any(path in (*wholes, ("capabilities", capability)) for path in self._fields)

    def _limits(self) -> Iterator[list[dict[str, Any]]]:
        """Yield each limit that can be listed: ample; where something reads it, others and none."""
        for name in self._listing.limits:
            uses = self._fields.get((name,), ())
            unsaid: list[dict[str, Any]] = [{}] if uses else []
            yield [*({name: size} for size in _largest(uses)), *unsaid]

    def _sizes(self) -> Iterator[list[dict[str, Any]]]:
        if not self._listing.sizes:
            return
        uses = self._fields.get(("parameters",), [])
        graded = any(path[:1] == ("quality",) for path in self._fields)
        sizes = {*representatives(_NUMBER, uses).values} if uses else set()
        sizes |= set(_SIZES) if graded else set()
        yield [{}, *({"parameters": float(size)} for size in sorted(sizes))]

    def _names(self) -> list[str]:
        """Return names that the uses of `id`, `model` and `upstream` tell apart."""
        prefix = f"{self._provider.name}/"
        uses = [*self._fields.get(("model",), ()), *self._fields.get(("upstream",), ())]
        uses += [u for use in self._fields.get(("id",), ()) for u in _of_name(use, prefix)]
        found = representatives(_TEXT, uses) if uses else Values(())
        self.why_not += [found.why_not] if found.why_not else []
        texts = (text for text in found.values if text.strip())
        return list(dict.fromkeys((*self._wanted, _NAME, *texts)))


def _largest(uses: Sequence[Use]) -> list[int]:
    """Return the largest number of each class that uses tell apart: most requests fit it."""
    found = {_AMPLE, *map(int, representatives(_NUMBER, uses).values)}
    found |= {value - 1 for value in found if value > 1}
    classes = {seen(uses, value): value for value in sorted(found)}
    return sorted(classes.values(), reverse=True)


def _of_name(use: Use, prefix: str) -> Iterator[Use]:
    """Yield what a use of a target's id asks of the model's name."""
    literal = use.literal
    if not isinstance(literal, str):
        return
    if use.how in ("ends", "contains", "opaque"):
        for text in {literal, literal.rpartition("/")[2]}:
            yield Use(use.path, use.how, text, use.text)
    elif literal.startswith(prefix):
        yield Use(use.path, use.how, literal.removeprefix(prefix), use.text)


def _joined(options: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge parts of a listing; a remote model's capabilities stay as they are."""
    found: dict[str, Any] = {}
    able: dict[str, bool] = {}
    for part in options:
        able |= part.get("capabilities", {})
        found |= part
    return {**found, **({"capabilities": able} if able else {})}
