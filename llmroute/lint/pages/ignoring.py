"""What is documented of the rules about comments that ignore findings."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "ignore-reason": (
        "warning",
        """A comment ignores a finding without a reason.

Wrong:
    models:
      # llmroute: ignore[price-missing]
      - {model: small, capabilities: {streaming: true}}

Right:
    models:
      # llmroute: ignore[price-missing] the contract is not signed yet
      - {model: small, capabilities: {streaming: true}}

Why: Who reads the file later must be able to judge whether the reason still holds. Without one
the finding stays.
""",
    ),
    "ignore-unknown": (
        "warning",
        """A comment ignores a rule that does not exist.

Wrong:
    models:
      # llmroute: ignore[price-mising] the contract is not signed yet
      - {model: small, capabilities: {streaming: true}}

Right:
    models:
      # llmroute: ignore[price-missing] the contract is not signed yet
      - {model: small, capabilities: {streaming: true}}

Why: It ignores nothing, though it looks as if it did. `llmroute lint --rules` lists the rules.
""",
    ),
    "ignore-unused": (
        "warning",
        """A comment ignores a finding that is not there, or one that cannot be ignored.

Wrong:
    models:
      # llmroute: ignore[price-missing] the contract is not signed yet
      - {model: small, capabilities: {streaming: true}, cost: {input: 1, output: 2}}

Right:
    models:
      - {model: small, capabilities: {streaming: true}, cost: {input: 1, output: 2}}

Why: It would hide the next finding of that rule on its line, which nobody has judged. Errors that
make a file unloadable cannot be ignored. `--fix` removes the comment.
""",
    ),
}
