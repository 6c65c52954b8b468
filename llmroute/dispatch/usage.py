"""What a call used and cost: as the provider reported it, else estimated and marked as such."""

from __future__ import annotations

from dataclasses import replace

from llmroute.catalog.model import Target
from llmroute.policy.engine.decision import Decision
from llmroute.policy.facts.facts import estimate_tokens
from llmroute.types import Response, Usage

__all__ = ["believable", "charge", "partial_usage", "usage_of"]

#: No call uses more tokens: what a provider counts beyond that is a mistake of its own.
_MOST = 10**9


def believable(usage: Usage) -> bool:
    """Whether a call can have used so much; sums and databases take no figure without bound."""
    counts = (
        usage.input,
        usage.output,
        usage.cached,
        usage.cache_written,
        usage.cache_written_1h,
        usage.reasoning,
    )
    return max(counts) <= _MOST and all(map(believable, usage.parts))


def usage_of(response: Response, decision: Decision, warnings: list[str]) -> Usage:
    """Return an answer's usage, estimated from the texts where the provider reported none.

    Or none that can be, of which a warning tells.
    """
    usage = response.usage
    if not believable(usage):
        warnings.append("the provider reported more tokens than any call uses; they are estimated")
        usage = Usage(estimated=True)
    if not usage.estimated or usage.input or usage.output:
        return usage
    calls = "".join(call.name + call.arguments for call in response.tool_calls)
    said = (response.text or "") + (response.reasoning or "") + calls
    prompt: int = decision.facts["tokens"]
    return replace(usage, input=prompt, output=round(estimate_tokens(said)))


def partial_usage(
    reported: Usage | None, said: str, decision: Decision, target: Target, *, least: int = 0
) -> Usage:
    """Return what a call that did not end used: what was reported, and at least what was said.

    `least` is what it generated at least, in tokens.
    """
    output = max(round(estimate_tokens(said)), least)
    if reported is not None and reported.output >= output:
        return reported
    if reported is not None:
        return replace(reported, output=output, estimated=True)
    return Usage(input=decision.tokens(target), output=output, estimated=True)


def charge(
    target: Target, usage: Usage, decision: Decision, *, partly: bool, warnings: list[str]
) -> int | None:
    """Return nano-dollars; None where the price was unknown when the decision was made.

    Also None, with a warning, where the answer does not say enough for a price; `partly`: the
    provider reported some of the counts.
    """
    price = target.price
    if price is None or decision.estimate(target).cost is None:
        return None
    if partly and not price.free:
        warnings.append("the cost is unknown: the provider reported its usage in part")
        return None
    unknown = f"the cost is unknown: {target.id} has no price for"
    warnings += [f"{unknown} {what}" for what in price.unpriced(usage)]
    return price.charge(usage)
