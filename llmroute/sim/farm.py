"""All five providers at once, and the environment that points a workspace at them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from llmroute.sim.dialects import KINDS
from llmroute.sim.script import Pace
from llmroute.sim.sim import Loop, Sim
from llmroute.sim.stand_in import ClaudeStandIn

__all__ = ["SimFarm", "run", "simulate"]

#: Everything that a farm can hold.
ALL_KINDS = (*KINDS, "claude")

_KEY = "sim"
_KEYED = ("anthropic", "openai")


class SimFarm:
    """Simulated providers that share one thread; a context manager.

    `kinds` are those to start (all five by default), `ports` their ports by kind (free ones by
    default), `pace` how fast they answer. `openai` and `anthropic` demand the key `sim`.
    `options` are further arguments of `Sim`, by kind.
    """

    def __init__(
        self,
        kinds: Iterable[str] = ALL_KINDS,
        *,
        ports: Mapping[str, int] | None = None,
        pace: Pace | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._kinds = tuple(kinds)
        unknown = sorted(set(self._kinds) - set(ALL_KINDS))
        if unknown:
            known = ", ".join(ALL_KINDS)
            raise ValueError(f"no simulator of kind {unknown[0]!r}; there are {known}")
        self._ports = ports or {}
        self._pace = pace
        self._options = options or {}
        self._loop: Loop | None = None
        self.servers: dict[str, Sim] = {}
        self._claude: ClaudeStandIn | None = None

    def start(self) -> Self:
        """Start every provider.

        Raises:
            OSError: a port is taken; nothing is left running.

        """
        self._loop = Loop()
        try:
            for kind in self._kinds:
                self._start(kind)
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, kind: str) -> None:
        if kind == "claude":
            self._claude = ClaudeStandIn(pace=self._pace).start()
            return
        named = {"key": _KEY if kind in _KEYED else None, **self._options.get(kind, {})}
        port = self._ports.get(kind, 0)
        made = Sim(kind, port=port, pace=self._pace, loop=self._loop, **named)
        self.servers[kind] = made.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every provider."""
        for server in self.servers.values():
            server.close()
        if self._claude is not None:
            self._claude.close()
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def __getitem__(self, kind: str) -> Sim:
        return self.servers[kind]

    @property
    def openai(self) -> Sim:
        """The OpenAI server."""
        return self.servers["openai"]

    @property
    def anthropic(self) -> Sim:
        """The Anthropic server."""
        return self.servers["anthropic"]

    @property
    def ollama(self) -> Sim:
        """The Ollama server."""
        return self.servers["ollama"]

    @property
    def lm_studio(self) -> Sim:
        """The LM Studio server."""
        return self.servers["lm_studio"]

    @property
    def claude(self) -> ClaudeStandIn:
        """The stand-in for the `claude` program.

        Raises:
            KeyError: the farm has none.

        """
        if self._claude is None:
            raise KeyError("claude")
        return self._claude

    def environment(self, path: str = os.defpath) -> dict[str, str]:
        """Return the variables that point a workspace at these providers.

        `path` is what stands behind the stand-in's folder in `PATH`. `OPENAI_BASE_URL`
        ends in `/v1`, the others have no path.
        """
        made: dict[str, str] = {}
        for kind, server in self.servers.items():
            made |= _VARIABLES[kind](server.url)
        if self._claude is not None:
            made["PATH"] = f"{self._claude.folder}{os.pathsep}{path}"
        return made


_VARIABLES: Mapping[str, Callable[[str], dict[str, str]]] = {
    "anthropic": lambda url: {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": _KEY},
    "lm_studio": lambda url: {"LM_STUDIO_URL": url},
    "ollama": lambda url: {"OLLAMA_HOST": url},
    "openai": lambda url: {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": _KEY},
}


def simulate(*kinds: str, pace: Pace | None = None) -> SimFarm:
    """Make a farm of `kinds`, or of all five; start it with `with` or `start()`."""
    return SimFarm(kinds or ALL_KINDS, pace=pace)


def run(
    kinds: Iterable[str] = ALL_KINDS,
    ports: Mapping[str, int] | None = None,
    stop_event: threading.Event | None = None,
    say: Callable[[str], None] = print,
    pace: Pace | None = None,
) -> None:
    """Run providers until `stop_event` is set (or, without one, until interrupted).

    `say` gets one line per environment variable, in the form that a shell reads.
    """
    import shlex

    event = stop_event or threading.Event()
    with SimFarm(kinds, ports=ports, pace=pace) as farm:
        for name, value in farm.environment("$PATH").items():
            quoted = f'"{value}"' if name == "PATH" else shlex.quote(value)
            say(f"export {name}={quoted}")
        event.wait()
