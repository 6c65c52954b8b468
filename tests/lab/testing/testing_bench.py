"""A workspace small enough to work out by hand, and tests against it.

`quick` is 8 x 1 / (1 + seconds): 4 at the cloud's prior of 1 s, 5.333336 at the local 0.5 s. So
far/big and far/small have 14 points each, near/m has 5.333336, and ties go to the lower cost: of
1,000 tokens in and 500 out $0.002 at far/small, $0.02 at far/big.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from llmroute.config.workspace import Workspace, read_workspace
from llmroute.lab.testing.testing import Results, run_tests

__all__ = ["POLICY", "SETTINGS", "beside", "read", "run", "write"]

FAR = """\
provider: far
locality: cloud
endpoint:
  transport: http
  protocol: openai-chat
  base_url: https://far.example.com/v1
  auth: {bearer: env:FAR_KEY}
defaults: {capabilities: {streaming: true}}
models:
  - model: big
    capabilities: {tools: true}
    cost: {input: 10, output: 20, date: "2026-11-22"}
  - {model: small, context_window: 5000, cost: {input: 1, output: 2, date: "2026-11-20"}}
"""
NEAR = """\
provider: near
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9", auth: none}
models:
  - {model: m, quality: {default: 0.5, source: made up, date: "2026-11-01"}}
"""
FINDER = """\
provider: finder
locality: local
endpoint: {transport: http, protocol: ollama-chat, base_url: "http://127.0.0.1:9", auth: none}
discover: {}
defaults: {cost: {input: 0, output: 0}}
"""
POLICY = """\
policy: p
require:
  - name: thrifty ones stay cheap
    when: contains(request.tags, 'thrifty')
    target: target.cost.input <= `1`
rules:
  - {name: far first, weight: 10, prefer: target.provider == 'far'}
  - {name: quick, weight: 8, prefer: {latency: {half: 1s}}}
  - name: hard ones to the big
    when: contains(request.tags, 'hard')
    weight: 5
    prefer: target.model == 'big'
"""
SETTINGS = """\
default_policy: p
inputs: {privacy: {enum: [private, public], default: public}}
require:
  - name: private stays local
    when: request.metadata.privacy == 'private'
    target: target.locality == 'local'
aliases: {mine: policy/p}
"""


def write(root: Path, policy: str = POLICY, settings: str = SETTINGS) -> Path:
    """Write the workspace."""
    for folder in ("providers.d", "policies"):
        (root / folder).mkdir(parents=True)
    for name, text in (("far", FAR), ("near", NEAR), ("finder", FINDER)):
        (root / "providers.d" / f"{name}.yaml").write_text(text)
    (root / "policies" / "p.yaml").write_text(policy)
    (root / "llmroute.yaml").write_text(settings)
    return root


def beside(root: Path, text: str, name: str = "p.test.yaml") -> Path:
    """Write a file of tests beside the policy; `text` is what stands under `tests:`."""
    path = root / "policies" / name
    path.write_text("policy: p\ntests:\n" + textwrap.indent(textwrap.dedent(text), "  "))
    return path


def read(root: Path) -> Workspace:
    """Read the workspace, which must be right; no key is set."""
    workspace, found = read_workspace(root, {})
    assert [item for item in found if item.severity == "error"] == []
    return workspace


def run(root: Path, text: str) -> Results:
    """Run tests that stand in a file beside the policy."""
    beside(root, text)
    return run_tests(read(root))
