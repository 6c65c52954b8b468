"""The command line of Claude Code 2.1.330, as far as its print mode goes.

Options are read as the real program reads them: an unknown one, a missing value and a value
outside the choices are errors on stderr with exit code 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

__all__ = ["CommandError", "Options", "parse"]

_Arity = Literal["flag", "one", "many", "optional"]

_FLAGS = """allow-dangerously-skip-permissions ax-screen-reader bare brief chrome continue
dangerously-skip-permissions disable-slash-commands exclude-dynamic-system-prompt-sections
fork-session forward-subagent-text help ide include-hook-events include-partial-messages
no-chrome no-session-persistence print replay-user-messages restricted safe-mode
strict-mcp-config verbose version"""
_ONE = {
    "agent": "agent",
    "agents": "json-or-file",
    "append-system-prompt": "prompt",
    "append-system-prompt-file": "file",
    "autocompact": "auto|tokens",
    "debug-file": "path",
    "effort": "level",
    "fallback-model": "model",
    "input-format": "format",
    "json-schema": "schema",
    "max-budget-usd": "amount",
    "max-turns": "turns",
    "model": "model",
    "name": "name",
    "output-format": "format",
    "permission-mode": "mode",
    "permission-prompts": "target",
    "plugin-dir": "path",
    "plugin-url": "url",
    "session-id": "uuid",
    "setting-sources": "sources",
    "settings": "file-or-json",
    "system-prompt": "prompt",
    "system-prompt-file": "file",
    "system-prompt-snapshot": "on|off",
}
_MANY = {
    "add-dir": "directories",
    "allowed-tools": "tools",
    "allowedTools": "tools",
    "betas": "betas",
    "disallowed-tools": "tools",
    "disallowedTools": "tools",
    "file": "specs",
    "mcp-config": "configs",
    "tools": "tools",
}
_OPTIONAL = ("debug", "from-pr", "prompt-suggestions", "resume")
_SHORT = {"-c": "--continue", "-d": "--debug", "-h": "--help", "-n": "--name", "-p": "--print"}
_SHORT |= {"-r": "--resume", "-v": "--version"}
_CHOICES = {
    "input-format": ("text", "stream-json"),
    "output-format": ("text", "json", "stream-json"),
    "permission-mode": (
        "acceptEdits",
        "auto",
        "bypassPermissions",
        "manual",
        "dontAsk",
        "plan",
        "default",
    ),
    "permission-prompts": ("host", "none"),
}
_ARITY: Mapping[str, _Arity] = {
    **dict.fromkeys(_FLAGS.split(), "flag"),
    **dict.fromkeys(_ONE, "one"),
    **dict.fromkeys(_MANY, "many"),
    **dict.fromkeys(_OPTIONAL, "optional"),
}


class CommandError(Exception):
    """The command line is wrong; the text goes to stderr and the exit code is 1."""


@dataclass(slots=True)
class Options:
    """What was asked for on the command line; `values` holds the last value of each option."""

    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    prompt: str | None = None

    @property
    def output(self) -> str:
        """Return `text`, `json` or `stream-json`."""
        return self.values.get("output-format", "text")

    @property
    def input(self) -> str:
        """Return `text` or `stream-json`."""
        return self.values.get("input-format", "text")

    @property
    def partial(self) -> bool:
        """Whether the pieces of the answer are wanted as they come."""
        return "include-partial-messages" in self.flags


def parse(arguments: Sequence[str]) -> Options:
    """Read a command line.

    Raises:
        CommandError: as the real program says it.

    """
    options, rest = Options(), list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            options.prompt = rest[0] if rest else options.prompt
            break
        if not word.startswith("-") or word == "-":
            options.prompt = word if options.prompt is None else options.prompt
            continue
        _option(word, rest, options)
    _agree(options)
    return options


def _option(word: str, rest: list[str], options: Options) -> None:
    name, joined, value = _SHORT.get(word, word).partition("=")
    name = name.removeprefix("--")
    arity = _ARITY.get(name) if name != word else None
    if arity is None:
        raise CommandError(f"error: unknown option '{word}'{_suggestion(word)}")
    if joined:
        rest.insert(0, value)
    if arity == "flag":
        options.flags.add(name)
    elif arity == "optional":
        options.flags.add(name)
        if rest and not rest[0].startswith("-"):
            options.values[name] = rest.pop(0)
    else:
        options.values[name] = _value(name, rest, many=arity == "many")


def _value(name: str, rest: list[str], *, many: bool) -> str:
    shown = f"--{name} <{_MANY[name]}...>" if many else f"--{name} <{_ONE[name]}>"
    if not rest:
        raise CommandError(f"error: option '{shown}' argument missing")
    value = rest.pop(0)
    while many and rest and not rest[0].startswith("-"):
        value += "," + rest.pop(0)
    allowed = _CHOICES.get(name)
    if allowed and value not in allowed:
        raise CommandError(
            f"error: option '{shown}' argument '{value}' is invalid. Allowed choices are "
            f"{', '.join(allowed)}."
        )
    return value


def _suggestion(word: str) -> str:
    close = get_close_matches(word, [f"--{name}" for name in _ARITY], n=1, cutoff=0.8)
    return f"\n(Did you mean {close[0]}?)" if close else ""


def _agree(options: Options) -> None:
    """Check what options demand of each other."""
    if {"version", "help"} & options.flags:
        return
    if "print" not in options.flags:
        raise CommandError("Error: this stand-in has only the print mode; give -p")
    if options.partial and options.output != "stream-json":
        raise CommandError(
            "Error: --include-partial-messages requires --print and --output-format=stream-json."
        )
    if options.input == "stream-json" and options.output != "stream-json":
        raise CommandError("Error: --input-format=stream-json requires output-format=stream-json.")
    if options.output == "stream-json" and "verbose" not in options.flags:
        raise CommandError(
            "Error: When using --print, --output-format=stream-json requires --verbose"
        )
