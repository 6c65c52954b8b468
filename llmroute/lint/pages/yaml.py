"""What is documented of the rules of strict YAML."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "yaml-alias": (
        "error",
        """Anchors and aliases are not allowed.

Wrong:
    rules:
      - {name: cheap, weight: &w 10, prefer: price}
      - {name: fast, weight: *w, prefer: reliability}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: fast, weight: 10, prefer: reliability}

Why: A value that stands elsewhere cannot be read where it counts, and a few nested aliases expand
to gigabytes.
""",
    ),
    "yaml-bool-word": (
        "error",
        """The words `no`, `yes`, `on` and `off` must be quoted, or be true or false.

Wrong:
    description: no
    rules: []

Right:
    description: "no"
    rules: []

Why: YAML 1.1 reads them as truth values and YAML 1.2 as text, so that two programs disagree about
one file. `--fix` writes what the place wants: a truth value, or the word in quotes.
""",
    ),
    "yaml-depth": (
        "error",
        """A file is nested too deeply.

Wrong:
    models: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]

Right:
    models:
      - model: small
        cost: {input: 1, output: 2}

Why: No file here needs more than a few levels, and deep nesting crashes YAML parsers.
""",
    ),
    "yaml-documents": (
        "error",
        """A file holds more than one document.

Wrong:
    policy: example
    rules: []
    ---
    policy: other
    rules: []

Right:
    policy: example
    rules: []

Why: One file is one provider or one policy, by its name; what stands behind `---` would be
forgotten by most readers.
""",
    ),
    "yaml-duplicate-key": (
        "error",
        """A key is there twice in one map.

Wrong:
    provider: example
    locality: local
    locality: cloud

Right:
    provider: example
    locality: cloud

Why: Most YAML readers keep the last of the two without a word.
""",
    ),
    "yaml-encoding": (
        "error",
        r"""A file is not plain UTF-8, or holds control characters.

Wrong:
    $ printf 'policy: latin\ndescription: caf\351\nrules: []\n' > policies/latin.yaml

Right:
    $ printf 'policy: latin\ndescription: cafe\nrules: []\n' > policies/latin.yaml

Why: Other encodings give other text on other machines, and control characters hide what a file
says from the eye.
""",
    ),
    "yaml-key": (
        "error",
        """A key is not text.

Wrong:
    rules: []
    tests:
      - name: numbers
        request: {metadata: {1: one}}
        expect: {error: false}

Right:
    rules: []
    tests:
      - name: numbers
        request: {metadata: {"1": one}}
        expect: {error: false}

Why: Every key here is a name; a number, a date or a list as a key is read differently by
different programs.
""",
    ),
    "yaml-merge": (
        "error",
        """Merge keys are not allowed.

Wrong:
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {<<: {weight: 10}, name: fast, prefer: reliability}

Right:
    rules:
      - {name: cheap, weight: 10, prefer: price}
      - {name: fast, weight: 10, prefer: reliability}

Why: `<<` was never part of YAML 1.2. A policy shares rules by `extends`, a provider by `defaults`.
""",
    ),
    "yaml-number": (
        "error",
        """A number is written in a form that YAML versions read differently.

Wrong:
    models:
      - model: small
        cost: {input: 3e-6, output: 2}

Right:
    models:
      - model: small
        cost: {input: 0.000003, output: 2}

Why: `3e-6` is text to YAML 1.1, `017` is 15 or 17, `12:30` is 750 to some: a price must be one
number to everybody. `--fix` writes the number in full where only a number can be meant.
""",
    ),
    "yaml-quote": (
        "error",
        """A text must be quoted.

Wrong:
    rules:
      - name: chat only
        weight: 10
        when: !(facts.code)
        prefer: price

Right:
    rules:
      - name: chat only
        weight: 10
        when: "!(facts.code)"
        prefer: price

Why: `!`, a backtick, `@`, `[` and `{` begin something else in YAML, so that the expression would
never arrive. `--fix` puts it into quotes.
""",
    ),
    "yaml-size": (
        "error",
        r"""A file is larger than 1 MiB.

Wrong:
    $ (cat policies/plain.yaml; head -c 1100000 /dev/zero | tr '\0' '#') > policies/big.yaml

Right:
    $ sed 's/plain/big/' policies/plain.yaml > policies/big.yaml

Why: A provider or policy is a page or two; something larger is another kind of file.
""",
    ),
    "yaml-syntax": (
        "error",
        """A file is not YAML.

Wrong:
    policy: example
    rules: [{name: cheap, weight: 10, prefer: price}

Right:
    policy: example
    rules: [{name: cheap, weight: 10, prefer: price}]

Why: Nothing can be said about a file that cannot be read. Reading goes on behind the mistake
where that makes sense, so that further mistakes are told at once.
""",
    ),
    "yaml-tab": (
        "error",
        r"""A tab stands where only spaces may.

Wrong:
    $ printf 'policy: tabs\nrules:\n\t- {name: a, weight: 1, prefer: price}\n' > policies/tabs.yaml

Right:
    $ printf 'policy: tabs\nrules:\n  - {name: a, weight: 1, prefer: price}\n' > policies/tabs.yaml

Why: YAML forbids tabs as indentation, since their width is a matter of taste.
""",
    ),
    "yaml-tag": (
        "error",
        """Tags are not allowed.

Wrong:
    models:
      - model: !!str small
        cost: {input: 1, output: 2}

Right:
    models:
      - model: small
        cost: {input: 1, output: 2}

Why: A tag changes how a value is read, and in some readers runs code.
""",
    ),
}
