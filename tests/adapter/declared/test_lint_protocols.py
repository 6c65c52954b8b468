"""Broken protocol files, each with all that lint says of it: file, line, column, help.

Each golden file holds the source, a line of dashes and the findings. `local` protocols of a
workspace are refused when it is loaded, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.workspace import read_workspace
from llmroute.errors import ConfigError
from llmroute.lint import lint
from llmroute.router import Router
from tests.adapter.declared.foreign import ROOT, SHIPPED

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
PROVIDER = """\
provider: p
locality: local
endpoint: {transport: http, protocol: PROTOCOL, base_url: "http://127.0.0.1:9"}
models: [{model: m, cost: {input: 0, output: 0}}]
"""
GOOD = """\
protocol: example
request: {path: /chat, body: {text: =prompt}}
response: {text: text, finish: "'stop'"}
finish: {stop: stop}
"""


def _workspace(root: Path, source: str, protocol: str = "example") -> Path:
    (root / "protocols.d").mkdir()
    (root / "providers.d").mkdir()
    (root / "protocols.d/example.yaml").write_text(source)
    (root / "providers.d/p.yaml").write_text(PROVIDER.replace("PROTOCOL", protocol))
    return root


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_a_broken_protocol_is_explained(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, expected = golden.read_text().split("----------\n")
    root = _workspace(tmp_path, source, "ollama-chat")
    monkeypatch.chdir(root)
    found = [item for item in lint([root], {}) if item.file.startswith("protocols.d")]
    assert "\n".join(map(str, found)) == expected.rstrip("\n")
    with pytest.raises(ConfigError):
        Router.load(root, environment={})


def test_there_are_golden_files() -> None:
    assert len(GOLDEN) >= 20


def test_a_right_protocol_is_loaded_with_its_workspace(tmp_path: Path) -> None:
    root = _workspace(tmp_path, GOOD)
    assert [item for item in lint([root], {}) if item.severity == "error"] == []
    with Router.load(root, environment={}) as router:
        (target,) = router.targets
    assert target.provider.endpoint.protocol == "example"
    assert set(target.provider.endpoint.declared) == {"example"}


def test_two_workspaces_do_not_share_a_protocol(tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    for root, place in zip(roots, ("text", "answer"), strict=True):
        root.mkdir()
        _workspace(root, GOOD.replace("response: {text: text", f"response: {{text: {place}"))
    from llmroute.adapter.protocols import protocol

    said = []
    for root in roots:
        with Router.load(root, environment={}) as router:
            (target,) = router.targets
        dialect = protocol("example", target.provider.endpoint.declared)
        said.append(dialect.decode({"text": "one", "answer": "two"}, target).text)
    assert said == ["one", "two"]


def test_an_unknown_protocol_and_one_for_another_transport(tmp_path: Path) -> None:
    root = _workspace(tmp_path, GOOD, "exmaple")
    (found,) = [item for item in lint([root], {}) if item.severity == "error"]
    assert (found.rule, found.line, found.col) == ("unknown-protocol", 3, 39)
    assert found.help == 'did you mean "example"?'
    (root / "providers.d/p.yaml").write_text(PROVIDER.replace("PROTOCOL", "gemini-cli"))
    (found,) = [item for item in lint([root], {}) if item.severity == "error"]
    assert found.rule == "protocol-transport"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_protocols_are_right(name: str, tmp_path: Path) -> None:
    root = _workspace(tmp_path, GOOD)
    (root / f"protocols.d/{name}.yaml").write_text((ROOT / f"protocols.d/{name}.yaml").read_text())
    assert [item for item in lint([root], {}) if item.file.endswith(f"{name}.yaml")] == []


def test_shipped_protocols_are_read_only_where_they_are_named(tmp_path: Path) -> None:
    root = _workspace(tmp_path, GOOD, "google-gemini")
    workspace, found = read_workspace(root, {})
    assert found == []
    assert set(workspace.protocols) == {"example", "google-gemini"}
    (root / "providers.d/p.yaml").write_text(PROVIDER.replace("PROTOCOL", "ollama-chat"))
    assert set(read_workspace(root, {})[0].protocols) == {"example"}


def test_a_protocol_changes_the_fingerprint(tmp_path: Path) -> None:
    root = _workspace(tmp_path, GOOD)
    before = read_workspace(root, {})[0].fingerprint
    (root / "protocols.d/example.yaml").write_text(GOOD.replace("/chat", "/talk"))
    assert read_workspace(root, {})[0].fingerprint != before


def test_a_file_on_its_own_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(GOOD.replace("=prompt", "=promt"))
    (found,) = lint([path], {})
    assert (found.rule, found.line, found.col) == ("unknown-field", 2, 38)


def test_the_names_of_built_in_protocols() -> None:
    from llmroute.adapter.protocols import PROTOCOLS
    from llmroute.config.protocols import BUILT_IN

    assert frozenset(PROTOCOLS) == BUILT_IN


def test_the_kinds_in_the_schema_are_those_of_errors() -> None:
    import json

    from llmroute.config.schema import schema_text
    from llmroute.errors import ErrorKind

    schema = json.loads(schema_text("protocol"))
    kinds = schema["properties"]["errors"]["properties"]["kinds"]["items"]["properties"]["kind"]
    # `internal` is a fault of this program's own: no answer of a provider says it
    assert set(kinds["enum"]) == set(ErrorKind) - {ErrorKind.INTERNAL}


def test_the_capabilities_in_the_schema_are_those_of_models() -> None:
    import json

    from llmroute.catalog.model import Capabilities
    from llmroute.config.schema import schema_text

    item = json.loads(schema_text("protocol"))["properties"]["discovery"]["properties"]["item"]
    able = item["properties"]["capabilities"]["propertyNames"]["enum"]
    assert tuple(able) == Capabilities.names()
