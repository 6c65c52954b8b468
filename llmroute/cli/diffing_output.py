"""What `llmroute diff` prints: for a terminal, and as Markdown for a pull request."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal

from llmroute.catalog.cost import format_usd, nano_to_usd
from llmroute.cli.output import is_terminal, say, show
from llmroute.lab.diffing.diff import Change, Compared, Diff, Group, Totals, Verdict
from llmroute.policy.explaining.wording import clean

__all__ = ["as_markdown", "say_text"]

#: So many classes are shown of a group, so many exceptions of a class.
_CLASSES, _EXCEPTIONS = 3, 4
#: Commands with more characters are left to JSON.
_LONGEST = 600


def say_text(diff: Diff, *, ranking: bool, groups: int) -> None:
    """Write a diff for people."""
    lines = list(_lines(diff, ranking=ranking, groups=groups))
    if not is_terminal(sys.stdout):
        say("\n".join(lines))
        return
    from rich.text import Text

    made = Text("\n").join(Text(line, style=_style(line)) for line in lines)
    show(made, sys.stdout)


def _style(line: str) -> str:
    text = line.strip()
    if not line.startswith(" ") and line.endswith(" %)"):
        return "bold"
    if " → " in line and line.startswith("  ") and not line.startswith("   "):
        return "bold yellow"
    return "dim" if text.startswith(("llmroute decide", "sampled", "- ")) else ""


def _lines(diff: Diff, *, ranking: bool, groups: int) -> Iterator[str]:
    same = []
    for compared in diff.policies:
        if _quiet(compared):
            same.append(compared)
        else:
            yield from _policy(compared, ranking=ranking, groups=groups)
            yield from _how_sure(compared, listed=len(diff.policies) == 1)
            yield ""
    yield from _told_same(same)
    yield from _news(diff)
    yield from (clean(text) for text in diff.scope)
    yield _summary(diff)


def _quiet(compared: Compared) -> bool:
    """Whether a policy needs no more than its name."""
    return compared.looked_at == 0 and not compared.notes


def _told_same(same: Sequence[Compared]) -> Iterator[str]:
    if same:
        names = ", ".join(clean(compared.names.title) for compared in same)
        yield f"no decision changes by {_counted(len(same), 'policy', 'policies')}: {names}"


def _news(diff: Diff) -> Iterator[str]:
    for word, found in (("added", diff.added), ("removed", diff.removed)):
        for kind, names in found.items():
            if names:
                yield f"{kind} {word}: {', '.join(map(clean, names))}"


def _summary(diff: Diff) -> str:
    changed = sum(1 for compared in diff.policies if compared.changed)
    if not diff.changes:
        return "no decision changes"
    if not changed:
        return "a policy is gone, and with it its decisions"
    every = _counted(len(diff.policies), "policy", "policies")
    return f"decisions change by {changed} of {every}"


def _policy(compared: Compared, *, ranking: bool, groups: int) -> Iterator[str]:
    yield f"{_titled(compared)}: {_headline(compared)}"
    if compared.totals:
        yield f"  {_totals(compared.totals)}"
    for group in compared.winners[:groups]:
        yield from _group(group, compared)
    yield from _left_out(compared.winners[groups:])
    yield from _ranking(compared, groups if ranking else 0)
    if compared.repriced:
        yield f"  {_kept(compared.repriced)} at another estimated cost"
    yield from (f"  {clean(note)}" for note in compared.notes)


def _titled(compared: Compared) -> str:
    return clean(f"{compared.names.kind} {compared.names.title}")


def _headline(compared: Compared) -> str:
    if not compared.looked_at:
        return "no decision changes"
    share = _percent(compared.changed, compared.looked_at)
    of = "" if compared.totals else " looked at"
    return f"{compared.changed:,} of {_requests(compared.looked_at)}{of} change winner ({share})"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole * 100:.1f} %" if 0 < part < whole else f"{100 * part // whole} %"


def _requests(number: int) -> str:
    return _counted(number, "request", "requests")


def _kept(number: int) -> str:
    return f"{_requests(number)} {'keeps' if number == 1 else 'keep'} the winner"


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _totals(totals: Totals) -> str:
    old, new = (nano_to_usd(nano) or Decimal(0) for nano in (totals.old, totals.new))
    change = f" ({_signed_percent(float((new - old) / old * 100))})" if old else ""
    unknown = [
        f"{count:,} {word} have no known price"
        for count, word in ((totals.old_unknown, "before"), (totals.new_unknown, "now"))
        if count
    ]
    told = f"estimated cost {_usd(old)} → {_usd(new)}{change}"
    return "; ".join([told, *unknown])


def _usd(amount: Decimal | None) -> str:
    return "$0" if amount == 0 else format_usd(amount)


def _signed_percent(value: float) -> str:
    if abs(value) >= 1000:
        return f"× {value / 100 + 1:,.0f}"
    return f"{value:+.3g} %" if abs(value) < 100 else f"{value:+.0f} %"


def _group(group: Group, compared: Compared) -> Iterator[str]:
    yield f"  {_move(group)}: {_requests(group.cases)}"
    for change in group.changes[:_CLASSES]:
        yield from (f"    {line}" for line in _class(change, compared))
    others = len(group.changes) - _CLASSES
    if others > 0 or group.more:
        yield "    and more classes (--json has them)"


def _move(group: Group) -> str:
    first = group.changes[0]
    ends = ((group.old, first.old.refused), (group.new, first.new.refused))
    return " → ".join(_winner(*end) for end in ends)


def _winner(name: str | None, refused: str | None) -> str:
    return "refused" if refused else clean(name) if name else "no target"


def _class(change: Change, compared: Compared) -> Iterator[str]:
    yield from _where(change)
    yield f"  {_effect(change)}"
    command = _command(change, compared)
    if command is not None:
        yield f"  {command}"
    for side in (change.old, change.new):
        if side.refused:
            yield f"  refused: {clean(side.refused)}"
    if beyond := change.situation.beyond():
        yield f"  the command line cannot say: {clean(', '.join(beyond))} (--json has all of it)"


def _command(change: Change, compared: Compared) -> str | None:
    """Return the command that decides the example, None where it is unfit for a page."""
    command = change.situation.command(compared.names.new)
    shown = len(command) <= _LONGEST and command.replace("\n", " ").isprintable()
    return command if shown else None


def _where(change: Change) -> Iterator[str]:
    if change.origin:
        yield f"first in {clean(change.origin)}"
        return
    where = [clean(item.text) for item in change.conditions if not item.unless]
    exceptions = sorted(change.conditions, key=lambda item: item.name == "served")
    unless = [clean(item.text) for item in exceptions if item.unless]
    yield f"where {' and '.join(where)}" if where else "for plain requests"
    if unless:
        more = len(unless) - _EXCEPTIONS
        shown = [*unless[:_EXCEPTIONS], *([f"{more} more (--json)"] if more > 0 else [])]
        yield f"  unless {', or '.join(shown)}"


def _effect(change: Change) -> str:
    """Say what an example costs and how good its answer is, before and after."""
    old, new = change.old, change.new
    told = [f"costs {_price(old)} → {_price(new)}"]
    if change.cost_percent:
        told[0] += f" ({_signed_percent(change.cost_percent)})"
    if old.quality is not None or new.quality is not None:
        told.append(f"quality {_figure(old)} → {_figure(new)}")
    return ", ".join(told)


def _price(side: Verdict) -> str:
    return "nothing" if side.winner is None else format_usd(side.usd)


def _figure(side: Verdict) -> str:
    return "unknown" if side.quality is None else f"{side.quality:g}"


def _left_out(groups: Sequence[Group]) -> Iterator[str]:
    if groups:
        number = sum(group.cases for group in groups)
        moves = _counted(len(groups), "move", "moves")
        yield f"  {moves} more, of {_requests(number)} (--top N shows N)"


def _ranking(compared: Compared, shown: int) -> Iterator[str]:
    if not compared.ranking:
        return
    more = "" if shown else " (--ranking shows them)"
    yield f"  {_kept(compared.reranked)}, with another first fallback{more}"
    for group in compared.ranking[:shown]:
        yield from _group(group, compared)


def _how_sure(compared: Compared, *, listed: bool) -> Iterator[str]:
    """Say whether the answer holds for every request; the reasons `listed` or on one line."""
    reasons = [clean(text) for text in compared.why_not]
    if compared.totals:
        return
    if compared.exhaustive:
        yield "  exhaustive: these stand for all requests"
    elif listed:
        yield "  sampled, because"
        yield from (f"  - {text}" for text in reasons)
    else:
        yield f"  sampled, because {'; '.join(reasons)}"


def as_markdown(diff: Diff, *, ranking: bool, groups: int) -> str:
    """Return a diff as Markdown."""
    head = f"### Decisions: {_code(diff.old)} → {_code(diff.new)}"
    parts = [head, f"**{_summary(diff)[0].upper()}{_summary(diff)[1:]}.**"]
    for compared in diff.policies:
        if not _quiet(compared):
            parts += _markdown_policy(compared, ranking=ranking, groups=groups)
    same = [compared for compared in diff.policies if _quiet(compared)]
    rest = [*_told_same(same), *_news(diff), *diff.scope]
    if rest:
        parts.append("\n".join(f"- {_escaped(line)}" for line in rest))
    return "\n\n".join(parts)


def _markdown_policy(compared: Compared, *, ranking: bool, groups: int) -> Iterator[str]:
    kind = compared.names.kind
    what = f"{kind[0].upper()}{kind[1:]} {_code(compared.names.title)}"
    yield f"#### {what}: {_headline(compared)}"
    if compared.totals:
        yield _escaped(_totals(compared.totals))
    if compared.winners:
        yield _table(compared.winners[:groups])
        yield _commands(compared.winners[:groups], compared)
    told = [*_left_out(compared.winners[groups:]), *_ranking(compared, 0)]
    told += [*compared.notes]
    if told:
        yield "\n".join(f"- {_escaped(line.strip())}" for line in told)
    if ranking and compared.ranking:
        yield "Another first fallback:"
        yield _table(compared.ranking[:groups])
    for line in _how_sure(compared, listed=False):
        yield _escaped(f"{line[2].upper()}{line[3:]}") + "."


def _table(groups: Sequence[Group]) -> str:
    rows = ["| winner | requests | where | cost | quality |", "|---|---|---|---|---|"]
    for group in groups:
        for number, change in enumerate(group.changes[:_CLASSES]):
            move = _code(_move(group)) if number == 0 else ""
            where = "; ".join(line.strip() for line in _where(change))
            cost, _, quality = _effect(change).removeprefix("costs ").partition(", quality ")
            cells = (move, f"{change.cases:,}", _escaped(where), _escaped(cost), quality)
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _commands(groups: Sequence[Group], compared: Compared) -> str:
    changes = (change for group in groups for change in group.changes[:_CLASSES])
    lines = [command for c in changes if (command := _command(c, compared)) is not None]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = "\n".join([f"{fence}sh", *lines, fence])
    return f"<details><summary>One request of each</summary>\n\n{shown}\n\n</details>"


def _code(text: str) -> str:
    """Return text as code that neither ends its quotes nor a table's cell."""
    plain = clean(text).replace("|", "\\|")
    return f"`` {plain} ``" if "`" in plain else f"`{plain}`"


def _escaped(text: str) -> str:
    made = clean(text)
    for character in "\\`*_[]<>|#":
        made = made.replace(character, f"\\{character}")
    return made
