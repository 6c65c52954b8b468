"""What was measured of a target: the interface that policies read, and its priors.

The dispatch room measures; this room only reads. Without any measurement a target has its
priors: what its provider file expects, else what is usual for its locality.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from llmroute.catalog.model import Target
from llmroute.types import Request

__all__ = ["PRIORS", "LiveFacts", "LiveView", "Output", "Prior", "Priors", "prior_of"]


class Prior(NamedTuple):
    """Seconds to the first token, tokens a second, share of calls that succeed."""

    first_token: float
    tokens_per_second: float
    success: float


_NOTHING: Mapping[str, int] = MappingProxyType({})

#: What is assumed of a target by its locality until calls were measured.
PRIORS: Mapping[str, Prior] = {
    "local": Prior(first_token=0.5, tokens_per_second=30.0, success=0.98),
    "cloud": Prior(first_token=1.0, tokens_per_second=60.0, success=0.98),
}


class Output(NamedTuple):
    """How long answers to one task are: their usual length in tokens, learned from how many."""

    tokens: int
    answers: int


class LiveFacts(NamedTuple):
    """The `live` root of one target; `measured` is false while only priors speak.

    `token_factor` corrects the estimate of a prompt's tokens by what earlier answers counted, and
    `outputs` holds their length by task. Both are no fields of the root: expressions read them in
    `estimate`.
    """

    first_token: float
    tokens_per_second: float
    success: float
    headroom: float = 1.0
    in_flight: int = 0
    loaded: bool | None = None
    measured: bool = False
    observations: float = 0.0
    token_factor: float = 1.0
    outputs: Mapping[str, Output] = MappingProxyType({})

    @property
    def view(self) -> dict[str, Any]:
        """The plain data that expressions read."""
        return {
            "first_token": self.first_token,
            "tokens_per_second": self.tokens_per_second,
            "success": self.success,
            "headroom": self.headroom,
            "in_flight": self.in_flight,
            "loaded": self.loaded,
        }


class LiveView(Protocol):
    """Read access to live state.

    A reader may keep what `of` returned until `version` changes, and then asks `changed` what to
    read again.
    """

    @property
    def version(self) -> int:
        """A number that changes whenever `of` may answer otherwise than before."""
        ...

    def changed(self, since: int) -> Collection[str] | None:
        """Return the ids of the targets that changed after a version; None: any may have."""
        ...

    def of(self, target: Target) -> LiveFacts:
        """Return what is known of a target."""
        ...

    def load(self, target: Target) -> float:
        """Return the peak-EWMA latency × (calls in flight + 1), for choosing among near ties."""
        ...

    def affinity(self, request: Request) -> str | None:
        """Return the id of the target that last served this conversation, if its cache counts."""
        ...

    def cached(self, request: Request) -> Mapping[str, int]:
        """Return the tokens of this conversation that targets should have cached, by target id."""
        ...


def prior_of(target: Target) -> Prior:
    """Return a target's priors: `expected` of its file, else the usual ones of its locality."""
    usual, expected = PRIORS[target.locality], target.expected
    first, speed = expected.first_token, expected.tokens_per_second
    return Prior(
        usual.first_token if first is None else first,
        usual.tokens_per_second if speed is None else speed,
        usual.success,
    )


class Priors:
    """A live view that has measured nothing."""

    version = 0

    def changed(self, since: int) -> Collection[str] | None:  # noqa: ARG002 - the view's signature
        """Return nothing: priors do not change."""
        return ()

    def load(self, target: Target) -> float:
        """Return the prior of the time to the first token: nothing is in flight."""
        return self.of(target).first_token

    def of(self, target: Target) -> LiveFacts:
        """Return the target's priors."""
        prior = prior_of(target)
        return LiveFacts(
            prior.first_token, prior.tokens_per_second, prior.success, loaded=target.loaded
        )

    def affinity(self, request: Request) -> str | None:  # noqa: ARG002 - the view's signature
        """Return None: nothing was served yet."""
        return None

    def cached(self, request: Request) -> Mapping[str, int]:  # noqa: ARG002 - the view's signature
        """Return nothing: no target is known to have anything cached."""
        return _NOTHING
