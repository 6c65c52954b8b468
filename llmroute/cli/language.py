"""A language server: what lint finds about the files of a workspace, also while they are edited.

Files are checked as the editor has them: in a copy of their workspace, in which what is open and
not saved replaces what is on the disk. Files of no workspace are left alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import PositionCodec, TextDocument

from llmroute import __version__
from llmroute.config.diagnostics import Diagnostic, Edit
from llmroute.lint import lint
from llmroute.lint.check import root_of
from llmroute.lint.fix import members
from llmroute.lint.guide import page

__all__ = ["checked", "serve"]

_SEVERITIES = {
    "error": lsp.DiagnosticSeverity.Error,
    "warning": lsp.DiagnosticSeverity.Warning,
    "note": lsp.DiagnosticSeverity.Information,
}
#: What depends on the editor's environment rather than on the files.
_OF_ENVIRONMENT = frozenset({"secret-unset", "variable-unset"})
#: Seconds without a change until a file is checked.
_REST = 0.2
_LINE_END = re.compile(r"\r\n|\n|\r")


def checked(root: Path, texts: Mapping[Path, str], *, analyses: bool) -> list[Diagnostic]:
    """Return the findings about a workspace in which some files have other texts.

    `file` of each is an absolute path.
    """
    with TemporaryDirectory(prefix="llmroute-lsp-") as folder:
        copy = Path(folder).resolve()
        for path in members(root):
            place = copy / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        for path, text in texts.items():
            place = copy / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8", "replace"))
        found = lint([copy], analyses=analyses)
    kept = (item for item in found if item.rule not in _OF_ENVIRONMENT)
    return [_moved(item, copy, root) for item in kept]


def _moved(item: Diagnostic, copy: Path, root: Path) -> Diagnostic:
    """Return a finding about the copy as one about the workspace."""
    path = Path(item.file).absolute()
    file = str(root / path.relative_to(copy)) if path.is_relative_to(copy) else str(path)
    message = item.message.replace(str(copy), str(root))
    help_text = item.help and item.help.replace(str(copy), str(root))
    return replace(item, file=file, message=message, help=help_text)


class _Server(LanguageServer):
    """The server; `seen` are the findings of each open file, and the version they are about."""

    def __init__(self) -> None:
        super().__init__("llmroute", __version__)
        self.seen: dict[str, tuple[int | None, list[Diagnostic]]] = {}

    def open_files(self) -> dict[str, tuple[Path, TextDocument]]:
        """Return the open documents that are files, by the URI that the editor gave them."""
        documents = self.workspace.text_documents.values()  # the keys are decoded URIs
        paths = ((document.uri, to_fs_path(document.uri), document) for document in documents)
        return {uri: (Path(path), document) for uri, path, document in paths if path}

    def document(self, uri: str) -> TextDocument | None:
        """Return an open document, None if it is not open."""
        return next((d for d in self.workspace.text_documents.values() if d.uri == uri), None)

    async def check(self, uri: str, *, analyses: bool) -> None:
        """Publish the findings about all open files of the workspace that a file belongs to."""
        path = to_fs_path(uri)
        root = root_of(Path(path)) if path else None
        if root is None:
            return
        files = {u: f for u, f in self.open_files().items() if root_of(f[0]) == root}
        texts = {path: document.source for path, document in files.values()}
        versions = {uri: document.version for uri, (_, document) in files.items()}
        found = await asyncio.to_thread(checked, root, texts, analyses=analyses)
        for uri, (path_, document) in files.items():
            if document.version == versions[uri]:  # else a newer check is on its way
                own = [item for item in found if item.file == str(path_)]
                self.seen[uri] = (document.version, own)
                self._publish(uri, document, own)

    def _publish(self, uri: str, document: TextDocument, own: Sequence[Diagnostic]) -> None:
        places = _Places(document)
        shown = [places.diagnostic(item) for item in own]
        params = lsp.PublishDiagnosticsParams(uri, shown, document.version)
        self.text_document_publish_diagnostics(params)

    def at(self, uri: str, place: lsp.Range) -> Iterator[tuple[Diagnostic, lsp.Diagnostic]]:
        """Yield the findings that touch a place, if they are still about the file's text."""
        version, found = self.seen.get(uri, (None, []))
        document = self.document(uri)
        if document is None or document.version != version:
            return
        places = _Places(document)
        for item in found:
            shown = places.diagnostic(item)
            if shown.range.start <= place.end and place.start <= shown.range.end:
                yield item, shown


class _Places:
    """Translates lint's places in a document, in characters, to the units of the editor."""

    def __init__(self, document: TextDocument) -> None:
        self._lines = _LINE_END.split(document.source)
        self._codec: PositionCodec = document.position_codec

    def _position(self, line: int, col: int) -> lsp.Position:
        if line > len(self._lines):  # behind the last line
            line, col = len(self._lines), len(self._lines[-1]) + 1
        text = self._lines[line - 1]
        mark = line == 1 and text.startswith("\ufeff")
        return lsp.Position(line - 1, self._codec.client_num_units(text[: col - 1 + mark]))

    def range(self, item: Diagnostic | Edit) -> lsp.Range:
        """Return where a finding or an edit stands."""
        start = self._position(item.line, item.col)
        end = self._position(item.end_line or item.line, item.end_col or item.col)
        return lsp.Range(start, end)

    def diagnostic(self, item: Diagnostic) -> lsp.Diagnostic:
        """Return a finding as the protocol has it."""
        return lsp.Diagnostic(
            range=self.range(item),
            message=f"{item.message}\n{item.help}" if item.help else item.message,
            severity=_SEVERITIES[item.severity],
            code=item.rule,
            source="llmroute",
        )

    def action(self, uri: str, item: Diagnostic, edit: Edit) -> lsp.CodeAction:
        """Return the safe fix of a finding."""
        changes = {uri: [lsp.TextEdit(self.range(edit), edit.text)]}
        return lsp.CodeAction(
            title=f"llmroute: write `{edit.text}`" if edit.text else "llmroute: remove this",
            kind=lsp.CodeActionKind.QuickFix,
            diagnostics=[self.diagnostic(item)],
            is_preferred=True,
            edit=lsp.WorkspaceEdit(changes=changes),
        )


def _explained(rule: str) -> str:
    """Return a rule's documentation in Markdown."""
    item = page(rule)
    parts = [f"**{rule}** · {item.severity} · {item.what}", item.more]
    for title, block in (("Wrong:", item.wrong), ("Right:", item.right)):
        parts += [f"{title}\n\n```yaml\n{block}```"] if block else []
    return "\n\n".join([part for part in parts if part] + [f"Why: {item.why}"])


def _check_on_changes(server: _Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def _opened(params: lsp.DidOpenTextDocumentParams) -> None:
        await server.check(params.text_document.uri, analyses=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def _saved(params: lsp.DidSaveTextDocumentParams) -> None:
        await server.check(params.text_document.uri, analyses=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def _changed(params: lsp.DidChangeTextDocumentParams) -> None:
        uri, version = params.text_document.uri, params.text_document.version
        await asyncio.sleep(_REST)
        document = server.document(uri)
        if document is not None and document.version == version:
            await server.check(uri, analyses=False)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def _closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.seen.pop(uri, None)
        server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))


def _answer(server: _Server) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def _hovered(params: lsp.HoverParams) -> lsp.Hover | None:
        place = lsp.Range(params.position, params.position)
        rules = dict.fromkeys(i.rule for i, _ in server.at(params.text_document.uri, place))
        text = "\n\n---\n\n".join(map(_explained, rules))
        markup = lsp.MarkupContent(lsp.MarkupKind.Markdown, text)
        return lsp.Hover(markup) if rules else None

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix])
    )
    def _actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        uri = params.text_document.uri
        document = server.document(uri)
        touched = server.at(uri, params.range)
        places = _Places(document) if document else None
        return [places.action(uri, i, i.fix) for i, _ in touched if places and i.fix]


def serve() -> None:
    """Serve one editor over stdin and stdout until it says that it is done."""
    server = _Server()
    _check_on_changes(server)
    _answer(server)
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as pipe:  # closed at the end; stdout is not
        server.start_io(stdout=pipe)
