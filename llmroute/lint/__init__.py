"""Lint: every finding about the files of a workspace, its printers, and the safe fixes."""

from llmroute.lint.check import lint, lint_workspace
from llmroute.lint.formats.records import to_records
from llmroute.lint.render import render, summary
from llmroute.lint.rules import RULES

__all__ = ["RULES", "lint", "lint_workspace", "render", "summary", "to_records"]
