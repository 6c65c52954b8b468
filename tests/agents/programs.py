"""Targets that call the real agent CLIs, which ask a simulated provider on loopback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from llmroute.catalog.model import Target
from tests.adapter.declared.commands import COMMANDS
from tests.adapter.declared.foreign import target_of

__all__ = ["codex", "gemini"]


def _environment(home: Path) -> dict[str, str]:
    node = Path(str(shutil.which("node"))).parent
    return {"PATH": f"{node}:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home)}


def codex(url: str, home: Path, model: str = "gpt-6-sol") -> Target:
    """Return a target of the Codex CLI that asks a server of OpenAI's, without retries."""
    server = f'name="x",base_url="{url}/v1",env_key="K",wire_api="responses"'
    ours = f"model_providers.x={{{server},request_max_retries=0,stream_max_retries=0}}"
    options = ("--ignore-user-config", "-c", 'model_provider="x"', "-c", ours, "-")
    return target_of(
        "codex-exec",
        model=model,
        transport="process",
        command=(str(shutil.which("codex")), *COMMANDS["codex-exec"][1:-1], *options),
        environment={**_environment(home), "CODEX_HOME": str(home), "K": "sk-1"},
    )


def gemini(url: str, home: Path, model: str = "gemini-2.5-flash") -> Target:
    """Return a target of the Gemini CLI that asks a server of Google's, once."""
    settings = home / ".gemini" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    chosen = {"auth": {"selectedType": "gemini-api-key"}}
    settings.write_text(json.dumps({"security": chosen, "general": {"maxAttempts": 1}}))
    return target_of(
        "gemini-cli",
        model=model,
        transport="process",
        command=(str(shutil.which("gemini")), *COMMANDS["gemini-cli"][1:]),
        environment={
            **_environment(home),
            "GEMINI_API_KEY": "sim",
            "GOOGLE_GEMINI_BASE_URL": url,
        },
    )
