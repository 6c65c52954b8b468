"""The router's ledger, as decisions read it and reloads replace it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from weakref import WeakSet

from llmroute.config.workspace import Workspace
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.settings import ledger_settings, open_ledger
from llmroute.policy.scoring.standing import Allowance

__all__ = ["Ledgers"]

#: Seconds that the first decision waits to learn what budgets have spent.
_LOOK = 2.0


class Ledgers:
    """The present ledger, and those of before a reload, as long as calls still end in them."""

    def __init__(self, workspace: Workspace, ledger: Ledger | None = None) -> None:
        self._settings = ledger_settings(workspace)
        self._retired: WeakSet[Ledger] = WeakSet()
        self._looked = False
        self.present = ledger or open_ledger(workspace)

    def change(self, workspace: Workspace) -> None:
        """Go on with another ledger where the workspace's settings of it changed."""
        settings = ledger_settings(workspace)
        if settings != self._settings:
            self._retired.add(self.present)
            self._settings, self._looked = settings, False
            self.present = open_ledger(workspace)

    async def looked(self) -> None:
        """Wait for what budgets have spent as a first decision does, off the event loop."""
        ledger = self.present
        if ledger.budgets and not self._looked:
            await ledger.look().within(_LOOK)
            self._looked = ledger is self.present

    def budgets(self, zone: tzinfo) -> tuple[Mapping[str, float], tuple[Allowance, ...]]:
        """Return the spent share of each budget, and what each hard one leaves until when."""
        ledger = self.present
        if not ledger.budgets:
            return {}, ()
        if not self._looked:
            ledger.look().wait(_LOOK)
            self._looked = True
        left = ledger.allowances()
        allowances = tuple(
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
        return ledger.shares(), allowances

    def end(self) -> None:
        """Let them all write what waits, and close; does not wait for it."""
        for ledger in (*self._retired, self.present):
            ledger.end()

    def close(self) -> None:
        """Write what waits, and close them all."""
        for ledger in (*self._retired, self.present):
            ledger.close()
