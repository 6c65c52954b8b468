"""The protocols that the simulators speak, one file each."""

from __future__ import annotations

from llmroute.sim.dialects.base import Dialect, Settings

__all__ = ["FOREIGN", "KINDS", "dialect_of"]

#: The kinds of HTTP servers that the shipped providers call.
KINDS = ("anthropic", "lm_studio", "ollama", "openai")
#: Servers that the shipped providers do not call: the protocols declared in YAML do.
FOREIGN = ("cohere", "gemini", "tgi")


def dialect_of(kind: str, settings: Settings) -> Dialect:
    """Build the dialect of a kind.

    Raises:
        ValueError: there is no such kind.

    """
    if kind not in (*KINDS, *FOREIGN):
        every = ", ".join(sorted((*KINDS, *FOREIGN)))
        raise ValueError(f"no simulator of kind {kind!r}; there are {every}")
    from llmroute.sim.dialects.anthropic import Anthropic
    from llmroute.sim.dialects.cohere import Cohere
    from llmroute.sim.dialects.gemini import Gemini
    from llmroute.sim.dialects.lm_studio import LMStudio
    from llmroute.sim.dialects.ollama import Ollama
    from llmroute.sim.dialects.openai import OpenAI
    from llmroute.sim.dialects.tgi import TGI

    made: dict[str, type[Dialect]] = {
        one.kind: one for one in (Anthropic, Cohere, Gemini, LMStudio, Ollama, OpenAI, TGI)
    }
    return made[kind](settings)
