"""What every request on its way shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from llmroute.adapter.adapter import Adapter
from llmroute.catalog.model import Auth
from llmroute.dispatch.gates import Gates
from llmroute.dispatch.health.health import Health
from llmroute.dispatch.health.retries import RetryBudget
from llmroute.dispatch.hedges import HedgeCount
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.dispatch.underway import Underway
from llmroute.ledger.ledger import Ledger

__all__ = ["Services"]


def _ignore(_provider: str, _auth: Auth) -> None:
    """Take no note of an exchanged credential."""


def _off() -> Ledger:
    return Ledger(None)


@dataclass(frozen=True, slots=True)
class Services:
    """Who is called through, what is known of targets, and who keeps count of what.

    All of it may be used from several threads and event loops. `ledger` gives the present one, to
    be kept for the whole of a request. `on_rotated` takes a provider's name and the credential
    that has replaced a refused one.
    """

    adapter: Adapter
    live: LiveState
    health: Health
    pace: Pace
    ledger: Callable[[], Ledger] = _off
    gates: Gates = field(default_factory=Gates)
    retries: RetryBudget = field(default_factory=RetryBudget)
    hedges: HedgeCount = field(default_factory=HedgeCount)
    underway: Underway = field(default_factory=Underway)
    on_rotated: Callable[[str, Auth], None] = _ignore
