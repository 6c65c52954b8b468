"""What is documented of the rules of the JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "schema-date": (
        "error",
        """A date does not exist.

Wrong:
    models:
      - model: small
        cost: {input: 1, output: 2, date: 2026-02-30}

Right:
    models:
      - model: small
        cost: {input: 1, output: 2, date: 2026-02-28}

Why: Whether a price is still valid is decided by its dates.
""",
    ),
    "schema-duplicate": (
        "error",
        """A name or item is there twice.

Wrong:
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: cheap, weight: 5, prefer: reliability}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: reliable, weight: 5, prefer: reliability}

Why: Rules are told apart by their names: in explanations, in tests, and where a policy that
extends this one replaces one of them.
""",
    ),
    "schema-enum": (
        "error",
        """A value is not one of those allowed.

Wrong:
    provider: example
    locality: clod

Right:
    provider: example
    locality: cloud

Why: A word that nothing knows has no meaning; a guess could send prompts to the wrong place.
""",
    ),
    "schema-exclusive": (
        "error",
        """Keys exclude each other.

Wrong:
    rules: []
    tests:
      - name: both
        request: {prompt: hi, messages: [{role: user, content: hi}]}
        expect: {error: false}

Right:
    rules: []
    tests:
      - name: one
        request: {prompt: hi}
        expect: {error: false}

Why: The two say the same thing in different ways, and nothing says which one counts.
""",
    ),
    "schema-key-name": (
        "error",
        """A key is not named as keys are in this place.

Wrong:
    let:
      is-code: facts.code
    rules: []

Right:
    let:
      is_code: facts.code
    rules: []

Why: In an expression `is-code` is no name, and a name of a root (`request`, `target`, …) would
hide it.
""",
    ),
    "schema-length": (
        "error",
        """A list, map or text has too few or too many items.

Wrong:
    rules:
      - {name: "", weight: 10, prefer: price}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}

Why: An empty name cannot be shown in an explanation, an empty list usually is an unfinished one.
""",
    ),
    "schema-missing-key": (
        "error",
        """A key is missing.

Wrong:
    rules:
      - {name: cheap, prefer: price}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}

Why: What the key says has no default that would be right for everybody.
""",
    ),
    "schema-multiple": (
        "error",
        """A number has too many decimals.

Wrong:
    rules:
      - {name: cheap, weight: 10.0005, prefer: price}

Right:
    rules:
      - {name: cheap, weight: 10.001, prefer: price}

Why: Scores are exact integers of a millionth of a point; weights have at most three decimals so
that no product is ever rounded.
""",
    ),
    "schema-other": (
        "error",
        """A value breaks another rule of the schema.

Why: The schemas use few keywords, and each has a rule of its own here; this one covers keywords
that a later schema may add.
""",
    ),
    "schema-pattern": (
        "error",
        """A text does not have the form that is wanted.

Wrong:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none
      timeouts: {connect: 5 seconds}

Right:
    provider: example
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none
      timeouts: {connect: 5s}

Why: Durations, dates, names and references have one form each, so that none is guessed at.
""",
    ),
    "schema-range": (
        "error",
        """A number is too small or too large.

Wrong:
    rules: []
    fallback: {attempts: 0}

Right:
    rules: []
    fallback: {attempts: 1}

Why: Beyond these bounds a number means nothing, or something that nobody wants: no attempt at
all, or a thousand.
""",
    ),
    "schema-type": (
        "error",
        """A value has the wrong type.

Wrong:
    rules:
      - {name: cheap, weight: "10", prefer: price}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}

Why: Types are not converted silently. `--fix` takes the quotes from a number or truth value.
""",
    ),
    "schema-unknown-key": (
        "error",
        """A key is not known here.

Wrong:
    rules:
      - {name: cheap, wieght: 10, prefer: price}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}

Why: A misspelt key that is skipped silently takes its meaning with it: a limit that does not
hold, a requirement that is not there. `--fix` corrects it where only one known key is close.
""",
    ),
}
