"""Workspaces of one provider that asks a simulator for its models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmroute import Router

POLICY = "policy: balanced\nrules:\n  - {name: cheap, weight: 1, prefer: price}\n"


def load(
    folder: Path, text: str, environment: Mapping[str, str] | None = None, **options: Any
) -> Router:
    """Load a workspace whose only provider file, named after its provider, holds `text`."""
    for part in ("policies", "providers.d"):
        (folder / part).mkdir(exist_ok=True)
    (folder / "policies" / "balanced.yaml").write_text(POLICY)
    name = next(line for line in text.splitlines() if line.startswith("provider: ")).split()[1]
    (folder / "providers.d" / f"{name}.yaml").write_text(text)
    return Router.load(folder, environment=environment or {}, **options)
