"""A price is so small or so large that it is probably not per million tokens.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 0.000002, output: 0.00001, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true}
        cost: {input: 2, output: 10, date: "2026-11-01"}

Why: Prices here are USD per million tokens. A price per token or per 1,000 tokens makes a model
look nearly free, so that it gets every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._prices import priced, rates

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: USD per million tokens: below the first a price is taken to be per token, where input is below
#: the second per 1,000 tokens; nothing is sold above the third.
_PER_TOKEN, _PER_THOUSAND, _MOST = 1e-4, 0.005, 2000


def _check(project: Project) -> Iterator[Diagnostic]:
    for model, cost in priced(project):
        thousands = _PER_TOKEN <= cost["input"] < _PER_THOUSAND
        for path, price in rates(cost):
            found = _words(price, thousands=thousands and path in (("input",), ("output",)))
            if found:
                message, help_text = found
                yield model.finding(RULE.name, message, "cost", *path, help=help_text)


def _words(price: float, *, thousands: bool) -> tuple[str, str] | None:
    exact = Decimal(str(price))
    if 0 < price < _PER_TOKEN:
        message = f"{_plain(exact)} looks like a price per token; prices are per million tokens"
        return message, f"write {_plain(exact * 1_000_000)}"
    if thousands and price > 0:
        message = f"{_plain(exact)} looks like a price per 1,000 tokens, not per million"
        return message, f"write {_plain(exact * 1000)}"
    if price > _MOST:
        message = f"no model costs {_plain(exact)} USD per million tokens"
        return message, "prices are USD per million tokens"
    return None


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


RULE = Rule("price-scale", "warning", _check)
