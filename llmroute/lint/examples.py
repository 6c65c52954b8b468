"""The examples of the documentation as workspaces that can be linted.

An example is one or more files. A line `# FOLDER/NAME.yaml` (or `# llmroute.yaml`) alone begins a
file; text without one is a policy, a provider or the workspace file by its keys. Required keys
that it leaves out are added at its end, and the files that it does not show are small and right.
An example of which every line begins with `$ ` is shell commands, run in such a workspace.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["files_of", "write_example"]

_FILE = re.compile(
    r"^# ((?:(?:providers\.d|policies|protocols\.d)/)?[\w.-]+\.ya?ml)[ \t]*\n", re.MULTILINE
)
_KEY = re.compile(r"^[\"']?(\w+)[\"']?[ \t]*:", re.MULTILINE)
_POLICY = frozenset({"policy", "rules", "let", "select", "fallback", "tests", "extends"})
_PROVIDER = frozenset(
    {"provider", "endpoint", "models", "limits", "discover", "defaults", "locality"}
)

_MODELS = """\
models:
  - model: small
    context_window: 128000
    max_output: 16000
    capabilities: {tools: true, streaming: true}
    quality: {default: 0.5, source: https://example.com/scores, date: 2026-09-01}
    cost: {input: 0.2, output: 0.8, source: https://example.com/prices, date: 2026-09-01}
  - model: large
    context_window: 200000
    max_output: 64000
    capabilities: {tools: true, streaming: true, vision: true, json_schema: true}
    specializations: [code]
    quality: {default: 0.8, source: https://example.com/scores, date: 2026-09-01}
    cost: {input: 3, output: 15, source: https://example.com/prices, date: 2026-09-01}
"""
_CLOUD = {
    "provider": "provider: {name}\n",
    "locality": "locality: cloud\n",
    "endpoint": (
        "endpoint: {{transport: http, protocol: openai-chat, "
        "base_url: https://api.example.com/v1, auth: {{bearer: env:EXAMPLE_KEY}}}}\n"
    ),
    "models": _MODELS.replace("{", "{{").replace("}", "}}"),
}
_LOCAL = """\
provider: home
locality: local
endpoint:
  {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:8000/v1", auth: none}
models:
  - model: tiny
    context_window: 32000
    max_output: 4000
    capabilities: {streaming: true}
    parameters: 8B
    cost: {input: 0, output: 0}
"""
_RULES = "rules:\n  - {name: cheap, weight: 10, prefer: price}\n"
_MINIMAL = {"policy": "policy: {name}\n", "rules": _RULES.replace("{", "{{").replace("}", "}}")}


def files_of(example: str) -> Mapping[str, str]:
    """Return the files of an example, by their path in the workspace."""
    head, *parts = _FILE.split(example)
    named = dict(zip(parts[::2], parts[1::2], strict=True))
    if head.strip() or not named:
        named = {_place(head): head, **named}
    shown = {place: _completed(place, text) for place, text in named.items()}
    return {**_others(shown), **shown}


def write_example(example: str, root: Path) -> None:
    """Write an example's workspace to an empty folder, and run its commands if it is such."""
    lines = example.splitlines()
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    for place, text in (_others({}) if commands else files_of(example)).items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for command in commands:
        subprocess.run(["/bin/sh", "-c", command], cwd=root, check=True)  # noqa: S603 - our own


def _place(text: str) -> str:
    keys = set(_KEY.findall(text))
    if keys & _POLICY:
        return "policies/example.yaml"
    return "providers.d/example.yaml" if keys & _PROVIDER else "llmroute.yaml"


def _completed(place: str, text: str) -> str:
    """Add the required keys that a text lacks."""
    folder, _, file = place.rpartition("/")
    parts = {"providers.d": _CLOUD, "policies": _MINIMAL}.get(folder, {})
    keys = set(_KEY.findall(text))
    skipped = {"models"} if "discover" in keys else {"rules"} if "extends" in keys else set()
    name = file.removesuffix(".yaml")
    added = [part.format(name=name) for key, part in parts.items() if key not in keys | skipped]
    return "".join([text if not text or text.endswith("\n") else f"{text}\n", *added])


def _others(shown: Mapping[str, str]) -> dict[str, str]:
    """Return the files that an example does not show."""
    folders = {place.rpartition("/")[0] for place in shown}
    more = {}
    if "providers.d" not in folders:
        more["providers.d/cloud.yaml"] = _completed("providers.d/cloud.yaml", "")
        more["providers.d/home.yaml"] = _LOCAL
    if "policies" not in folders:
        more["policies/plain.yaml"] = _completed("policies/plain.yaml", "")
    return more
