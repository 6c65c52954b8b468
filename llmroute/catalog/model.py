"""What can be called: providers, targets and everything that is declared of them.

All of it is data from provider files (and discovery); nothing here calls anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from llmroute.catalog.cost import Price
from llmroute.catalog.declared import Declaration
from llmroute.config.addresses import Reach
from llmroute.config.secrets import Secret, SecretSource

__all__ = [
    "Auth",
    "Capabilities",
    "Discover",
    "Endpoint",
    "Expected",
    "Limits",
    "Provider",
    "Quality",
    "Target",
    "Timeouts",
    "WireRules",
    "authorised",
    "key_of",
]

Locality = Literal["local", "cloud"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do. A capability that is neither declared nor discovered is off.

    `forced_tool_choice`: a `tool_choice` of `required` or a named tool is obeyed. `json_object`:
    answers can be held to JSON without a schema. `prefill`: the assistant's words at the end of a
    conversation are continued. `image_urls`: the provider fetches images itself. `pdf`, `files`
    (other types, and files kept at the provider) and `audio` may stand in messages.
    """

    tools: bool = False
    streaming: bool = False
    vision: bool = False
    json_schema: bool = False
    reasoning: bool = False
    forced_tool_choice: bool = False
    json_object: bool = False
    prefill: bool = False
    image_urls: bool = False
    pdf: bool = False
    files: bool = False
    audio: bool = False

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Every capability's name, in the order of the schema."""
        return tuple(f.name for f in fields(cls))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The four timers of a call, in seconds.

    `first_token` None: as long as is usual for the model (see `dispatch.timers`).
    """

    connect: float = 5.0
    first_token: float | None = None
    idle: float = 60.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider or model allows; None where nothing was declared.

    `pool` names a limit that several models share.
    """

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """Priors for live values until calls were measured: seconds, and tokens per second."""

    first_token: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """Published or tuned quality, 0..1, per task; `default` for every other task.

    `prior` marks a figure that only the model's size suggests.
    """

    default: float | None = None
    tasks: Mapping[str, float] = field(default_factory=dict)
    source: str | None = None
    date: str | None = None
    prior: bool = False

    def of(self, task: str | None) -> float | None:
        """Quality for a task, else the default, else None."""
        return self.tasks.get(task, self.default) if task else self.default


@dataclass(frozen=True, slots=True)
class Auth:
    """How a call proves who it is: one header made of a secret.

    `secret` is None where the reference could not be resolved; `missing` then says why and
    what to do. `source` is where it came from, None where it was made in Python.
    """

    header: str
    prefix: str
    reference: str
    secret: Secret | None
    missing: str | None = None
    source: SecretSource | None = field(default=None, repr=False, compare=False)

    def reread(self) -> Auth | None:
        """Return this with the secret that its reference leads to now.

        None where that is the same one, or none: then there is nothing to try again with. It
        takes a look at a variable or a small file, so once for each refusal is cheap.
        """
        secret = self.source.changed(self.secret) if self.source else None
        return None if secret is None else replace(self, secret=secret, missing=None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a provider is called.

    `environment` holds the variables that its file sets for a program, `passed` those that the
    program gets from the process's own environment. `declared` are the protocols of its
    workspace that are declared in YAML, by name. `farthest` is how far the address that its host
    name leads to may lie; `public` is not checked. `strict_model` says whether an answer of
    another model than the one asked fails; None: where the model was discovered.
    """

    transport: str
    protocol: str
    base_url: str | None = None
    auth: Auth | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    command: tuple[str | tuple[str, ...], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    passed: Mapping[str, Secret] = field(default_factory=dict)
    model_prefix: str = ""
    declared: Mapping[str, Declaration] = field(default_factory=dict, repr=False, compare=False)
    farthest: Reach = "public"
    strict_model: bool | None = None

    def variables(self) -> dict[str, str]:
        """Return the whole environment of a program, secrets revealed: for starting it only."""
        passed = {name: value.reveal() for name, value in self.passed.items()}
        return {**passed, **self.environment}


@dataclass(frozen=True, slots=True)
class Discover:
    """How a server is asked which models it has: the dialect, and how often in seconds."""

    dialect: str
    interval: float = 60.0


@dataclass(frozen=True, slots=True)
class WireRules:
    """What a model's wire rejects or wants otherwise, as data.

    `reject`: request fields that are dropped with a warning. `rename`: request field → name on
    the wire. `efforts`: accepted values of `reasoning_effort` (None: all; empty: the field is
    dropped). `with_tools`: body fields added when the request carries tools.

    `default_effort`: the effort of requests that state none; `none` where the model thinks only
    when asked. `reject_reasoning`: fields that are dropped unless that effort is `none`.
    `thinking`: accepted types of Anthropic's `thinking`. `system_turns`: system messages may stand
    between turns. `tool_names`: the longest name of a tool, which then holds only letters, digits,
    `_` and `-`. `max_tools`: how many tools a request may offer. `max_input`: the most tokens of a
    prompt, where that is less than the window. `max_stop`: how many stop sequences are taken.
    `min_output`: the least `max_tokens` that is taken; fewer become that many. `cache_control`:
    marks of prompt caches are taken over `openai-chat`. `exclusive`: fields of which only one is
    taken, the first that a request has.
    """

    reject: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    efforts: tuple[str, ...] | None = None
    with_tools: Mapping[str, Any] = field(default_factory=dict)
    default_effort: str | None = None
    reject_reasoning: tuple[str, ...] = ()
    thinking: tuple[str, ...] | None = None
    system_turns: bool = False
    tool_names: int | None = None
    max_tools: int | None = None
    max_input: int | None = None
    max_stop: int | None = None
    min_output: int | None = None
    cache_control: bool = False
    exclusive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider file: an endpoint and what its models share."""

    name: str
    locality: Locality
    endpoint: Endpoint
    description: str = ""
    limits: Limits = Limits()
    discover: Discover | None = None
    file: str = ""


@dataclass(frozen=True)
class Target:
    """One model at one provider: what is scored and called. Its id is `provider/model`.

    Sizes are in tokens, None where unknown. `upstream` is the model's name on the wire,
    `protocol` the dialect it is called in where that is not its endpoint's. Targets with the
    same `limit_scope` share their `limits`.
    """

    id: str
    provider: Provider
    model: str
    upstream: str
    locality: Locality
    context_window: int | None = None
    max_output: int | None = None
    capabilities: Capabilities = Capabilities()
    specializations: tuple[str, ...] = ()
    quality: Quality = Quality()
    price: Price | None = None
    limits: Limits = Limits()
    limit_scope: str = ""
    typical_output: int | None = None
    expected: Expected = Expected()
    wire: WireRules = WireRules()
    parameters: float | None = None
    loaded: bool | None = None
    discovered: bool = False
    tokenizer: str = "generic"
    protocol: str | None = None

    def __str__(self) -> str:
        return self.id

    @property
    def longest_prompt(self) -> int | None:
        """The most tokens that a prompt can have here, None where nothing bounds it."""
        known = (self.context_window, self.wire.max_input)
        return min((most for most in known if most is not None), default=None)

    @cached_property
    def view(self) -> dict[str, Any]:
        """The static `target` root of expressions: plain data, lists and maps never null."""
        price, limits, quality = self.price, self.limits, self.quality
        return {
            "id": self.id,
            "provider": self.provider.name,
            "model": self.model,
            "upstream": self.upstream,
            "locality": self.locality,
            "context_window": self.context_window,
            "max_output": self.max_output,
            "capabilities": {n: getattr(self.capabilities, n) for n in Capabilities.names()},
            "specializations": list(self.specializations),
            "quality": {"default": quality.default, **quality.tasks},
            "cost": price.view if price else {},
            "limits": {f.name: getattr(limits, f.name) for f in fields(Limits)},
            "typical_output": self.typical_output,
            "parameters": self.parameters,
            "discovered": self.discovered,
        }


def authorised(target: Target, auth: Auth) -> Target:
    """Return a target that is called with another credential."""
    endpoint = replace(target.provider.endpoint, auth=auth)
    return replace(target, provider=replace(target.provider, endpoint=endpoint))


def key_of(provider: Provider) -> tuple[str, str | None]:
    """Return what stays the same while a provider's server does: its name and address."""
    return provider.name, provider.endpoint.base_url
