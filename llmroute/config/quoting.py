"""Expressions that YAML does not read as text unless they are quoted.

JMESPath uses characters that mean something else to YAML: `!` is a tag, `[` and `{` open
collections, a backtick and `@` are reserved, `*` and `&` make aliases. Where a file holds an
expression, such a value is recognised by its place, and the finding shows it quoted.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmroute.config.scalars import quoted

__all__ = [
    "QUOTE_REASONS",
    "is_expression_place",
    "opens_flow",
    "quote_help",
    "quote_message",
    "segment_end",
]

#: What YAML makes of the first character, or of the first and the space behind it.
QUOTE_REASONS = {
    "!": "YAML reads `!` as the start of a tag",
    "`": "YAML reserves the backtick",
    "@": "YAML reserves `@`",
    "%": "YAML reserves `%`",
    "[": "YAML reads `[` as the start of a list",
    "{": "YAML reads `{` as the start of a map",
    "*": "YAML reads `*` as an alias",
    "&": "YAML reads `&` as an anchor",
    "|": "YAML reads `|` as the start of text on the lines below",
    ">": "YAML reads `>` as the start of text on the lines below",
    "- ": "YAML reads `- ` as the start of a list's item",
    "? ": "YAML reads `? ` as the start of a key",
    ",": "YAML keeps `,` for what stands between brackets",
    "]": "YAML keeps `]` for the end of a list",
    "}": "YAML keeps `}` for the end of a map",
    "'": "YAML ends the text at the closing quote",
    '"': "YAML ends the text at the closing quote",
}
_PLACES = {"require": ("when", "target"), "rules": ("when", "target", "prefer")}
_SHOWN = 120


def is_expression_place(path: Sequence[str | int | None]) -> bool:
    """Whether a data path is one where policies and workspaces hold an expression."""
    match path:
        case ["let", str()]:
            return True
        case [str() as section, int(), str() as key]:
            return key in _PLACES.get(section, ())
        case _:
            return False


def opens_flow(before: str) -> bool:
    """Whether a `[` or `{` is still open at the end of the part of a line before a value."""
    depth, quote, last = 0, "", " "
    for char in before:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and last in " \t[{,:":
            quote = char
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth = max(depth - 1, 0)
        last = char
    return depth > 0


def segment_end(line: str, start: int, *, in_flow: bool) -> int:
    """Return where the expression that starts at a 0-based offset ends on its line.

    It ends before a comment, and inside `{…}` or `[…]` before the comma or bracket that YAML
    would end it at, but not within its own quotes and brackets.
    """
    depth, quote, end = 0, "", start
    while end < len(line):
        char = line[end]
        if quote:
            end += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif _ends(line, end, depth, in_flow=in_flow):
            break
        else:
            depth += (char in "([{") - (char in ")]}")
        end += 1
    return start + max(len(line[start:end].rstrip()), 1)


def _ends(line: str, at: int, depth: int, *, in_flow: bool) -> bool:
    if line[at] == "#":
        return at > 0 and line[at - 1] in " \t"
    return in_flow and depth <= 0 and line[at] in ",]}"


def quote_message(text: str, *, expression: bool) -> str:
    """Say why a value must be quoted."""
    reason = QUOTE_REASONS.get(text[:1]) or QUOTE_REASONS.get(f"{text} "[:2])
    what = "an expression" if expression else "text"
    if reason:
        return f"{what} that begins with {_named(text[0])} must be quoted: {reason}"
    if ": " in text or text.endswith(":"):
        return f"{what} that holds `: ` must be quoted: YAML reads it as a key and a value"
    return f"{what} inside {{…}} or […] must be quoted where it holds a comma or bracket"


def _named(char: str) -> str:
    return {"`": "a backtick", "'": "a quote", '"': "a quote"}.get(char, f"`{char}`")


def quote_help(text: str, key: str | int | None) -> str:
    """Show the value quoted, with its key."""
    shown = quoted(text)
    prefix = f"{key}: " if isinstance(key, str) else ""
    if len(shown) > _SHOWN:
        mark = shown[0]
        return f"put the whole value in quotes: {prefix}{shown[: _SHOWN - 1]}…{mark}"
    return f"write {prefix}{shown}"
