"""The command of each agent program, as the documentation writes it."""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "codex-exec": (
        "codex",
        "exec",
        "--json",
        "--skip-git-repo-check",
        "--ephemeral",
        "--sandbox",
        "read-only",
        ("--model", "{model}"),
        ("-c", "model_instructions_file={system_file}"),
        ("-c", "model_reasoning_effort={effort}"),
        ("--output-schema", "{json_schema_file}"),
        "-",
    ),
    "gemini-cli": (
        "gemini",
        "-o",
        "json",
        "--skip-trust",
        "--approval-mode",
        "plan",
        ("--model", "{model}"),
    ),
}
