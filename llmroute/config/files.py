"""Reading configuration files by the rules that keep them trustworthy.

A file counts only where it stands under its root, is a regular file (a symbolic link may lead
to one, but not out of the root), is at most 1 MiB, and cannot be written by everybody.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.opening import read_regular
from llmroute.config.source import Source, Span
from llmroute.config.yaml import MAX_BYTES, Document, decode, parse, too_large

__all__ = [
    "PARTS",
    "YAML_ENDINGS",
    "file_finding",
    "label_of",
    "list_yaml",
    "read_document",
    "unread",
    "writable",
]

#: Folders of a workspace whose files belong to it.
PARTS = ("providers.d", "policies", "protocols.d")
YAML_ENDINGS = (".yaml", ".yml")
_START = Span(1, 1, 1, 1)
#: So many files in folders further down are told of.
_MOST_IGNORED = 20


def file_finding(
    rule: str, label: str, message: str, help_text: str, severity: Severity = "error"
) -> Diagnostic:
    """Make a finding about a file as a whole."""
    source = Source(label, "")
    finding = source.finding(rule, message, _START, help=help_text, severity=severity)
    return finding.without_source()


def label_of(path: Path) -> str:
    """Return a file's name as messages show it: relative to the current folder if it is below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def list_yaml(folder: Path) -> tuple[list[Path], list[Diagnostic]]:
    """List a folder's `*.yaml` files by name; hidden files and `*.test.yaml` do not count.

    A `*.yml` file, and a YAML file in a folder further down, is reported as ignored, a folder that
    everybody can write to as unsafe.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        findings = list(writable(folder, folder.stat().st_mode))
    except OSError as exc:
        message = f"the folder cannot be read: {exc.strerror}"
        return [], [file_finding("file-unreadable", label_of(folder), message, "check the path")]
    visible = [entry.name for entry in entries if not entry.name.startswith(".")]
    findings += [_ignored(folder / name) for name in visible if name.endswith(".yml")]
    findings += islice(_below(entries), _MOST_IGNORED)
    found = [n for n in visible if n.endswith(".yaml") and not n.endswith(".test.yaml")]
    return [folder / name for name in found], findings


def _ignored(path: Path) -> Diagnostic:
    help_text = f"rename it to {path.stem}.yaml"
    message = "this file is ignored: only *.yaml files are read"
    return file_finding("file-ignored", label_of(path), message, help_text, "warning")


def _below(entries: Iterable[os.DirEntry[str]]) -> Iterator[Diagnostic]:
    """Report the YAML files in folders further down; links and hidden folders are left alone."""
    for entry in entries:
        hidden = entry.name.startswith(".")
        if hidden or not entry.is_dir(follow_symlinks=False) or entry.name.endswith(YAML_ENDINGS):
            continue
        for place, folders, names in os.walk(entry.path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found = (name for name in sorted(names) if not name.startswith("."))
            yield from (unread(Path(place, name)) for name in found if name.endswith(YAML_ENDINGS))


def unread(path: Path) -> Diagnostic:
    """Make the finding about a file or folder that is a part of no workspace where it stands."""
    hint = f"move it up, next to the others, as {path.stem.lstrip('.')}.yaml"
    if path.is_dir() or path.suffix not in YAML_ENDINGS:
        hint = "leave it out here"
    message = f"this is not read: only *.yaml files just in {', '.join(PARTS)} are"
    return file_finding("file-ignored", label_of(path), message, hint, "warning")


def writable(path: Path, mode: int) -> Iterator[Diagnostic]:
    """Report a file or folder that everybody can write to, by its mode."""
    if mode & stat.S_IWOTH and os.name != "nt":
        message = "everybody on this machine can write here"
        yield file_finding("file-writable", label_of(path), message, f"run chmod o-w {path}")


def read_document(path: Path, root: Path) -> tuple[Document | None, list[Diagnostic]]:
    """Read and parse one file under its root; never raises on a bad file."""
    label = label_of(path)
    try:
        raw, findings = _read(path, root, label)
    except (OSError, ValueError, RuntimeError) as exc:  # RuntimeError: a loop of links
        reason = getattr(exc, "strerror", None) or "the path is not valid"
        message = f"the file cannot be read: {reason}"
        help_text = "check that it exists and that you may read it"
        return None, [file_finding("file-unreadable", label, message, help_text)]
    if raw is None:
        return None, findings
    text, decoding = decode(raw, label)
    if text is None:
        return None, [*findings, *decoding]
    document, parsing = parse(text, label, path)
    return document, [*findings, *parsing]


def _read(path: Path, root: Path, label: str) -> tuple[bytes | None, list[Diagnostic]]:
    real = path.resolve(strict=True)
    if not real.is_relative_to(root.resolve()):
        return None, [_outside(label, root)]
    status, data = read_regular(real, MAX_BYTES)
    if data is None:
        message, help_text = "this is not a regular file", "put a plain text file here"
        return None, [file_finding("file-irregular", label, message, help_text)]
    if (again := path.resolve(strict=True)) != real or not os.path.samestat(status, again.stat()):
        message, help_text = "this file was exchanged while it was read", "read it again"
        return None, [file_finding("file-unreadable", label, message, help_text)]
    if len(data) > MAX_BYTES:
        return None, [too_large(label, max(status.st_size, len(data)))]
    return data, list(writable(path, status.st_mode))


def _outside(label: str, root: Path) -> Diagnostic:
    help_text = "copy the file here instead of linking to it"
    return file_finding(
        "file-outside", label, f"this link leads out of {label_of(root)}", help_text
    )
