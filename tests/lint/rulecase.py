"""Small workspaces for the tests of rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import read_workspace
from llmroute.lint.project import Project
from llmroute.lint.registry import Rule, rules
from llmroute.policy.check import check_expressions

SETTINGS = """\
inputs:
  privacy: {enum: [private, internal, public], default: public}
  level: {enum: [1, 2, 3]}
  team: {type: string}
  free: {}
budgets: [{name: team, period: month, amount: 200}]
"""
CLOUD = """\
provider: cloud
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://api.example.com/v1"}
models:
  - model: small
    context_window: 128000
    capabilities: {streaming: true}
    cost: {input: 1, output: 2, source: list, date: "2026-11-01"}
"""
HOME = """\
provider: home
locality: local
endpoint: {transport: http, protocol: ollama-chat, base_url: "http://127.0.0.1:11434"}
discover: {}
"""


#: The day on which the tests of rules stand.
TODAY = date(2026, 11, 22)


def project(root: Path, files: Mapping[str, str]) -> Project:
    """Write files over a small right workspace and read it, on 2026-11-22."""
    everything = {
        "llmroute.yaml": SETTINGS,
        "providers.d/cloud.yaml": CLOUD,
        "providers.d/home.yaml": HOME,
        "policies/plain.yaml": "policy: plain\nrules: [{name: a, weight: 1, prefer: price}]\n",
        **files,
    }
    for name, text in everything.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    workspace, found = read_workspace(root, {})
    return Project(workspace, [*found, *check_expressions(workspace)], today=TODAY)


def rule(name: str) -> Rule:
    """Return a rule by its name."""
    return next(one for one in rules() if one.name == name)


def found(root: Path, name: str, files: Mapping[str, str]) -> list[Diagnostic]:
    """Return what one rule finds in a small workspace with these files."""
    return list(rule(name).check(project(root, files)))


def policy_of(place: str, text: str) -> tuple[str, int, int]:
    """Return a policy with an expression, and the line and column at which it begins.

    What YAML would not read as text is written in double quotes.
    """
    quoted = text[0] in "!`@[{&*\"'" or ": " in text or text.endswith(":")
    shown = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if quoted else text
    key = {"let": "  named: ", "when": "    when: ", "prefer": "    prefer: "}.get(
        place, "    target: "
    )
    heads = {
        "let": "policy: p\nlet:\n",
        "when": "policy: p\nrules:\n  - name: r\n    weight: 1\n    prefer: price\n",
        "prefer": "policy: p\nrules:\n  - name: r\n    weight: 1\n",
        "target": "policy: p\nrequire:\n  - name: r\n",
        "gated": "policy: p\nrequire:\n  - name: r\n    when: facts.code\n",
    }
    head = heads[place]
    return f"{head}{key}{shown}\n", head.count("\n") + 1, len(key) + 1 + quoted
