"""What hard budgets leave, from the ledger's figures, as decisions read it."""

from __future__ import annotations

from datetime import datetime, tzinfo

from llmroute.ledger.ledger import Ledger
from llmroute.policy.scoring.standing import Allowance

__all__ = ["allowances"]


def allowances(ledger: Ledger, zone: tzinfo) -> tuple[Allowance, ...]:
    """Return what is left of each hard budget, and until when in a time zone."""
    left = ledger.allowances()
    return tuple(
        Allowance(
            budget.name,
            left[budget.name].left,
            datetime.fromtimestamp(left[budget.name].until, zone),
            tag=budget.tag,
            caller=budget.caller,
            policy=budget.policy,
            provider=budget.provider,
            target=budget.target,
        )
        for budget in ledger.budgets
        if budget.hard
    )
