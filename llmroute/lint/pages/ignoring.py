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
    # llmroute.yaml
    # llmroute: ignore[budget-unenforced]
    budgets: [{name: team, scope: {tag: a}, period: month, amount: 200, hard: true}]

Right:
    # llmroute.yaml
    # llmroute: ignore[budget-unenforced] read by our own accounting
    budgets: [{name: team, scope: {tag: a}, period: month, amount: 200, hard: true}]

Why: Who reads the file later must be able to judge whether the reason still holds. Without one
the finding stays.
""",
    ),
    "ignore-unknown": (
        "warning",
        """A comment ignores a rule that does not exist.

Wrong:
    # llmroute.yaml
    # llmroute: ignore[budget-unforced] read by our own accounting
    budgets: [{name: team, scope: {tag: a}, period: month, amount: 200, hard: true}]

Right:
    # llmroute.yaml
    # llmroute: ignore[budget-unenforced] read by our own accounting
    budgets: [{name: team, scope: {tag: a}, period: month, amount: 200, hard: true}]

Why: It ignores nothing, though it looks as if it did. `llmroute lint --rules` lists the rules.
""",
    ),
    "ignore-unused": (
        "warning",
        """A comment ignores a finding that is not there, or one that cannot be ignored.

Wrong:
    # llmroute.yaml
    # llmroute: ignore[budget-unenforced] read by our own accounting
    default_policy: plain

Right:
    # llmroute.yaml
    default_policy: plain

Why: It would hide the next finding of that rule on its line, which nobody has judged. Errors that
make a file unloadable cannot be ignored. `--fix` removes the comment.
""",
    ),
}
