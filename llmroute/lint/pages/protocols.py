"""What is documented of the rules about protocols that are declared in YAML."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "protocol-finish": (
        "error",
        """A protocol does not say why an answer ended.

Wrong:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {question: =prompt}}
    response: {text: answer}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {question: =prompt}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Why: An answer that was cut off by its length must not look like a finished one. Where the API
says nothing about it, `finish: "'stop'"` says so in the file.
""",
    ),
    "protocol-name": (
        "error",
        """A protocol's name is not its file's, or is the name of a built-in one.

Wrong:
    # protocols.d/tiny.yaml
    protocol: little
    request: {path: /ask, body: {question: =prompt}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {question: =prompt}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Why: Providers find a protocol by its name, and people find its file by it.
""",
    ),
    "protocol-part": (
        "error",
        """A template stands for a type of part that does not exist.

Wrong:
    # protocols.d/tiny.yaml
    protocol: tiny
    request:
      path: /ask
      body:
        turns: {each: turns, item: {parts: {each: parts, of: {text: =text, picture: =data}}}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    request:
      path: /ask
      body:
        turns: {each: turns, item: {parts: {each: parts, of: {text: =text, image: =data}}}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Why: The template would never be used, and the type that was meant would be refused.
""",
    ),
    "protocol-template": (
        "error",
        """A directive of a template lacks a key, or has one that it does not know.

Wrong:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {turns: {each: turns}}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {turns: {each: turns, item: =role}}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Why: A key that does nothing was meant to do something. docs/protocols.md lists the directives.
""",
    ),
    "protocol-terminator": (
        "error",
        """No rule of a stream says when it is complete.

Wrong:
    # protocols.d/tiny.yaml
    protocol: tiny
    framing: sse
    request: {path: /ask, body: {question: =prompt}}
    stream:
      - {text: data.piece, finish: data.why}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    framing: sse
    request: {path: /ask, body: {question: =prompt}}
    stream:
      - {text: data.piece, finish: data.why, done: data.why}
    finish: {stop: stop}

Why: A connection that breaks ends a stream, too. Only an event that comes last tells a whole
answer from half of one.
""",
    ),
    "protocol-transport": (
        "error",
        """A provider names a protocol that is made for another transport.

Wrong:
    provider: example
    endpoint: {transport: http, protocol: gemini-cli, base_url: "https://api.example.com"}

Right:
    provider: example
    endpoint: {transport: http, protocol: google-gemini, base_url: "https://api.example.com"}

Why: A program is given words and standard input, a server a path and a body. One cannot be made
of the other.
""",
    ),
    "protocol-unread": (
        "error",
        """No template of a protocol reads what the caller says.

Wrong:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {model: =model}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Right:
    # protocols.d/tiny.yaml
    protocol: tiny
    request: {path: /ask, body: {model: =model, question: =prompt}}
    response: {text: answer, finish: "'stop'"}
    finish: {stop: stop}

Why: Every answer would be an answer to nothing.
""",
    ),
    "unknown-protocol": (
        "error",
        """A provider names a protocol that does not exist.

Wrong:
    provider: example
    endpoint: {transport: http, protocol: google-gemni, base_url: "https://api.example.com"}

Right:
    provider: example
    endpoint: {transport: http, protocol: google-gemini, base_url: "https://api.example.com"}

Why: A protocol is built in, comes with llmroute, or is a file in `protocols.d/`.
""",
    ),
}
