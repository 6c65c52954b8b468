"""Print, per protocol, what of a request is sent, changed, dropped with a warning, or refused.

    python scripts/protocol_table.py

Found out by asking each protocol to write requests that hold one thing each.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from llmroute.adapter import Adapter  # noqa: E402
from llmroute.adapter.protocols import PROTOCOLS  # noqa: E402
from llmroute.catalog.declared import Declaration  # noqa: E402
from llmroute.catalog.model import Capabilities, Endpoint, Provider, Target  # noqa: E402
from llmroute.errors import TargetError  # noqa: E402
from llmroute.types import Request  # noqa: E402

_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_HI: dict[str, Any] = {"role": "user", "content": "hi"}
_NAMED = {"type": "function", "function": {"name": "f"}}
_SCHEMA = {"name": "s", "schema": {"type": "object"}}


def _image(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


#: What is tried: words → messages and fields of a request.
CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "system text": ([{"role": "system", "content": "s"}, _HI], {}),
    "images as data": (_image("data:image/png;base64,AAAA"), {}),
    "images by address": (_image("https://example.org/a.png"), {}),
    "tools": ([_HI], {"tools": [_TOOL]}),
    "a forced tool": ([_HI], {"tools": [_TOOL], "tool_choice": "required"}),
    "a named tool": ([_HI], {"tools": [_TOOL], "tool_choice": _NAMED}),
    "one tool at a time": ([_HI], {"tools": [_TOOL], "parallel_tool_calls": False}),
    "results of tools": (
        [
            _HI,
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
        ],
        {},
    ),
    "JSON": ([_HI], {"response_format": {"type": "json_object"}}),
    "JSON Schema": ([_HI], {"response_format": {"type": "json_schema", "json_schema": _SCHEMA}}),
    "reasoning_effort": ([_HI], {"reasoning_effort": "low"}),
    "max_tokens": ([_HI], {"max_tokens": 5}),
    "temperature": ([_HI], {"temperature": 0.5}),
    "top_p": ([_HI], {"top_p": 0.5}),
    "stop": ([_HI], {"stop": ["x"]}),
    "seed": ([_HI], {"seed": 1}),
    "user": ([_HI], {"user": "u"}),
}


def target(name: str, declared: dict[str, Declaration]) -> Target:
    """Return a target that can do everything its protocol can say."""
    command = ("x", ("{effort}", "{json_schema}", "{system}"))
    endpoint = Endpoint("http", name, base_url="http://x", command=command, declared=declared)
    able = Capabilities(**dict.fromkeys(Capabilities.names(), True))
    return Target("p/m", Provider("p", "cloud", endpoint), "m", "m", "cloud", capabilities=able)


def outcome(aim: Target, messages: list[dict[str, Any]], fields: dict[str, Any]) -> str:
    """Say what becomes of a request."""
    try:
        sent = Adapter().encode(aim, Request.of(messages, **fields), stream=False)
    except TargetError:
        return "refused"
    if any("dropped" in warning for warning in sent.warnings):
        return "dropped"
    return "changed" if sent.warnings else "sent"


def main() -> None:
    """Print the table."""
    files = sorted((ROOT / "protocols.d").glob("*.yaml"))
    declared = {path.stem: Declaration(yaml.safe_load(path.read_text())) for path in files}
    for name in sorted({*PROTOCOLS, *declared}):
        aim, found = target(name, declared), {}
        for words, (messages, fields) in CASES.items():
            found.setdefault(outcome(aim, messages, fields), []).append(words)
        print(f"{name}{' (YAML)' if name in declared else ''}")
        for how in ("sent", "changed", "dropped", "refused"):
            if how in found:
                line = f"  {how:8} {', '.join(found[how])}"
                print(textwrap.fill(line, 98, subsequent_indent=" " * 11))


if __name__ == "__main__":
    main()
