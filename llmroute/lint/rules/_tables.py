"""The price tables that other packages carry, read from their files where they are installed.

Nothing is fetched. LiteLLM's table is a JSON file beside its code, read without importing it (its
import takes seconds); genai-prices keeps its own as Python, which is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

__all__ = ["Entry", "GenaiTable", "LitellmTable", "Table", "installed_tables", "litellm_tables"]

_FILE = "model_prices_and_context_window_backup.json"
_LITELLM = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
_MILLION = 1_000_000
#: Neither package is older.
_FIRST_YEAR = 2023


class Entry(NamedTuple):
    """What a table says of a model: USD per million tokens by our keys, and its last day.

    `by` is a day by which the table was written, None where that is unknown.
    """

    table: str
    rates: Mapping[str, float]
    retired: date | None = None
    by: date | None = None


class Table(Protocol):
    """A list of prices: finds a model by its name on the wire and its provider's endpoint."""

    def find(self, upstream: str, endpoint: Mapping[str, Any], day: date) -> Entry | None:
        """Return what the table says of a model on a day, None if it does not know it."""
        ...


class LitellmTable:
    """LiteLLM's table: model → prices per token."""

    def __init__(
        self, name: str, models: Mapping[str, Mapping[str, Any]], by: date | None = None
    ) -> None:
        self._name = name
        self._models = models
        self._by = by

    def find(self, upstream: str, endpoint: Mapping[str, Any], day: date) -> Entry | None:  # noqa: ARG002 - the protocol's
        """Return the entry of the model, if it is the same vendor's."""
        prefix = endpoint.get("model_prefix", "")
        for key in (f"{prefix}{upstream}", upstream):
            found = self._models.get(key)
            if isinstance(found, Mapping) and _same_vendor(found, prefix, endpoint):
                return Entry(self._name, dict(_per_million(found)), _day(found), self._by)
        return None


def _same_vendor(found: Mapping[str, Any], prefix: str, endpoint: Mapping[str, Any]) -> bool:
    vendor, address = str(found.get("litellm_provider", "?")), endpoint.get("base_url")
    if prefix.startswith(f"{vendor}/") or (address is None and not prefix):
        return True
    host = re.sub(r"\$\{[^}:]*(?::-)?|\}", "", str(address))
    host = host.split("://", 1)[-1].split("/", 1)[0]
    return vendor in host.split(".")


def _per_million(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, key in _LITELLM.items():
        price = found.get(key)
        if isinstance(price, int | float):
            yield name, round(price * _MILLION, 9)


def _day(found: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(found.get("deprecation_date")))
    except ValueError:
        return None


class GenaiTable:
    """The table of genai-prices: providers with patterns of their addresses, and models."""

    def __init__(self, name: str, providers: Sequence[Any], by: date | None = None) -> None:
        self._name = name
        self._providers = providers
        self._by = by

    def find(self, upstream: str, endpoint: Mapping[str, Any], day: date) -> Entry | None:
        """Return the entry of the model at the provider with the endpoint's address."""
        for provider in self._providers:
            if not _serves(provider, upstream, endpoint):
                continue
            for model in provider.models:
                if model.id == upstream:
                    return Entry(self._name, dict(_rates(model, day)), by=self._by)
        return None


def _serves(provider: Any, upstream: str, endpoint: Mapping[str, Any]) -> bool:
    address = endpoint.get("base_url")
    if address is None:
        match = provider.model_match
        return match is not None and bool(match.is_match(upstream))
    plain = re.sub(r"\$\{[^}:]*(?::-)?|\}", "", str(address))
    return re.match(provider.api_pattern, plain) is not None


def _rates(model: Any, day: date) -> Iterator[tuple[str, float]]:
    prices = model.get_prices(datetime.combine(day, time(12)))
    for name in _LITELLM:
        price = getattr(prices, f"{name}_mtok", None)
        price = getattr(price, "base", price)
        if price is not None:
            yield name, float(price)


def installed_tables() -> Iterator[Table]:
    """Yield the tables of the packages that are installed and readable."""
    yield from litellm_tables()
    yield from _genai()


def litellm_tables() -> Iterator[Table]:
    """Yield LiteLLM's table where it is installed: the one that tells last days."""
    spec = find_spec("litellm")  # finds, does not import
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / _FILE
        try:
            models = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        yield LitellmTable(f"LiteLLM {_version('litellm')}", models, _written_by(path))
        return


def _genai() -> Iterator[Table]:
    if find_spec("genai_prices") is None:
        return
    try:
        data = import_module("genai_prices.data")
        providers = data.providers
    except (ImportError, AttributeError):
        return
    by = _written_by(Path(data.__file__)) if data.__file__ else None
    yield GenaiTable(f"genai-prices {_version('genai-prices')}", providers, by)


def _written_by(path: Path) -> date | None:
    """Return the day from which a file stands here: what is in it is not younger.

    Packages are written when they are installed, except by tools that set all times to one long
    ago: those say nothing.
    """
    try:
        day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    except (OSError, ValueError, OverflowError):
        return None
    return day if day.year >= _FIRST_YEAR else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
