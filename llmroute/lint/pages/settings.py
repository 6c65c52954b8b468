"""What is documented of the rules about policies, the workspace file, and what they name."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "alias-name": (
        "error",
        """An alias has the name of a provider, or that of a policy for which it does not stand.

Wrong:
    # llmroute.yaml
    aliases: {cloud: policy/plain}

Right:
    # llmroute.yaml
    aliases: {quick: policy/plain}

Why: Where a name means both, a request that names it goes to one of the two by chance. An alias
comes before a policy, so that `private: policy/cheapest` would take the policy `private` away from
all who name it, the default included.
""",
    ),
    "budget-unenforced": (
        "error",
        """Budgets stand beside `ledger: false`, so that nothing counts what was spent.

Wrong:
    # llmroute.yaml
    ledger: false
    budgets:
      - {name: team, scope: {tag: research}, period: month, amount: 200, hard: true}

Right:
    # llmroute.yaml
    budgets:
      - {name: team, scope: {tag: research}, period: month, amount: 200, hard: true}

Why: The ledger holds budgets. Without it a hard one would refuse nothing, and conditions would read
null as the spent share of any: a limit that does nothing must not look safe.
""",
    ),
    "input-default": (
        "error",
        """The default of an input is not one of its values.

Wrong:
    # llmroute.yaml
    inputs:
      privacy: {enum: [private, public], default: open}

Right:
    # llmroute.yaml
    inputs:
      privacy: {enum: [private, public], default: public}

Why: Every request without the label would carry a value that callers may not give, and that no
condition expects.
""",
    ),
    "policy-extends": (
        "error",
        """A policy extends itself.

Wrong:
    # policies/one.yaml
    policy: one
    extends: two
    # policies/two.yaml
    policy: two
    extends: one

Right:
    # policies/one.yaml
    policy: one
    extends: two
    # policies/two.yaml
    policy: two
    rules: []

Why: There is no first policy to begin with.
""",
    ),
    "policy-name": (
        "error",
        """A policy's name differs from its file's.

Wrong:
    # policies/example.yaml
    policy: other
    rules: []

Right:
    # policies/example.yaml
    policy: example
    rules: []

Why: A policy is found by its file and named by its key; two names would be two policies to the
reader.
""",
    ),
    "timezone": (
        "error",
        """A time zone does not exist.

Wrong:
    # llmroute.yaml
    timezone: Europe/Wien

Right:
    # llmroute.yaml
    timezone: Europe/Vienna

Why: `now.hour`, `now.weekday` and the days of budgets are those of this zone.
""",
    ),
    "unknown-policy": (
        "error",
        """A policy is named that does not exist.

Wrong:
    # llmroute.yaml
    default_policy: plane

Right:
    # llmroute.yaml
    default_policy: plain

Why: Requests would fail one by one, at run time, with this very message.
""",
    ),
    "unknown-provider": (
        "error",
        """A provider is named that does not exist.

Wrong:
    # llmroute.yaml
    aliases: {quick: clouds/small}

Right:
    # llmroute.yaml
    aliases: {quick: cloud/small}

Why: An alias of nothing fails when it is used, and a budget of nothing never counts.
""",
    ),
}
