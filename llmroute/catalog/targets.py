"""From one model's data, declared and discovered, to a target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from llmroute.catalog.cost import NANO, Factors, Price, Rates, pico_per_token
from llmroute.catalog.model import (
    Capabilities,
    Expected,
    Limits,
    Provider,
    Quality,
    Target,
    WireRules,
)
from llmroute.config.durations import seconds

__all__ = ["build_target", "merge", "model_size"]

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMBT])", re.IGNORECASE)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

#: Prior quality of a local model without a figure, by its number of parameters (up to, value).
#: A stated guess, so that a laptop's models can be ranked at all; explanations mark it.
_PRIORS = ((2e9, 0.25), (5e9, 0.35), (10e9, 0.45), (20e9, 0.50), (40e9, 0.55), (80e9, 0.60))
_PRIOR_LARGE, _PRIOR_UNKNOWN = 0.65, 0.35

#: Tokens that a local server loads a model with, at least, where nobody says how many: Ollama with
#: less than 24 GiB of memory for models, LM Studio before its settings are changed.
_LOADED_WITH = 4096


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge model data, later layers winning; maps are merged key by key, but `cost` whole."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both_maps = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[key] = {**result[key], **value} if both_maps and key != "cost" else value
    return result


def model_size(value: float | str | None) -> float | None:
    """Return a number of parameters: of `8B`, `70.6B` or `26B-A4B` the first figure."""
    if value is None or isinstance(value, int | float):
        return value
    match = _SIZE.search(value)
    return float(match[1]) * _UNITS[match[2].upper()] if match else None


def build_target(provider: Provider, data: Mapping[str, Any], *, discovered: bool) -> Target:
    """Build the target of one model from its merged, schema-checked data."""
    model = data["model"]
    elsewhere = "cloud" in (provider.locality, data.get("locality"))
    locality: Literal["local", "cloud"] = "cloud" if elsewhere else "local"
    size = model_size(data.get("parameters"))
    limits = _limits(provider.limits, data.get("limits", {}))
    return Target(
        id=f"{provider.name}/{model}",
        provider=provider,
        model=model,
        upstream=data.get("upstream", model),
        locality=locality,
        context_window=_window(data),
        max_output=data.get("max_output"),
        capabilities=Capabilities(**data.get("capabilities", {})),
        specializations=tuple(data.get("specializations", ())),
        quality=_quality(data.get("quality"), locality, size),
        price=build_price(data["cost"]) if data.get("cost") else None,
        limits=limits,
        limit_scope=_limit_scope(provider, data),
        typical_output=data.get("typical_output"),
        expected=_expected(data.get("expected", {})),
        wire=_wire(data.get("wire", {})),
        parameters=size,
        loaded=data.get("loaded"),
        discovered=discovered,
        tokenizer=data.get("tokenizer", "generic"),
        protocol=data.get("protocol"),
    )


def _window(data: Mapping[str, Any]) -> int | None:
    """Return the declared or effective window, never more than the trained one.

    Where neither is known the trained one is not taken: a server that loads the model with less
    would cut the prompt, or answer nothing.
    """
    window, trained = data.get("context_window"), data.get("trained_context")
    return min(window or _LOADED_WITH, trained) if trained else window


def _limits(shared: Limits, own: Mapping[str, Any]) -> Limits:
    return replace(shared, **own)


def _limit_scope(provider: Provider, data: Mapping[str, Any]) -> str:
    """Name what the limits are counted over: a pool, the model itself, or the provider."""
    own = data.get("limits", {})
    pool = own.get("pool", provider.limits.pool)
    if pool:
        return f"{provider.name}:{pool}"
    return f"{provider.name}/{data['model']}" if own else provider.name


def _expected(data: Mapping[str, Any]) -> Expected:
    first = data.get("first_token")
    return Expected(None if first is None else seconds(first), data.get("tokens_per_second"))


def _wire(data: Mapping[str, Any]) -> WireRules:
    """Build the rules of a model; the data's keys are their fields, lists become tuples."""
    rules: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return WireRules(**rules)


def _quality(data: Mapping[str, Any] | None, locality: str, size: float | None) -> Quality:
    if data:
        tasks = {k: float(v) for k, v in data.items() if k not in ("default", "source", "date")}
        return Quality(data.get("default"), tasks, data.get("source"), data.get("date"))
    if locality != "local":
        return Quality()
    value = _PRIOR_UNKNOWN
    if size is not None:
        value = next((prior for limit, prior in _PRIORS if size <= limit), _PRIOR_LARGE)
    return Quality(default=value, source="prior by model size", prior=True)


def build_price(data: Mapping[str, Any]) -> Price:
    """Build a price from the `cost` map of a provider file (USD per million tokens).

    Rates that are left out are the dear ones: cached input and a cache write cost as plain input
    of the same tier, a one-hour write as a five-minute one.
    """
    base, steps = _rates(data), data.get("tiers", ())
    base_only = {"input": data["input"], "output": data["output"]}
    tiers = sorted((_rates({**base_only, **t}, t["above"]) for t in steps), key=_above)
    return Price(
        tiers=(base, *tiers),
        per_request=int(Decimal(str(data.get("per_request", 0))) * NANO),
        valid_from=_day(data.get("valid_from")),
        valid_until=_day(data.get("valid_until")),
        source=data.get("source"),
        dated=data.get("date"),
        factors=_factors(data.get("factors", {})),
    )


def _factors(data: Mapping[str, Mapping[str, float]]) -> Factors:
    return Factors(
        **{
            name: tuple((word, Fraction(str(value))) for word, value in factors.items())
            for name, factors in data.items()
        }
    )


def _rates(data: Mapping[str, Any], above: int = 0) -> Rates:
    plain = data["input"]
    write = data.get("cache_write", plain)
    usd = (
        plain,
        data["output"],
        data.get("cache_read", plain),
        write,
        data.get("cache_write_1h", write),
    )
    into, out, read, written, written_1h = (pico_per_token(value) for value in usd)
    return Rates(into, out, read, written, written_1h, above)


def _above(rates: Rates) -> int:
    return rates.above


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
