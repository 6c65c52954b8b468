"""The command line: `llmroute COMMAND`, one file per command."""

from llmroute.cli.app import main

__all__ = ["main"]
