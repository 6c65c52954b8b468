"""The protocols that the simulators speak, one file each."""

from __future__ import annotations

from llmroute.sim.dialects.base import Dialect, Settings

__all__ = ["KINDS", "dialect_of"]

#: Every kind of HTTP server that can be simulated.
KINDS = ("anthropic", "lm_studio", "ollama", "openai")


def dialect_of(kind: str, settings: Settings) -> Dialect:
    """Build the dialect of a kind.

    Raises:
        ValueError: there is no such kind.

    """
    if kind not in KINDS:
        raise ValueError(f"no simulator of kind {kind!r}; there are {', '.join(KINDS)}")
    from llmroute.sim.dialects.anthropic import Anthropic
    from llmroute.sim.dialects.lm_studio import LMStudio
    from llmroute.sim.dialects.ollama import Ollama
    from llmroute.sim.dialects.openai import OpenAI

    made: dict[str, type[Dialect]] = {
        one.kind: one for one in (Anthropic, LMStudio, Ollama, OpenAI)
    }
    return made[kind](settings)
