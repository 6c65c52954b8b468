"""A workspace to compare, and git.

far/big costs $10 and $20 a million tokens, far/small $1 and $2, home/m nothing: the rules put
far/big first, far/small second, home/m third.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

FAR = """\
provider: far
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://f.example/v1", auth: none}
defaults: {capabilities: {streaming: true, tools: true, json_schema: true}}
models:
  - model: big
    quality: {default: 0.9, source: x, date: "2026-01-01"}
    cost: {input: 10, output: 20}
  - model: small
    quality: {default: 0.6, source: x, date: "2026-01-01"}
    cost: {input: 1, output: 2}
"""
HOME = """\
provider: home
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9", auth: none}
defaults: {capabilities: {streaming: true, tools: true, json_schema: true}}
models:
  - {model: m, cost: {input: 0, output: 0}}
"""
POLICY = """\
policy: mine
rules:
  - {name: big, weight: 3, prefer: target.id == 'far/big'}
  - {name: small, weight: 2, prefer: target.id == 'far/small'}
"""
KEPT = """\
require:
  - name: secrets stay
    when: contains(request.tags, 'secret')
    target: target.locality == 'local'
"""
SETTINGS = "default_policy: mine\naliases: {quick: policy/mine}\n"
MOVE = "far/big → home/m"


def write(root: Path, **files: str) -> Path:
    """Write a workspace; file names by their stem."""
    made = {"far": FAR, "home": HOME, "mine": POLICY, "llmroute": SETTINGS, **files}
    folders = {"far": "providers.d", "home": "providers.d", "llmroute": "."}
    for name, text in made.items():
        path = root / folders.get(name, "policies") / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)
