"""Lint: every finding about the files of a workspace, and how findings are printed."""

from llmroute.lint.check import lint, lint_workspace
from llmroute.lint.render import render, summary, to_records
from llmroute.lint.rules import RULES

__all__ = ["RULES", "lint", "lint_workspace", "render", "summary", "to_records"]
