"""Our charge for an answer beside litellm's and genai-prices', usage by usage.

    python bench/costs.py

Every shipped model of OpenAI and Anthropic is charged for every usage below by this package, by
`litellm.litellm_core_utils.llm_cost_calc` with the map in its wheel, and by
`genai_prices.calc_price`; both must be installed (`pip install llmroute[litellm]` and
`genai-prices`). Where a rival differs, `EXPLAINED` must say why and come to its figure by another
way. The last line is one JSON object: how many figures agree, differ with a reason, differ
without one, and how many a rival does not know.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from llmroute.catalog.cost import Price, nano_to_usd
from llmroute.catalog.targets import build_price
from llmroute.types import Usage

__all__ = ["EXPLAINED", "RIVALS", "USAGES", "VERSIONS", "Case", "Compared", "cases", "compare"]

_PROVIDERS = Path(__file__).resolve().parent.parent / "providers.d"
#: The day on which all three lists of prices are asked.
_DAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
#: Half a nano-dollar, to which we round, and as much for a sum of floats.
_ROUNDING = Decimal("0.000000001")
#: The versions whose figures `EXPLAINED` explains.
VERSIONS = {"litellm": "1.110.2", "genai-prices": "0.2.3"}

#: What answers say. Those with a five-minute and a one-hour write go to both vendors: OpenAI keeps
#: the longer one for 12 hours.
USAGES: dict[str, Usage] = {
    "plain": Usage(1_000, 500),
    "nothing": Usage(),
    "one token": Usage(1, 1),
    "no output": Usage(777, 0),
    "cached": Usage(10_000, 300, cached=9_000),
    "all cached": Usage(4_096, 10, cached=4_096),
    "written": Usage(10_000, 300, cache_written=6_000),
    "read and written": Usage(20_000, 300, cached=12_000, cache_written=5_000),
    "written for long": Usage(10_000, 300, cache_written=6_000, cache_written_1h=6_000),
    "written both ways": Usage(9_900, 300, cached=100, cache_written=6_000, cache_written_1h=1_500),
    "reasoning": Usage(1_000, 5_000, reasoning=4_500),
    "up to 100,000": Usage(100_000, 1_000),
    "above 100,000": Usage(100_001, 1_000),
    "cached above 100,000": Usage(150_000, 1_000, cached=149_000),
    "up to 272,000": Usage(272_000, 1_000),
    "above 272,000": Usage(272_001, 1_000),
    "cached above 272,000": Usage(300_000, 1_000, cached=290_000, cache_written=5_000),
    "flex": Usage(10_000, 500, cached=2_000, tier="flex"),
    "batch": Usage(10_000, 500, cached=2_000, tier="batch"),
    "batch, written": Usage(9_000, 90, cache_written=6_000, cache_written_1h=600, tier="batch"),
    "priority": Usage(10_000, 500, cached=2_000, tier="priority"),
    "ultrafast": Usage(10_000, 500, cached=2_000, tier="ultrafast"),
    "flex above 272,000": Usage(300_000, 1_000, cached=9_000, tier="flex"),
    "priority above 272,000": Usage(300_000, 1_000, cached=9_000, tier="priority"),
    "fast": Usage(10_000, 500, cached=2_000, speed="fast"),
    "in the US": Usage(10_000, 500, cached=2_000, region="us"),
    "fast in the US": Usage(10_000, 500, cached=2_000, speed="fast", region="us"),
}


@dataclass(frozen=True)
class Case:
    """One usage at one shipped model."""

    provider: str
    model: str
    price: Price
    name: str
    usage: Usage

    @property
    def ours(self) -> Decimal | None:
        """Our charge in USD."""
        return nano_to_usd(self.price.charge(self.usage))


def cases() -> Iterator[Case]:
    """Yield every usage at every model that ships with OpenAI's and Anthropic's own prices."""
    for provider in ("openai", "anthropic"):
        text = (_PROVIDERS / f"{provider}.yaml").read_text(encoding="utf-8")
        for entry in yaml.safe_load(text)["models"]:
            price = build_price(entry["cost"])
            for name, usage in USAGES.items():
                yield Case(provider, entry["model"], price, name, usage)


# The rivals


@cache
def _litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    return litellm


def by_litellm(case: Case) -> Decimal | None:
    """Return litellm's figure, None where it does not know the model."""
    litellm = _litellm()
    if case.model not in litellm.model_cost:
        return None
    usage = _litellm_usage(case)
    if case.provider == "anthropic":
        from litellm.llms.anthropic import cost_calculation as anthropic

        usage.speed, usage.inference_geo = case.usage.speed, case.usage.region
        parts = anthropic.cost_per_token(case.model, usage)
    else:
        from litellm.llms.openai import cost_calculation as openai

        parts = openai.cost_per_token(case.model, usage, service_tier=case.usage.tier)
    return sum((Decimal(repr(float(part))) for part in parts), Decimal(0))


def _litellm_usage(case: Case) -> Any:
    from litellm.types.utils import CacheCreationTokenDetails, PromptTokensDetailsWrapper
    from litellm.types.utils import Usage as TheirUsage

    usage = case.usage
    split = CacheCreationTokenDetails(
        ephemeral_5m_input_tokens=usage.cache_written - usage.cache_written_1h,
        ephemeral_1h_input_tokens=usage.cache_written_1h,
    )
    return TheirUsage(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        reasoning_tokens=usage.reasoning,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=usage.cached,
            cache_creation_tokens=usage.cache_written,
            cache_creation_token_details=split,
        ),
    )


def by_genai_prices(case: Case) -> Decimal | None:
    """Return genai-prices' figure, None where it does not know the model."""
    import genai_prices

    usage = case.usage
    counts = genai_prices.Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.cache_written,
        cache_write_1h_tokens=usage.cache_written_1h,
    )
    said = {"service_tier": usage.tier, "speed": usage.speed, "inference_geo": usage.region}
    if usage.tier == "batch":
        said |= {"service_tier": None, "processing": "batch"}
    try:
        found = genai_prices.calc_price(
            counts,
            case.model,
            provider_id=case.provider,
            genai_request_timestamp=_DAY,
            price_context={name: word for name, word in said.items() if word},
        )
    except LookupError:
        return None
    return found.total_price


RIVALS: dict[str, Callable[[Case], Decimal | None]] = {
    "litellm": by_litellm,
    "genai-prices": by_genai_prices,
}


# Why a rival differs


class Reason(NamedTuple):
    """Why rivals differ where it `holds`: they charge as we would for the `changed` case."""

    why: str
    rivals: tuple[str, ...]
    holds: Callable[[Case], bool]
    changed: Callable[[Case], Case]


def _said(**words: Any) -> Callable[[Case], Case]:
    return lambda case: replace(case, usage=replace(case.usage, **words))


def _without_unpriced(case: Case) -> Case:
    """Drop the words that no price is known for."""
    words = {"service_tier": "tier", "speed": "speed", "region": "region"}
    missing = {text.split()[0] for text in case.price.unpriced(case.usage)}
    return _said(**{words[kind]: None for kind in missing})(case)


def _promotion(case: Case) -> Case:
    """Charge gpt-5.6-sol as it was until 2026-11-21: 4 and 20 dollars, all else in proportion."""
    rates = {"input": 4, "output": 20, "cache_read": 0.4, "cache_write": 5, "cache_write_1h": 10}
    above = {"above": 272_000, **{k: v * 2 for k, v in rates.items()}, "output": 30}
    price = build_price({**rates, "tiers": [above]})
    return replace(case, price=replace(price, factors=case.price.factors))


def _short_writes(case: Case) -> Case:
    return replace(case, usage=replace(case.usage, cache_written_1h=0))


def _base_tier(case: Case) -> Case:
    return replace(case, price=replace(case.price, tiers=case.price.tiers[:1]))


def _long_priority(case: Case) -> bool:
    long = case.usage.input > 272_000
    return case.model == "gpt-5.5" and case.usage.tier == "priority" and long


_BOTH = ("litellm", "genai-prices")
EXPLAINED = (
    Reason(
        "no price is published for this tier, speed or region: ours is unknown, theirs the usual",
        _BOTH,
        lambda case: bool(case.price.unpriced(case.usage)),
        _without_unpriced,
    ),
    Reason(
        "the promotion of gpt-5.6-sol, guaranteed until 2026-11-21, has no end there",
        _BOTH,
        lambda case: case.model == "gpt-5.6-sol",
        _promotion,
    ),
    Reason(
        "OpenAI's 12-hour cache write is charged as the 30-minute one",
        _BOTH,
        lambda case: case.provider == "openai" and case.usage.cache_written_1h > 0,
        _short_writes,
    ),
    Reason(
        "the tier `batch` of an answer is not looked at",
        ("litellm",),
        lambda case: case.usage.tier == "batch",
        _said(tier=None),
    ),
    Reason(
        "priority has no rates above 272,000 tokens: the usual ones for long prompts",
        ("litellm",),
        _long_priority,
        _said(tier=None),
    ),
    Reason(
        "priority has no rates above 272,000 tokens: those of short prompts",
        ("genai-prices",),
        _long_priority,
        _base_tier,
    ),
    Reason(
        "the tier `ultrafast` is not known",
        ("genai-prices",),
        lambda case: case.usage.tier == "ultrafast",
        _said(tier=None),
    ),
    Reason(
        "the region is not looked at",
        ("genai-prices",),
        lambda case: case.usage.region is not None,
        _said(region=None),
    ),
)


class Compared(NamedTuple):
    """One figure of a rival beside ours; `by_reasons` is what our price gives after `reasons`."""

    case: Case
    rival: str
    ours: Decimal | None
    theirs: Decimal
    reasons: tuple[Reason, ...]
    by_reasons: Decimal | None

    @property
    def outcome(self) -> str:
        """`agrees`, `explained` or `unexplained`."""
        if not self.reasons:
            return "agrees" if _same(self.ours, self.theirs) else "unexplained"
        return "explained" if _same(self.by_reasons, self.theirs) else "unexplained"


def _same(ours: Decimal | None, theirs: Decimal) -> bool:
    return ours is not None and abs(ours - theirs) <= _ROUNDING


def compare(case: Case, rival: str) -> Compared | None:
    """Compare one figure; None where the rival does not know the model."""
    theirs = RIVALS[rival](case)
    if theirs is None:
        return None
    changed, reasons = case, list[Reason]()
    for reason in EXPLAINED:
        if rival in reason.rivals and reason.holds(changed):
            after = reason.changed(changed)
            if after.ours != changed.ours:
                changed, reasons = after, [*reasons, reason]
    return Compared(case, rival, case.ours, theirs, tuple(reasons), changed.ours)


def _shown(found: Compared) -> str:
    ours = "unknown" if found.ours is None else f"{found.ours:.9f}"
    why = "; ".join(reason.why for reason in found.reasons)
    figures = f"{ours:>15} {found.theirs:15.9f}"
    return f"{found.case.model:17} {found.case.name:23} {found.rival:12} {figures}  {why}"


def main() -> int:
    outcomes: Counter[str] = Counter()
    why: Counter[str] = Counter()
    for case in cases():
        for rival in RIVALS:
            found = compare(case, rival)
            outcomes[found.outcome if found else "model unknown to the rival"] += 1
            if found and found.outcome != "agrees":
                print(_shown(found) if found.reasons else f"{_shown(found)}UNEXPLAINED")
                why.update(f"{rival}: {reason.why}" for reason in found.reasons)
    print(json.dumps({**outcomes, "why": why}, ensure_ascii=False))
    return 1 if outcomes["unexplained"] else 0


if __name__ == "__main__":
    sys.exit(main())
