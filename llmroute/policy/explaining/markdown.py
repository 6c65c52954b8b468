"""A decision as Markdown: tables for a pull request, an issue or a report.

The dialect is GitHub's. Texts from outside are escaped: they make no cell, line, link, emphasis
or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from llmroute.policy.engine.decision import Decision, Ranked
from llmroute.policy.explaining.explanation import Explanation, tokens_out, usd
from llmroute.policy.explaining.wording import (
    Outside,
    Sentence,
    clean,
    format_points,
    format_weight,
    signed,
)
from llmroute.policy.scoring.rules import Contribution

__all__ = ["markdown"]

_SPECIAL = re.compile(r"[\\`*_{}\[\]|~#]|\$(?!\d)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown(decision: Decision) -> str:
    """Return the whole explanation as Markdown, ending without a line break."""
    return "\n".join(_lines(Explanation(decision)))


def _lines(told: Explanation) -> Iterator[str]:
    yield f"### {_sentence(told.headline())}"
    yield ""
    yield f"Policy {_text(told.decision.policy)}; {_text(told.facts())}."
    decided = told.decided()
    if decided:
        yield ""
        yield f"{_capital(_sentence(decided))}."
    yield from _points(told)
    yield from _outlook(told)
    yield from _others(told)
    yield from _behind(told)
    yield from _rejected(told)
    yield from _notes(told)


def _points(told: Explanation) -> Iterator[str]:
    if not told.itemised:
        return
    items, pair = told.itemised, told.pair
    rules = {c.rule: None for item in items for c in item.contributions}
    ahead = ["ahead"] if pair else []
    yield from _head("", ["rule", *(_text(item.target.id) for item in items), *ahead], right=1)
    for rule in rules:
        gap = [signed(pair.difference(rule))] if pair else []
        yield _row([_text(rule), *(_cell(item, rule) for item in items), *gap])
    total = [f"**{signed(pair.margin)}**"] if pair else []
    yield _row(["**score**", *(f"**{format_points(i.score)}**" for i in items), *total])
    yield _row(["estimate", *(_estimate(item) for item in items), *[""] * len(ahead)])


def _cell(item: Ranked, rule: str) -> str:
    made = next((c for c in item.contributions if c.rule == rule), None)
    return _product(made) if made else "–"


def _product(item: Contribution) -> str:
    note = f" ({_text(item.note)})" if item.note else ""
    product = f"{format_weight(item.weight)} × {format_points(item.value)}"
    return f"{format_points(item.points)} = {product}{note}"


def _estimate(item: Ranked) -> str:
    cached = f" ({item.estimate.cached:,} from its cache)" if item.estimate.cached else ""
    return f"{usd(item)}, {item.estimate.tokens_in:,} tokens in{cached}, {tokens_out(item)}"


def _outlook(told: Explanation) -> Iterator[str]:
    outlook = told.outlook()
    if outlook is None:
        return
    yield ""
    yield _capital(_sentence(outlook)) + (":" if told.changes else ".")
    if told.changes:
        yield ""
    yield from (f"- {_sentence(change.told())}" for change in told.changes)


def _others(told: Explanation) -> Iterator[str]:
    if told.others:
        yield from _head("Then", ["place", "target", "points", "estimated cost"])
    for place, item in enumerate(told.others, start=len(told.itemised) + 1):
        yield _row([str(place), _text(item.target.id), format_points(item.score), usd(item)])
    if told.more:
        yield ""
        yield f"And {told.more} more."


def _behind(told: Explanation) -> Iterator[str]:
    if told.behind:
        yield from _head("After the others, whatever their points", ["target", "why"])
    yield from (_row([_text(target), _text(why)]) for target, why in told.behind)


def _rejected(told: Explanation) -> Iterator[str]:
    if not told.rejections:
        return
    yield from _head("Rejected", ["targets", "why", "requirement", "of", "what to do"])
    for group in told.rejections:
        names = ", ".join(_text(target) for target in group.targets)
        cells = (group.reason, group.requirement, group.origin, group.help or "")
        yield _row([names, *map(_text, cells)])


def _notes(told: Explanation) -> Iterator[str]:
    if told.decision.notes:
        yield from _head("Could not be evaluated", ["times", "what"])
    for text, count in sorted(told.decision.notes.items()):
        yield _row([str(count), _text(text)])


def _head(title: str, names: Sequence[str], right: int | None = None) -> Iterator[str]:
    """Yield a title and a table's head; columns from `right` on are set to the right."""
    yield ""
    if title:
        yield f"#### {title}"
        yield ""
    yield _row(names)
    edge = len(names) if right is None else right
    yield _row(["---" if place < edge else "---:" for place in range(len(names))])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sentence(sentence: Sentence) -> str:
    return "".join(part if isinstance(part, str) else _outside(part) for part in sentence)


def _outside(part: Outside) -> str:
    if part.kind == "code":
        return _code(part.text)
    text = _text(part.text)
    if part.kind == "name":
        return f"'{text}'"
    return f"**{text}**" if part.kind == "target" else text


def _text(text: str) -> str:
    """Escape a text for a paragraph or a cell."""
    escaped = _SPECIAL.sub(lambda found: f"\\{found[0]}", clean(text))
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], escaped)


def _code(text: str) -> str:
    """Return a code span, fenced by more backticks than the text has in a row."""
    line = clean(text)
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
