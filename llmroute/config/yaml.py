"""Strict YAML 1.2 with line marks.

Refused, each with its place and what to write instead: files above 1 MiB, text that is not
UTF-8, control characters, tabs as indentation, aliases, anchors, merge keys, tags, duplicate
keys, more than one document, nesting deeper than 32, and plain scalars that YAML 1.1 and 1.2
read differently (`no`, `3e-6`, `017`, `12:30`). Dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmroute.config.compose import Composer, CutShort, Stop
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document, Node
from llmroute.config.source import Source, Span
from llmroute.config.syntax import Mistake, cut_short, explain

__all__ = ["MAX_BYTES", "Document", "Span", "decode", "parse", "too_large"]

#: The largest file that is read, in bytes.
MAX_BYTES = 1_048_576

_BOM = "\ufeff"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
#: Not allowed in YAML, or a line break to YAML 1.1 and none to YAML 1.2 and to editors.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_LEADING_TABS = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)
#: Reading on behind syntax errors ends after so many of them, or so much text.
_MAX_MISTAKES, _MAX_REREAD = 20, 4 * MAX_BYTES


def decode(raw: bytes, label: str) -> tuple[str | None, list[Diagnostic]]:
    """Decode a file's bytes, which must be UTF-8 and not above 1 MiB."""
    if len(raw) > MAX_BYTES:
        return None, [too_large(label, len(raw))]
    if raw.startswith(_UTF16):
        return None, [_encoding(Source(label, ""), "this file is UTF-16", Span(1, 1, 1, 1))]
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError as exc:
        before = raw[: exc.start].decode("utf-8")
        source = Source(label, before)
        line, col = len(source.lines), len(source.lines[-1]) + 1
        message = f"the byte 0x{raw[exc.start]:02x} is not UTF-8"
        return None, [_encoding(source, message, Span(line, col, line, col + 1))]


def _encoding(source: Source, message: str, span: Span) -> Diagnostic:
    return source.finding("yaml-encoding", message, span, help="save the file as UTF-8")


def too_large(label: str, size: int) -> Diagnostic:
    """Make the finding for a file above the limit; `size` in bytes."""
    message = f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read"
    help_text = "split it into several files"
    return Source(label, "").finding("yaml-size", message, Span(1, 1, 1, 1), help=help_text)


def parse(
    text: str, label: str, path: Path | None = None
) -> tuple[Document | None, list[Diagnostic]]:
    """Parse one file's text; never raises, whatever the text.

    Returns the document, None where no data could be read, and every finding in the order of
    the file. A document comes back beside findings too, so that the next check can add its own.
    """
    size = len(text.encode("utf-8", "surrogatepass")) if len(text) * 4 > MAX_BYTES else 0
    if size > MAX_BYTES:
        return None, [too_large(label, size)]
    text, findings = _without_bom(text, label)
    source = Source(label, text)
    readable, control = _readable(source)
    composer, mistakes, whole = _read(source, readable)
    findings += [*control, *(mistake.finding for mistake in mistakes), *composer.findings]
    findings.sort(key=lambda finding: (finding.line, finding.col))
    if not whole:
        return None, findings
    root = composer.root or Node(Span(1, 1, 1, 1))
    return Document(path or Path(label), label, text, composer.data, root, source), findings


def _without_bom(text: str, label: str) -> tuple[str, list[Diagnostic]]:
    if not text.startswith(_BOM):
        return text, []
    source = Source(label, text[1:])
    help_text = "save the file as UTF-8 without a byte order mark"
    message = "the file begins with a byte order mark"
    finding = source.finding("yaml-encoding", message, Span(1, 1, 1, 1), help=help_text)
    return text[1:], [finding]


def _readable(source: Source) -> tuple[str, list[Diagnostic]]:
    """Replace characters that YAML does not allow; report the first and count the others."""
    found = _CONTROL.search(source.text)
    if found is None:
        return source.text, []
    before = Source(source.label, source.text[: found.start()])
    line, col = len(before.lines), len(before.lines[-1]) + 1
    readable, count = _CONTROL.subn("x", source.text)
    also = f" ({count - 1} more in this file)" if count > 1 else ""
    code = f"U+{ord(found[0]):04X}"
    message = f"the character {code} is not allowed in a file{also}"
    help_text = f'remove it, or write "\\u{ord(found[0]):04x}" in double quotes'
    span = Span(line, col, line, col + 1)
    return readable, [source.finding("yaml-encoding", message, span, help=help_text)]


def _read(source: Source, text: str) -> tuple[Composer, list[Mistake], bool]:
    """Read the text, mending what can be mended; returns whether it was read to its end."""
    mistakes: list[Mistake] = []
    budget = _MAX_REREAD
    while True:
        composer = Composer(source)
        mistake, whole = _attempt(composer, source, text)
        if mistake is None:
            return composer, mistakes, whole
        budget -= len(text)
        if _follows_from(mistake, mistakes):
            return composer, mistakes, False
        mistakes.append(mistake)
        mended = _mend(source, text, mistake)
        if mended == text or len(mistakes) >= _MAX_MISTAKES or budget < 0:
            return composer, mistakes, False
        text = mended


def _follows_from(mistake: Mistake, earlier: list[Mistake]) -> bool:
    """Whether an error is only the echo of tabs that were mended by guess, or on their line."""
    tabs = any(known.finding.rule == "yaml-tab" for known in earlier)
    if mistake.repair is not None:
        return tabs and mistake.finding.rule == "yaml-tab"
    return tabs or any(known.finding.line == mistake.finding.line for known in earlier)


def _attempt(composer: Composer, source: Source, text: str) -> tuple[Mistake | None, bool]:
    import yaml  # 60 ms, only where a file is read

    try:
        composer.feed(_events(text))
    except Stop:
        return None, False
    except CutShort as signal:
        return cut_short(signal, source), False
    except yaml.MarkedYAMLError as exc:
        if "nesting depth" in (exc.problem or ""):  # libyaml's own limit; its scanner reads ahead
            composer.too_deep(exc.problem_mark)
            return None, False
        return explain(exc, composer, source), False
    except yaml.YAMLError as exc:  # a reader's error, which has no mark
        finding = source.finding("yaml-syntax", f"this is not YAML: {exc}", Span(1, 1, 1, 1))
        return Mistake(finding, None), False
    return None, True


def _events(text: str) -> Iterator[Any]:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


def _mend(source: Source, text: str, mistake: Mistake) -> str:
    if mistake.repair is None:
        return text
    if mistake.finding.rule == "yaml-tab":
        return _LEADING_TABS.sub(lambda match: " " * len(match[0]), text)
    line, start, end = mistake.repair
    offset = _offset(source, text, line)
    return text[: offset + start] + "x" * (end - start) + text[offset + end :]


def _offset(source: Source, text: str, line: int) -> int:
    """Return the index of a 0-based line's first character."""
    offset = 0
    for number in range(line):
        offset += len(source.lines[number])
        offset += 2 if text[offset : offset + 2] == "\r\n" else 1
    return offset
