"""What is documented of each rule: those of loading in tables, the others in their modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from inspect import cleandoc
from textwrap import dedent
from typing import NamedTuple

from llmroute.config.diagnostics import Severity, did_you_mean
from llmroute.errors import UsageError
from llmroute.lint.registry import docstring, rules

__all__ = ["Page", "page", "pages", "parse", "purposes", "to_text"]

_SECTION = re.compile(r"^(Wrong|Right|Why):[ \t]*", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*\n?", re.MULTILINE)


class Page(NamedTuple):
    """The documentation of one rule; `more` are paragraphs behind the first line."""

    rule: str
    severity: Severity
    what: str
    more: str
    wrong: str
    right: str
    why: str


@cache
def pages() -> Mapping[str, Page]:
    """Return the documentation of every rule, by name."""
    from llmroute.lint.pages import LOADING

    found = {name: parse(name, severity, text) for name, (severity, text) in LOADING.items()}
    for rule in rules():
        found[rule.name] = parse(rule.name, rule.severity, docstring(rule.name) or "")
    return dict(sorted(found.items()))


def page(rule: str) -> Page:
    """Return the documentation of one rule.

    Raises:
        UsageError: there is no such rule; the message suggests one.

    """
    found = pages()
    if rule not in found:
        hint = did_you_mean(rule, found) or "`llmroute lint --rules` lists them"
        raise UsageError(f'there is no rule "{rule}"; {hint}')
    return found[rule]


def purposes() -> Mapping[str, str]:
    """Return every rule with what it finds in one line, by name."""
    return {name: _lowered(item.what) for name, item in pages().items()}


def _lowered(text: str) -> str:
    line = text.removesuffix(".")
    return line if line[1:2].isupper() else line[:1].lower() + line[1:]


def parse(rule: str, severity: Severity, text: str) -> Page:
    """Read a documentation text: its first line, and the sections Wrong, Right and Why."""
    head, *rest = _SECTION.split(cleandoc(text))
    what, _, more = head.strip().partition("\n")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    wrong, right = (_block(sections.get(name, "")) for name in ("Wrong", "Right"))
    why = "\n".join(line.strip() for line in sections.get("Why", "").strip().splitlines())
    return Page(rule, severity, what, more.strip(), wrong, right, why)


def _block(text: str) -> str:
    plain = dedent(_FENCE.sub("", text)).strip("\n")
    return dedent(plain).rstrip() + "\n" if plain.strip() else ""


def to_text(item: Page) -> str:
    """Return the documentation as plain text for a terminal."""
    parts = [f"{item.rule} ({item.severity})", item.what]
    parts += [item.more] if item.more else []
    for title, block in (("Wrong:", item.wrong), ("Right:", item.right)):
        if block:
            indented = "".join(f"    {line}".rstrip() + "\n" for line in block.splitlines())
            parts.append(f"{title}\n\n{indented}".rstrip("\n"))
    if item.why:
        parts.append(f"Why: {item.why}")
    return "\n\n".join(parts)
