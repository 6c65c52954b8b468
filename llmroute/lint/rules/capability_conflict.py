"""What is declared of a model's abilities contradicts itself.

Wrong:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true, forced_tool_choice: true}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Right:
    provider: example
    models:
      - model: small
        capabilities: {streaming: true, tools: true, forced_tool_choice: true}
        cost: {input: 1, output: 2, date: "2026-11-01"}

Why: A capability that is not declared is off. A model that cannot call tools cannot be made to
call one, and a field that its wire rejects cannot carry what it is said to be able to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.registry import Rule
from llmroute.lint.rules._models import Model, models

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

#: Request fields without which a capability cannot be used.
_CARRIES = {"tools": "tools", "response_format": "json_schema", "stream": "streaming"}


def _check(project: Project) -> Iterator[Diagnostic]:
    for model in models(project):
        yield from _tools(model)
        yield from _rejected(model)


def _tools(model: Model) -> Iterator[Diagnostic]:
    able = model.data.get("capabilities") or {}
    unknown = model.discovered and "tools" not in able
    if able.get("tools") or unknown:
        return
    if able.get("forced_tool_choice"):
        message = f"{model.name} obeys a forced tool choice, but has no tools"
        place = ("capabilities", "forced_tool_choice")
        yield model.finding(RULE.name, message, *place, help="write tools: true, or leave both out")
    if (model.data.get("wire") or {}).get("with_tools"):
        message = f"{model.name} has fields for requests with tools, but no tools"
        help_text = "write tools: true under capabilities, or with_tools: {}"
        yield model.finding(RULE.name, message, "wire", "with_tools", key=True, help=help_text)


def _rejected(model: Model) -> Iterator[Diagnostic]:
    able = model.data.get("capabilities") or {}
    for index, name in enumerate((model.data.get("wire") or {}).get("reject") or ()):
        capability = _CARRIES.get(name)
        if capability and able.get(capability):
            message = f"{model.name} rejects the field {name}, without which it has no {capability}"
            help_text = f"write {capability}: false, or take {name} out of reject"
            yield model.finding(RULE.name, message, "wire", "reject", index, help=help_text)


RULE = Rule("capability-conflict", "warning", _check)
