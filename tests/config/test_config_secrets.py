"""Secrets are found, and never seen: not in text, not in findings, wherever they were written."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest

from llmroute.config.redact import variable_name
from llmroute.config.secrets import Secret, SecretError, check_reference, resolve
from llmroute.config.source import Source, Span
from llmroute.config.workspace import read_workspace

CANARY = "canary-3f9d1c77"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", repr([secret])]
    assert not any(CANARY in text for text in shown)
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert secret != Secret("other")
    assert secret != CANARY


@pytest.mark.parametrize("copier", [pickle.dumps, copy.deepcopy])
def test_a_secret_cannot_be_copied_out(copier: object) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        copier(Secret(CANARY))  # type: ignore[operator]


@pytest.mark.parametrize("reference", ["env:KEY", "env:_K1", "file:key", "file:/run/secrets/k"])
def test_a_reference_is_well_formed(reference: str) -> None:
    assert check_reference(reference) is None


@pytest.mark.parametrize(
    "reference", ["env:", "env:MY-KEY", "env:1", "file:", "file: ", CANARY, ""]
)
def test_a_malformed_reference_is_told_without_showing_it(reference: str) -> None:
    problem = check_reference(reference)
    assert problem is not None
    assert "env:NAME" in problem or "file:" in problem
    assert CANARY not in problem


def test_a_secret_comes_from_a_variable(tmp_path: Path) -> None:
    assert resolve("env:KEY", {"KEY": " s3cret\n"}, tmp_path).reveal() == "s3cret"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_variable_is_named(value: str | None, tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"^set KEY$"):
        resolve("env:KEY", {} if value is None else {"KEY": value}, tmp_path)


def _file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_secret_comes_from_a_file_of_its_owner(tmp_path: Path) -> None:
    _file(tmp_path / "key", b"s3cret\n")
    assert resolve("file:key", {}, tmp_path).reveal() == "s3cret"
    assert resolve(f"file:{tmp_path}/key", {}, Path("/")).reveal() == "s3cret"
    assert resolve("file:~/key", {"HOME": str(tmp_path)}, Path("/")).reveal() == "s3cret"
    assert resolve("file:${DIR}/key", {"DIR": str(tmp_path)}, Path("/")).reveal() == "s3cret"


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"x", 0o640, "run chmod 600"),
        (b"x", 0o604, "run chmod 600"),
        (b"\n", 0o600, "is empty"),
        (CANARY.encode() + b"\xff", 0o600, "UTF-8"),
        (b"two\nlines", 0o600, "no header can carry"),
        (b"x" * 70_000, 0o600, "small regular file"),
    ],
)
def test_an_unfit_file_is_explained(
    content: bytes, mode: int, message: str, tmp_path: Path
) -> None:
    _file(tmp_path / "key", content, mode)
    with pytest.raises(SecretError, match=message) as caught:
        resolve("file:key", {}, tmp_path)
    assert caught.value.__cause__ is None
    assert CANARY not in str(caught.value)


def test_a_missing_file_a_folder_and_a_pipe_are_explained(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe", "nul\x00", "${UNSET}"):
        with pytest.raises(SecretError):
            resolve(f"file:{name}", {}, tmp_path)


PLACES = [
    "auth: CANARY",
    "auth: one,CANARY",
    "auth: {bearer: CANARY}",
    "auth: {baerer: CANARY}",
    "auth: {bearer: 'CANARY'}",
    'auth: {"bearer": "CANARY"}',
    "auth: {bearer: env:CANARY}",
    "auth: {header: x-api-key, value: CANARY}",
    "auth: {header: x-api-key, value: !CANARY}",
    "auth: [CANARY]",
    "auth: {CANARY}",
    "auth: {\n    bearer: CANARY\n  }",
    "auth: {header: x-api-key,\n    value: CANARY}",
    "auth: {bearer: env:a, extra: CANARY}",
    "auth:\n    bearer: CANARY",
    "auth:\n    berer: CANARY",
    "auth:\n    bearer: @CANARY",
    "auth:\n    bearer: *CANARY",
    "auth:\n    bearer: env:a\n    bearer: CANARY",
    "auth:\n    header: x-api-key\n    value: CANARY",
    "auth:\n    header: x-api-key\n    vlaue: CANARY",
    "auth:\n    header: x-api-key\n    value:\n      deeper: CANARY",
    "auth:\n    - CANARY",
    "auth:\n    CANARY",
    "auth: CANARY\n  auth: CANARY",
    "headers: {authorization: Bearer CANARY}",
    "headers:\n    x-api-key: CANARY",
    "headers:\n    x-api-key: one, CANARY",
    "base_url: https://me:CANARY@api.example.com",
    "base_url: https://CANARY@api.example.com",
    "base_url: me:CANARY@api.example.com",
    "base_url: https://api.example.com/v1?api_key=CANARY",
    "base_url: https://api.example.com/v1?v=1&k=CANARY",
    "base_url: 'https://api.example.com/v1?CANARY'",
    "base_url: https://api.example.com/v1#CANARY",
    "base_url: api.example.com/v1?api_key=CANARY",
    "base_url: ${URL:-https://api.example.com/v1?k=CANARY}",
    "base_url: >-\n    https://api.example.com/v1?access_token=CANARY",
    "auth: none\n  base_url:\n    'https://api.example.com/v1?key=CANARY'",
    "headers:\n    Authorization:Bearer CANARY",
]


@pytest.mark.parametrize("size", range(10, 60))
def test_a_secret_that_a_message_cuts_short_is_hidden(size: int, tmp_path: Path) -> None:
    text = (
        "provider: example\nlocality: cloud\nendpoint:\n  transport: http\n"
        f"  protocol: openai-chat\n  base_url: {'h' * size}?key={CANARY}\nmodels: [{{model: a}}]\n"
    )
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "providers.d" / "example.yaml").write_text(text, encoding="utf-8")
    found = read_workspace(tmp_path, {})[1]
    wrong = next(finding for finding in found if finding.rule == "schema-pattern")
    assert CANARY[:3] not in repr(wrong) + str(wrong)


def test_the_query_of_a_source_stays_readable() -> None:
    line = "source: https://example.com/prices?region=eu-west-1#batch-2026-11"
    shown = Source("a.yaml", line).finding("rule", "message", Span(1, 1, 1, 1)).source
    assert shown == line


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("${OPENAI_API_KEY}", "OPENAI_API_KEY"),
        ("$OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("MY_KEY_2", "MY_KEY_2"),
        ("${KEY:-my-own-password}", None),
        ("JBSWY3DPEHPK3PXP", None),
        ("A1B2C3_99812345", None),
        ("my_password", None),
        ("${KEY} my-own-password", None),
    ],
)
def test_only_the_name_of_a_variable_is_no_secret(value: str, name: str | None) -> None:
    assert variable_name(value) == name
    line = f'auth: {{bearer: "{value}", header: x-api-key}}'
    shown = Source("a.yaml", line).finding("rule", "message", Span(1, 1, 1, 1)).source
    assert shown is not None
    if name:
        assert shown == line
    else:
        assert value[:12] not in shown
        assert "password" not in shown


@pytest.mark.parametrize("place", PLACES)
def test_no_finding_shows_what_may_be_a_secret(place: str, tmp_path: Path) -> None:
    url = "" if "base_url" in place else "  base_url: https://api.example.com\n"
    text = (
        "provider: example\nlocality: cloud\nendpoint:\n  transport: http\n"
        f"  protocol: openai-chat\n{url}  {place.replace('CANARY', CANARY)}\n"
        "models: [{model: a}]\n"
    )
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "providers.d" / "example.yaml").write_text(text, encoding="utf-8")
    workspace, findings = read_workspace(tmp_path, {})
    own = [finding for finding in findings if finding.file.endswith("example.yaml")]
    assert [finding for finding in own if finding.severity == "error"]
    assert not any(CANARY in repr(finding) + str(finding) for finding in own)
    assert not workspace.providers


def test_a_workspace_does_not_show_its_environment(tmp_path: Path) -> None:
    workspace, _ = read_workspace(tmp_path, {"KEY": CANARY})
    assert CANARY not in repr(workspace)
    with pytest.raises(TypeError):
        pickle.dumps(workspace)
