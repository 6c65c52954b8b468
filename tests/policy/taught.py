"""What earlier calls may have told of targets: figures, corrections, cached prompts."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from llmroute.policy.scoring.live import LiveFacts, Output

__all__ = ["FACTORS", "caches", "measured", "taught"]

#: Corrections of token counts, the usual absence of one several times.
FACTORS = (1.0, 1.0, 1.0, 0.5, 0.9375, 1.0625, 1.25, 2.0)
#: Lengths of answers that were learned by task, the usual absence of any several times.
OUTPUTS: tuple[Mapping[str, Output], ...] = (
    {},
    {},
    {"code": Output(16, 5), "chat": Output(724, 12)},
    {"chat": Output(91, 32), "math": Output(5793, 32), "poetry": Output(500, 1)},
    {"chat": Output(2048, 7), "code": Output(2000, 3)},
)


def measured(rng: Random) -> LiveFacts:
    facts = LiveFacts(
        first_token=rng.choice((0.0, 0.4, 2.0, rng.random() * 5)),
        tokens_per_second=rng.choice((0.0, 55.5, 120.0)),
        success=rng.choice((0.0, 0.98, 1.0, rng.random())),
        headroom=rng.choice((0.0, 0.25, 1.0)),
        in_flight=rng.choice((0, 2, 9)),
        loaded=rng.choice((None, True, False)),
        measured=rng.random() < 0.8,
        observations=rng.choice((0.0, 5.0, 80.0)),
    )
    return taught(facts)


def taught(facts: LiveFacts) -> LiveFacts:
    """Return facts with corrections, chosen by their own figures.

    Nothing is drawn, so that tests which count outcomes over seeds keep theirs.
    """
    number = round(1000 * (facts.first_token + facts.success)) + facts.in_flight
    outputs = OUTPUTS[number // len(FACTORS) % len(OUTPUTS)]
    return facts._replace(token_factor=FACTORS[number % len(FACTORS)], outputs=outputs)


def caches(loads: Mapping[str, float]) -> dict[str, int]:
    """Return the tokens that targets have cached: of some by their load, and of most none."""
    numbers = {name: round(1000 * load) for name, load in loads.items()}
    return {name: number % 1500 for name, number in numbers.items() if number % 3 == 1}
