"""What is documented of the rules about expressions."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "bare-number": (
        "error",
        """A number stands without backticks.

Wrong:
    rules:
      - {name: short prompts, weight: 10, when: facts.tokens < 1000, prefer: price}

Right:
    rules:
      - {name: short prompts, weight: 10, when: facts.tokens < `1000`, prefer: price}

Why: In JMESPath numbers, true, false and null are JSON between backticks; without them a number
is no expression.
""",
    ),
    "bare-word": (
        "error",
        """A word without quotes stands where text or a number is compared.

Wrong:
    require:
      - {name: stays local, target: target.locality == local}

Right:
    require:
      - {name: stays local, target: target.locality == 'local'}

Why: A bare word is the name of a field, so that the comparison is one with null: it never holds,
or with `!=` always.
""",
    ),
    "double-quotes": (
        "error",
        """Text stands in double quotes, which JMESPath reads as the name of a field.

Wrong:
    require:
      - name: stays local
        target: target.locality == "local"

Right:
    require:
      - name: stays local
        target: target.locality == 'local'

Why: Only single quotes make text; in double quotes stands a field's name, and the comparison is
one with null.
""",
    ),
    "expression-syntax": (
        "error",
        """An expression is not JMESPath.

Wrong:
    rules:
      - {name: home, weight: 10, prefer: "contains(target.specializations, 'code'"}

Right:
    rules:
      - {name: home, weight: 10, prefer: "contains(target.specializations, 'code')"}

Why: Text is written in 'single quotes', numbers and truth values in `backticks`. What cannot be
read cannot be evaluated, so a policy with such an expression is not loaded.
""",
    ),
    "function-arity": (
        "error",
        """A function is called with too few or too many arguments.

Wrong:
    rules:
      - {name: coders, weight: 10, prefer: "contains(target.specializations)"}

Right:
    rules:
      - {name: coders, weight: 10, prefer: "contains(target.specializations, 'code')"}

Why: Such a call fails on every request.
""",
    ),
    "let-redefined": (
        "error",
        """A policy defines a name again that one which it extends has defined.

Wrong:
    # policies/base.yaml
    policy: base
    let: {urgent: "contains(request.tags, 'urgent')"}
    rules: []
    # policies/child.yaml
    policy: child
    extends: base
    let: {urgent: facts.code}

Right:
    # policies/base.yaml
    policy: base
    let: {urgent: "contains(request.tags, 'urgent')"}
    rules: []
    # policies/child.yaml
    policy: child
    extends: base
    let: {coding: facts.code}

Why: The requirements of the parent read the name too, and would get another meaning.
""",
    ),
    "let-shadows-root": (
        "error",
        """A name under let is the name of a root.

Why: `request`, `facts`, `target`, `estimate`, `live`, `budget` and `now` mean the same in every
policy. The schema refuses them as names (`schema-key-name`); this rule covers roots that the
schema does not know yet.
""",
    ),
    "prefer-half": (
        "error",
        """The preferences cost, latency and throughput need their half.

Wrong:
    rules:
      - {name: fast, weight: 10, prefer: latency}

Right:
    rules:
      - {name: fast, weight: 10, prefer: {latency: {half: 2s}}}

Why: `half` is the value that is worth half of the weight. It states what a second or a dollar is
worth to you, which nobody else can know.
""",
    ),
    "unknown-field": (
        "error",
        """An expression reads a field that does not exist.

Wrong:
    require:
      - {name: private stays local, target: target.localty == 'local'}

Right:
    require:
      - {name: private stays local, target: target.locality == 'local'}

Why: In JMESPath a field that does not exist is null, without an error: the condition above would
never hold, or with `!=` always.
""",
    ),
    "unknown-function": (
        "error",
        """An expression calls a function that does not exist.

Wrong:
    rules:
      - {name: coders, weight: 10, prefer: "contain(target.specializations, 'code')"}

Right:
    rules:
      - {name: coders, weight: 10, prefer: "contains(target.specializations, 'code')"}

Why: Such a call fails on every request. The functions are those of JMESPath.
""",
    ),
    "unclosed-quote": (
        "error",
        """A quote or backtick that opens a text is not closed.

Wrong:
    rules:
      - {name: coding, weight: 10, when: facts.task == 'code, prefer: quality}

Right:
    rules:
      - {name: coding, weight: 10, when: facts.task == 'code', prefer: quality}

Why: Nothing tells where the text ends, so the rest of the expression cannot be read.
""",
    ),
}
