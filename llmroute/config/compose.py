"""From YAML events to data and marks in one pass, refusing what configuration must not hold.

The C parser delivers events without recursion and this module keeps its own stack, so no input
can exhaust Python's. Aliases are never followed, which leaves nothing to multiply. Every problem
is recorded and the rest of the file is still read, as far as the syntax allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unicodedata import is_normalized, normalize

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Node, Place, span_of
from llmroute.config.numerals import comma_help
from llmroute.config.quoting import is_expression_place, quote_help, quote_message, segment_end
from llmroute.config.scalars import Fault, quoted, resolve
from llmroute.config.source import Source, Span

__all__ = ["MAX_DEPTH", "Composer", "CutShort", "Frame", "Stop"]

#: How deep lists and maps may stand in one another.
MAX_DEPTH = 32
MAX_FINDINGS = 100

#: No key was read yet; and the pair being read is dropped because its key is refused.
_NO_KEY, _DROPPED = object(), object()
#: Keys whose value is a name: a word that some readers take for a truth value is meant as text.
_NAMES = frozenset(
    {"policy", "provider", "protocol", "name", "model", "extends", "upstream", "default_policy"}
)
#: Marks the node of a collection that stands where a key belongs.
_KEY_FRAME = Span(0, 0, 0, 0)


class Stop(Exception):  # noqa: N818 - ends the reading, is no error of the caller's
    """The rest of the file is not worth or not safe to read."""


class CutShort(Exception):  # noqa: N818 - a signal between two modules
    """An unquoted expression in flow style was ended by its own comma or bracket.

    `line` and `column` are 0-based and say where the expression starts.
    """

    def __init__(self, line: int, column: int, key: str | int | None) -> None:
        super().__init__()
        self.line, self.column, self.key = line, column, key


class Frame:
    """One open list or map."""

    __slots__ = (
        *("children", "data", "expression", "flow", "is_map"),
        *("key", "key_place", "mark", "node"),
    )

    def __init__(self, event: Any, *, is_map: bool) -> None:
        self.data: Any = {} if is_map else []
        self.is_map = is_map
        self.key: Any = _NO_KEY
        self.key_place: Place = None
        self.flow = bool(event.flow_style)
        self.mark = event.start_mark
        self.children: dict[str | int, Node] = {}
        self.node = Node(event, self.children)
        self.expression: int | None = None

    @property
    def step(self) -> str | int | None:
        """The path step to what is being read in this frame."""
        if not self.is_map:
            return len(self.data)
        return self.key if isinstance(self.key, str) else None


class Composer:
    """Builds the data of one document; `findings` grows as problems are met."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.findings: list[Diagnostic] = []
        self.stack: list[Frame] = []
        self.data: Any = None
        self.root: Node | None = None
        self._handlers: dict[str, Callable[[Any], None]] = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._mapping_start,
            "SequenceStartEvent": self._sequence_start,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._document_start,
        }

    def feed(self, events: Iterator[Any]) -> None:
        """Read events to their end, or until `Stop`; syntax errors pass through."""
        handlers = self._handlers
        for event in events:
            handler = handlers.get(type(event).__name__)
            if handler is not None:
                handler(event)

    def path(self) -> list[str | int | None]:
        """Return the data path of what is being read; None where no key is known."""
        return [frame.step for frame in self.stack]

    def report(self, rule: str, message: str, span: Span, help_text: str | None = None) -> None:
        """Record a problem.

        Raises:
            Stop: the file has too many problems to go on.

        """
        self.findings.append(self.source.finding(rule, message, span, help=help_text))
        if len(self.findings) >= MAX_FINDINGS:
            raise Stop

    def _document_start(self, event: Any) -> None:
        span = span_of(event)
        if self.root is not None:
            self.report(
                "yaml-documents",
                "a second document begins here; a file holds one",
                span,
                "remove the `---`, or move what follows it into a file of its own",
            )
            raise Stop
        if event.tags or event.version not in (None, (1, 2)):
            help_text = "remove the lines that begin with `%`; files are read as YAML 1.2"
            self.report("yaml-syntax", "YAML directives are not accepted", span, help_text)

    def _scalar(self, event: Any) -> None:
        frame = self.stack[-1] if self.stack else None
        if event.anchor is not None:
            self._anchor(event)
        if frame is not None and frame.is_map and frame.key is _NO_KEY:
            self._key(frame, event)
            return
        if event.tag is not None:
            self._attach(self._tagged(event), event)
        elif event.implicit[0]:
            self._attach(self._plain(event), event)
        else:
            self._attach(event.value, event)

    def _plain(self, event: Any) -> Any:
        text: str = event.value
        if self.stack and self.stack[-1].flow and text.count("(") != text.count(")"):
            self._check_cut_short(event)
        value = resolve(text)
        if isinstance(value, Fault):
            named = value.rule == "yaml-bool-word" and self.stack and self.stack[-1].step in _NAMES
            help_text = f"write {quoted(text)} in quotes" if named else value.help
            self.report(value.rule, value.message, span_of(event), help_text)
            return value.value
        return value

    def _check_cut_short(self, event: Any) -> None:
        """Refuse an expression in flow style whose comma or bracket ended it for YAML.

        Raises:
            CutShort: always where it is one, since the syntax behind it means nothing.

        """
        line, start = self.source.line(event.start_mark.line + 1), event.start_mark.column
        whole = segment_end(line, start, in_flow=True)
        if whole > event.end_mark.column and is_expression_place(self.path()):
            raise CutShort(event.start_mark.line, start, self.stack[-1].step)

    def _key(self, frame: Frame, event: Any) -> None:
        text: str = event.value
        frame.key_place = event
        frame.key = text
        if event.tag is not None:
            help_text = f"write {quoted(text)}"
            self.report("yaml-tag", "a key cannot have a tag", span_of(event), help_text)
        elif event.implicit[0]:
            self._check_plain_key(frame, text, event)
        if not text.isascii() and not is_normalized("NFC", text):
            message = f"the key `{text}` holds letters with loose accents, and looks like another"
            help_text = f"write {quoted(normalize('NFC', text))}"
            self.report("yaml-key", message, span_of(event), help_text)
        if frame.key is not _DROPPED and text in frame.data:
            first = frame.children[text].key
            self.report(
                "yaml-duplicate-key",
                f"the key `{text}` is written twice; the first is in line {first and first.line}",
                span_of(event),
                "keep one of the two",
            )
            frame.key = _DROPPED

    def _check_plain_key(self, frame: Frame, text: str, event: Any) -> None:
        value = resolve(text)
        if isinstance(value, str) and text != "<<":
            return
        span = span_of(event)
        if text == "<<":
            help_text = "write the merged keys out here"
            self.report("yaml-merge", "merge keys (`<<`) are not accepted", span, help_text)
            frame.key = _DROPPED
            frame.node.partial = True
            return
        before = self.source.line(span.line)[: span.col - 1]
        cut = comma_help(before, text) if frame.flow else None
        if isinstance(value, Fault):
            help_text = cut or f"write {quoted(text)} in quotes"
            self.report(value.rule, value.message, span, help_text)
        elif text == "":
            self.report("yaml-key", "there is no key before this `:`", span, "write the key")
            frame.key = _DROPPED
        else:
            kind = "a number" if isinstance(value, int | float) else "no text"
            kind = "true or false" if isinstance(value, bool) else kind
            message = f"the key `{text}` is {kind} to YAML; a key is text"
            self.report("yaml-key", message, span, cut or f"write {quoted(text)} in quotes")

    def _anchor(self, event: Any) -> None:
        span = self._head(event, len(event.anchor) + 1)
        message = f"the anchor `&{event.anchor}` is not accepted"
        self.report("yaml-alias", message, span, "remove it; each value is written out in place")

    def _alias(self, event: Any) -> None:
        span = span_of(event)
        place = self.path()
        if is_expression_place(place):
            self._attach(self._quote(event.start_mark, place[-1]), span)
            return
        message = f"the alias `*{event.anchor}` is not accepted"
        help_text = f"write the value out here, or {quoted('*' + event.anchor)} where text is meant"
        self.report("yaml-alias", message, span, help_text)
        if self.stack and self.stack[-1].is_map and self.stack[-1].key is _NO_KEY:
            self.stack[-1].key = _DROPPED
        else:
            self._attach(f"*{event.anchor}", span)

    def _tagged(self, event: Any) -> str:
        place = self.path()
        if is_expression_place(place):
            if self.stack[-1].flow:
                self._check_cut_short(event)
            return self._quote(event.start_mark, place[-1])
        self._tag(event)
        return str(event.value)

    def _tag(self, event: Any) -> None:
        line = self.source.line(event.start_mark.line + 1)
        start = event.start_mark.column
        word = line[start:].split(maxsplit=1)[0] if line[start:].strip() else "!"
        end = segment_end(line, start, in_flow=any(frame.flow for frame in self.stack))
        self.report(
            "yaml-tag",
            f"the tag `{word.rstrip(',]}')}` is not accepted",
            self._head(event, len(word.rstrip(",]}"))),
            f"remove the tag, or write {quoted(line[start:end])} where text is meant",
        )

    def _quote(self, mark: Any, key: str | int | None) -> str:
        """Report an expression that needs quotes; return its whole text."""
        line = self.source.line(mark.line + 1)
        in_flow = any(frame.flow for frame in self.stack)
        end = segment_end(line, mark.column, in_flow=in_flow)
        text = line[mark.column : end]
        span = Span(mark.line + 1, mark.column + 1, mark.line + 1, end + 1)
        self.report("yaml-quote", quote_message(text, expression=True), span, quote_help(text, key))
        return text.encode("utf-8", "replace").decode("utf-8")

    def _head(self, event: Any, width: int) -> Span:
        return _span(event.start_mark, width)

    def too_deep(self, mark: Any) -> None:
        """Report that collections are nested too deeply at a mark."""
        message = f"lists and maps are nested more than {MAX_DEPTH} deep"
        self.report("yaml-depth", message, _span(mark, 1), "write it flatter")

    def _mapping_start(self, event: Any) -> None:
        self._open(event, is_map=True)

    def _sequence_start(self, event: Any) -> None:
        self._open(event, is_map=False)

    def _open(self, event: Any, *, is_map: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.too_deep(event.start_mark)
            raise Stop
        frame = Frame(event, is_map=is_map)
        if frame.flow and is_expression_place(self.path()):
            frame.expression = len(self.findings)
        elif event.tag is not None:
            self._tag(event)
        if event.anchor is not None:
            self._anchor(event)
        if self.stack and self.stack[-1].is_map and self.stack[-1].key is _NO_KEY:
            help_text = "write one word, or text in quotes, before the `:`"
            self.report(
                "yaml-key", "a list or map cannot be a key", self._head(event, 1), help_text
            )
            self.stack[-1].key = _DROPPED
            frame.node.key_place = _KEY_FRAME
        self.stack.append(frame)

    def _end(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.node.key_place is _KEY_FRAME:
            return
        start, end = frame.mark, event.end_mark
        span = Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        data = frame.data
        if frame.expression is not None and self.path()[-1] != "prefer":
            del self.findings[frame.expression :]
            data = self._quote(frame.mark, self.path()[-1])
            frame.children.clear()
        frame.node.place = span
        self._attach(data, span, frame.node)

    def _attach(self, value: Any, place: Place, node: Node | None = None) -> None:
        """Put a finished value into the collection that is open."""
        node = node or Node(place)
        if not self.stack:
            self.data, self.root = value, node
            return
        frame = self.stack[-1]
        if not frame.is_map:
            frame.children[len(frame.data)] = node
            frame.data.append(value)
            return
        if frame.key is not _DROPPED:
            node.key_place = frame.key_place
            frame.children[frame.key] = node
            frame.data[frame.key] = value
        frame.key = _NO_KEY


def _span(mark: Any, width: int) -> Span:
    line, col = mark.line + 1, mark.column + 1
    return Span(line, col, line, col + width)
