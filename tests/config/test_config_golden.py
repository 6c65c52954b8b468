"""Each golden file: the input, a line of dashes, and all that is printed about it.

The file's name begins with the kind of file it stands for. The expected text was written by hand
from the rules, and holds positions, excerpts, carets and help.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.workspace import read_workspace

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
PLACES = {
    "provider": Path("providers.d/example.yaml"),
    "policy": Path("policies/example.yaml"),
    "workspace": Path("llmroute.yaml"),
}


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_a_broken_file_is_explained(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, expected = golden.read_text(encoding="utf-8").split("\n----------\n")
    place = PLACES[golden.stem.split("-")[0]]
    target = tmp_path / place
    target.parent.mkdir(exist_ok=True)
    target.write_text(source + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    _, findings = read_workspace(tmp_path, {})

    printed = "\n".join(str(finding) for finding in findings if finding.file == str(place))
    assert printed == expected.rstrip("\n")


def test_there_are_golden_files() -> None:
    assert len(GOLDEN) > 30
