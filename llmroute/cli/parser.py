"""Argument parsing with the options that every command has, and with suggestions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, NoReturn

from llmroute import __version__
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError

__all__ = ["Commands", "Parser", "Run", "parse"]

#: Carries a command out and returns the exit code.
Run = Callable[[argparse.Namespace], int]


#: What an option's value has to be, in words.
_KINDS: Mapping[Any, str] = {int: "whole number", float: "number"}
#: Options that other programs have, and what does the same here.
_MEANT = {"--model": "--target", "--provider": "--target"}


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help whose lines are not broken inside words such as `openai-compatible`."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError`, and that suggests what was meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": _Help, **options})

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `UsageError`."""
        raise UsageError(f"{message}; see `{self.prog} --help`")

    def unknown(self, argument: str) -> NoReturn:
        """Refuse an argument that no option and no position takes."""
        if not argument.startswith("-"):
            self.error(f"unexpected argument {argument!r}; put text of several words in quotes")
        name = argument.partition("=")[0]
        meant = _MEANT.get(name)
        known = meant in self._option_string_actions
        hint = f'did you mean "{meant}"?' if known else None
        hint = hint or did_you_mean(name, self._option_string_actions)
        self.error(f"unknown option {name}" + (f"; {hint}" if hint else ""))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        hint = did_you_mean(str(value), known) or f"choose from {', '.join(known)}"
        if action.dest == "command":
            raise argparse.ArgumentError(None, f"there is no command {str(value)!r}; {hint}")
        raise argparse.ArgumentError(action, f"there is no {str(value)!r}; {hint}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as exc:
            kind = _KINDS.get(action.type)
            if kind is None:
                raise
            raise argparse.ArgumentError(action, f"{arg_string!r} is no {kind}") from exc


class Commands:
    """The commands of the program, to which each command's file adds its own."""

    def __init__(self, program: Parser) -> None:
        self._subparsers = program.add_subparsers(
            title="commands", metavar="COMMAND", dest="command"
        )
        self._common = common_options()

    def add(self, name: str, run: Run, purpose: str, examples: Iterable[str] = ()) -> Parser:
        """Add a command: `purpose` is one line, `examples` are shown below its help."""
        lines = "\n".join(f"  {example}".rstrip() for example in examples)
        parser: Parser = self._subparsers.add_parser(
            name,
            parents=[self._common],
            help=purpose[0].lower() + purpose[1:],
            description=f"{purpose}.",
            epilog=f"examples:\n{lines}" if lines else None,
        )
        parser.set_defaults(run=run, parser=parser)
        return parser


def common_options() -> Parser:
    """Return the options that stand before or behind the command's name alike."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("common options")
    group.add_argument("--config", metavar="DIR", help="the workspace's folder")
    group.add_argument("--json", action="store_true", help="print JSON on stdout")
    group.add_argument("--debug", action="store_true", help="show the traceback of a bug")
    return parser


def parse(
    arguments: Sequence[str] | None, add: Iterable[Callable[[Commands], None]]
) -> argparse.Namespace:
    """Parse the arguments of the program (`sys.argv` without any).

    Raises:
        UsageError: they cannot be meant; the message suggests what to write.
        SystemExit: help or the version was asked for, or there is no command, and it or help has
            been printed.

    """
    program = _program()
    commands = Commands(program)
    for add_command in add:
        add_command(commands)
    defaults = argparse.Namespace(config=None, json=False, debug=False)
    parsed, extra = program.parse_known_args(arguments, defaults)
    if parsed.command is None and not extra:
        program.print_help(sys.stderr)
        raise SystemExit(2)
    if extra:
        owner: Parser = parsed.parser if parsed.command else program
        owner.unknown(extra[0])
    return parsed


def _program() -> Parser:
    program = Parser(
        prog="llmroute",
        description="Route LLM calls by policies that you can read, check and explain.",
        epilog="The workspace is --config DIR, else the nearest folder upwards with providers.d/, "
        "else\nthe user's configuration folder, else the files that come with llmroute.\n"
        "Exit codes: 0 fine, 1 findings or failed, 2 wrong usage, 3 broken files or a bug,\n"
        "4 not decided (prove).",
        parents=[common_options()],
    )
    program.add_argument("--version", action="version", version=f"llmroute {__version__}")
    return program
