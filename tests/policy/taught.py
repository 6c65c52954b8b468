"""What earlier answers may have taught of a target: corrections of its estimates."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.policy.scoring.live import LiveFacts, Output

__all__ = ["FACTORS", "taught"]

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


def taught(facts: LiveFacts) -> LiveFacts:
    """Return facts with corrections, chosen by their own figures.

    Nothing is drawn, so that tests which count outcomes over seeds keep theirs.
    """
    number = round(1000 * (facts.first_token + facts.success)) + facts.in_flight
    outputs = OUTPUTS[number // len(FACTORS) % len(OUTPUTS)]
    return facts._replace(token_factor=FACTORS[number % len(FACTORS)], outputs=outputs)
