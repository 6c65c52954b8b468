"""What is documented of the rules about provider files."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "base-url": (
        "error",
        """A base_url is not an http or https address.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com:99999/v1
      auth: none

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none

Why: An address that cannot be called would fail at the first request instead of here.
""",
    ),
    "base-url-http": (
        "error",
        """Prompts and keys would travel unencrypted.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: http://api.example.com/v1
      auth: none

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none

Why: Everybody on the way can read an http call, its key included. `plain_http: true` allows it to
a private address.
""",
    ),
    "base-url-local": (
        "error",
        """A local provider has an address that is not local.

Wrong:
    locality: local
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none

Right:
    locality: cloud
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none

Why: `locality` says where prompts end up. A requirement that keeps private prompts at home is only
as true as this word.
""",
    ),
    "cost-dates": (
        "error",
        """A price ends before it begins.

Wrong:
    models:
      - model: small
        cost: {input: 1, output: 2, valid_from: 2026-06-01, valid_until: 2026-01-01}

Right:
    models:
      - model: small
        cost: {input: 1, output: 2, valid_from: 2026-01-01, valid_until: 2026-06-01}

Why: Such a price is never valid; most likely the two dates are swapped.
""",
    ),
    "provider-name": (
        "error",
        """A provider's name differs from its file's.

Wrong:
    # providers.d/example.yaml
    provider: other

Right:
    # providers.d/example.yaml
    provider: example

Why: A provider is found by its file and named by its key; two names would be two providers to the
reader.
""",
    ),
    "secret-reference": (
        "error",
        """A secret is not written as env:NAME or file:PATH.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: EXAMPLE_KEY}

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: env:EXAMPLE_KEY}

Why: A secret in a file ends up in version control. That holds for headers too: `auth` can name one
(`{header: x-api-key, value: env:NAME}`). Messages about it never show the value.
""",
    ),
    "secret-unset": (
        "note",
        """A secret is not there, so its provider is left out.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: {bearer: env:EXAMPLE_KEY}

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none

Why: Nothing is wrong with the file: set the variable, and the provider is used. The note says why
it is not used now.
""",
    ),
    "variable-form": (
        "error",
        """A variable is not written as ${NAME} or ${NAME:-default}.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: "https://${EXAMPLE-HOST}/v1"
      auth: none

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: "https://${EXAMPLE_HOST:-api.example.com}/v1"
      auth: none

Why: Shells know many forms; these two are the ones that are replaced here.
""",
    ),
    "variable-place": (
        "error",
        """A variable stands where none is replaced.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none
      headers: {x-team: "${TEAM}"}

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: https://api.example.com/v1
      auth: none
      headers: {x-team: research}

Why: It would be sent as it stands. Variables are replaced in base_url and in secrets, nowhere
else.
""",
    ),
    "variable-unset": (
        "error",
        """A variable without default is not set.

Wrong:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: "https://${EXAMPLE_HOST}/v1"
      auth: none

Right:
    endpoint:
      transport: http
      protocol: openai-chat
      base_url: "https://${EXAMPLE_HOST:-api.example.com}/v1"
      auth: none

Why: Half an address is none. Set the variable, or give a default.
""",
    ),
}
