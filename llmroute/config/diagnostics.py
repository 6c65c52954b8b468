"""One finding about one place in one file; every check makes these and every printer takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

__all__ = ["Diagnostic", "Edit", "Severity", "closest", "did_you_mean"]

Severity = Literal["error", "warning", "note"]

#: How much of a long source line is shown, and how much of it stands before the place.
_SHOWN, _BEFORE = 160, 80
#: So many known words are compared with a wrong one.
_COMPARED = 1000


class Edit(NamedTuple):
    """A piece of a file's text and what to write in its place.

    The place is as in `Diagnostic`: 1-based, the end just behind it; an empty one inserts.
    """

    file: str
    line: int
    col: int
    end_line: int
    end_col: int
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What is wrong, where, and what to do.

    `line` and `col` are 1-based, `end_line`/`end_col` point just behind the place; `source` is
    the text of the line. `fix` is an edit that is safe without a second look: it changes no
    decision of files that load. `str()` gives the whole finding: position, message, rule, the
    line and a caret, and the help.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    col: int
    message: str
    help: str | None = None
    end_line: int | None = None
    end_col: int | None = None
    source: str | None = None
    fix: Edit | None = None

    def __str__(self) -> str:
        severity = "" if self.severity == "error" else f"{self.severity}: "
        head = f"{self.file}:{self.line}:{self.col}: {severity}{self.message} [{self.rule}]"
        return "\n".join([head, *self._excerpt(), *self._help()])

    def without_source(self) -> Diagnostic:
        """Return the finding without a source line: for a file as a whole."""
        return replace(self, source=None)

    def with_fix(self, text: str, place: tuple[int, int, int, int] | None = None) -> Diagnostic:
        """Return the finding with an edit: of its own place, or of another one in its file.

        `place` is a `Span`, or line, column, end line and end column.
        """
        own = (self.line, self.col, self.end_line or self.line, self.end_col or self.col)
        return replace(self, fix=Edit(self.file, *(place or own), text))

    def _excerpt(self) -> list[str]:
        if not self.source or not self.source.strip():
            return []
        start = max(0, self.col - 1 - _BEFORE)
        shown = self.source[start : start + _SHOWN].replace("\t", " ").rstrip()
        shown = "".join(char if char.isprintable() else "\ufffd" for char in shown)
        margin = " " * len(str(self.line))
        caret = " " * (self.col - 1 - start) + "^" * self._width(self.source, start + len(shown))
        text = f" {self.line} | {shown}".rstrip()
        return [f" {margin} |", text, f" {margin} | {caret}"]

    def _width(self, source: str, limit: int) -> int:
        """How many carets: to the end of the place, of the text or of what is shown."""
        one_line = self.end_line in (None, self.line)
        end = self.end_col - 1 if one_line and self.end_col else len(source.rstrip())
        return max(min(end, limit) - (self.col - 1), 1)

    def _help(self) -> list[str]:
        return [f" {' ' * len(str(self.line))} = help: {self.help}"] if self.help else []


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was most likely meant to be, or None."""
    from difflib import get_close_matches  # only a wrong word needs it

    by_folded = {
        candidate.casefold().replace("-", "_"): candidate for candidate in sorted(known)[:_COMPARED]
    }
    close = get_close_matches(word[:80].casefold().replace("-", "_"), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return `did you mean "x"?` for the closest known word, or None."""
    close = closest(word, known)
    return f'did you mean "{close}"?' if close else None
