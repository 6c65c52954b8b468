"""The small interface that other programs build on: one provider, or the best of several.

Everything here is a thin view on the engine. `ClaudeCodeProvider()`, `OllamaProvider(base_url)`,
`LMStudioProvider(base_url)` and `LiteLLMProvider(model, provider)` are the shipped provider files
behind one interface; a class of your own that has the same three methods can be registered and is
scored like every other target.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from llmroute.catalog.cost import Price, Rates, pico_per_token
from llmroute.catalog.model import Capabilities, Endpoint, Limits, Provider, Target
from llmroute.config.shipped import data_root
from llmroute.config.workspace import read_workspace
from llmroute.config.yaml import parse
from llmroute.errors import ErrorKind, NoEligibleTarget, TargetError, UsageError
from llmroute.router import Router
from llmroute.types import Request, Route, Usage

if TYPE_CHECKING:
    from llmroute.adapter.transports.base import Call, Reply

__all__ = [
    "ClaudeCodeProvider",
    "CompletionResponse",
    "LLMProviderInterface",
    "LMStudioProvider",
    "LiteLLMProvider",
    "MultiProviderRegistry",
    "OllamaProvider",
    "ProviderCapabilities",
    "TaskRequirements",
]


@dataclass(frozen=True, slots=True)
class CompletionResponse:
    """An answer: its text, the model and provider that gave it, tokens, and cost in USD.

    `cost` is None where the price is unknown.
    """

    text: str
    model: str = ""
    provider: str = ""
    finish_reason: str = "stop"
    usage: Usage = Usage(estimated=True)
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderCapabilities:
    """What a provider can do.

    `cost_per_1k_tokens` is in USD, the mean of input and output price; None where unknown.
    """

    max_context_length: int
    supports_tools: bool = False
    supports_streaming: bool = False
    supports_vision: bool = False
    cost_per_1k_tokens: float | None = None
    rate_limit_rpm: int | None = None
    specializations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaskRequirements:
    """What a task needs: the fields of `route`, plus prompt tokens, task and metadata.

    `max_cost` is in USD; `require` names capabilities (`tools`, `vision`, `json_schema`, …).
    """

    tokens: int | None = None
    task: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    max_cost: float | None = None
    locality: Literal["local", "cloud"] | None = None
    require: tuple[str, ...] = ()

    def request(self) -> Request:
        """Return the request that a router decides on."""
        route = Route(
            only=tuple(self.only),
            ignore=tuple(self.ignore),
            order=tuple(self.order),
            max_cost=self.max_cost,
            locality=self.locality,
            require=tuple(self.require),
        )
        return Request.of(
            "", input_tokens=self.tokens, task=self.task, metadata=self.metadata, route=route
        )


class LLMProviderInterface(ABC):
    """One provider of completions."""

    @abstractmethod
    async def create_completion(
        self, prompt: str, max_tokens: int = 1000, temperature: float = 0.7
    ) -> CompletionResponse:
        """Answer a prompt with at most `max_tokens` tokens.

        Raises:
            LlmrouteError: the provider did not answer.

        """

    @abstractmethod
    def get_capabilities(self) -> ProviderCapabilities:
        """Return what the provider can do."""

    @abstractmethod
    def estimate_cost(self, tokens: int) -> float:
        """Return the cost of that many tokens in USD, half of them output."""


class _FileProvider(LLMProviderInterface):
    """A provider file behind the interface; `model` narrows it to one model."""

    def __init__(self, router: Router, name: str, model: str | None = None) -> None:
        self.name = name
        self.router = router
        self._pin = f"{name}/{model}" if model else name

    async def create_completion(
        self, prompt: str, max_tokens: int = 1000, temperature: float = 0.7
    ) -> CompletionResponse:
        response = await self.router.acomplete(
            prompt, target=self._pin, max_tokens=max_tokens, temperature=temperature
        )
        return CompletionResponse(
            text=response.text or response.refusal or "",
            model=response.model,
            provider=self.name,
            finish_reason=response.finish_reason,
            usage=response.usage,
            cost=None if response.cost is None else float(response.cost),
        )

    def get_capabilities(self) -> ProviderCapabilities:
        """Return what the provider's models can do between them; the price is the lowest.

        A local server that has not been asked yet is asked now.
        """
        if not self._targets():
            self.router.refresh()
        targets = self._targets()
        prices = [price for target in targets if (price := _per_1k(target)) is not None]
        return ProviderCapabilities(
            max_context_length=max((t.context_window or 0 for t in targets), default=0),
            supports_tools=any(t.capabilities.tools for t in targets),
            supports_streaming=any(t.capabilities.streaming for t in targets),
            supports_vision=any(t.capabilities.vision for t in targets),
            cost_per_1k_tokens=min(prices, default=None),
            rate_limit_rpm=min((t.limits.rpm for t in targets if t.limits.rpm), default=None),
            specializations=sorted({s for t in targets for s in t.specializations}),
        )

    def estimate_cost(self, tokens: int) -> float:
        """Return the cost of that many tokens in USD; infinite where no price is known."""
        per_1k = self.get_capabilities().cost_per_1k_tokens
        return math.inf if per_1k is None else tokens / 1000 * per_1k

    def _targets(self) -> list[Target]:
        return [t for t in self.router.targets if self._pin in (t.id, t.provider.name)]


def _per_1k(target: Target) -> float | None:
    if target.price is None:
        return None
    base = target.price.tiers[0]
    return (base.input + base.output) / 2 / 1e9


class ClaudeCodeProvider(_FileProvider):
    """Claude through the Claude Code CLI on this machine."""

    def __init__(self, model: str | None = None) -> None:
        super().__init__(_shipped_router("claude_code"), "claude_code", model)


class OllamaProvider(_FileProvider):
    """The models of an Ollama server."""

    def __init__(self, base_url: str = "http://127.0.0.1:11434", model: str | None = None) -> None:
        router = _shipped_router("ollama", base_url=base_url)
        super().__init__(router, "ollama", model)


class LMStudioProvider(_FileProvider):
    """The models of an LM Studio server."""

    def __init__(self, base_url: str = "http://127.0.0.1:1234", model: str | None = None) -> None:
        root = base_url.rstrip("/").removesuffix("/v1")
        super().__init__(_shipped_router("lm_studio", base_url=f"{root}/v1"), "lm_studio", model)


class LiteLLMProvider(_FileProvider):
    """One model of one of LiteLLM's providers; prices and windows are known for shipped ones."""

    def __init__(self, model: str, provider: str) -> None:
        name = f"{provider}_litellm"
        path = data_root() / "providers.d" / f"{name}.yaml"
        if path.is_file():
            router = _shipped_router(name)
        else:
            router = _router_of(
                name, {**_litellm_file(name, provider), "models": [{"model": model}]}
            )
        super().__init__(router, name, model)


def _litellm_file(name: str, provider: str) -> dict[str, Any]:
    endpoint = {"transport": "litellm", "protocol": "openai-chat", "model_prefix": f"{provider}/"}
    able = {"capabilities": {"streaming": True}}
    return {"provider": name, "locality": "cloud", "endpoint": endpoint, "defaults": able}


def _shipped_router(name: str, base_url: str | None = None) -> Router:
    workspace, _ = read_workspace(data_root())
    data = dict(workspace.providers[name].data)
    if base_url:
        data["endpoint"] = {**data["endpoint"], "base_url": base_url}
    return _router_of(name, data)


def _router_of(name: str, data: Mapping[str, Any]) -> Router:
    """Build a router over one provider, from the data of its file."""
    workspace, _ = read_workspace(data_root())
    document, _ = parse(json.dumps(data), f"{name}.yaml")
    if document is None:
        raise UsageError(f"{name}: not a provider")
    return Router(replace(workspace, providers={name: document}, settings=None))


class MultiProviderRegistry:
    """The best provider of a workspace for a task, own classes included."""

    def __init__(
        self, router: Router | None = None, *, fallback_provider: str = "claude_code"
    ) -> None:
        self.router = router or Router.load()
        self._fallback_provider = fallback_provider
        self._own: dict[str, LLMProviderInterface] = {}
        self._asked = False

    @property
    def providers(self) -> list[str]:
        """Names of all providers, sorted."""
        return sorted(self.router.catalog.providers)

    def register(self, name: str, provider: LLMProviderInterface) -> None:
        """Add a provider of your own; it is scored like the others.

        Raises:
            UsageError: the name is taken.

        """
        declared, target = _own_target(name, provider.get_capabilities())
        self.router.add_provider(declared, [target], _PythonTransport(provider))
        self._own[name] = provider

    def get_provider(self, name: str) -> LLMProviderInterface:
        """Return a provider behind the interface.

        Raises:
            UsageError: there is none of that name.

        """
        if name in self._own:
            return self._own[name]
        if name not in self.router.catalog.providers:
            raise UsageError(f'there is no provider "{name}"; known: {", ".join(self.providers)}')
        return _FileProvider(self.router, name)

    def select_optimal_provider(self, requirements: TaskRequirements) -> str:
        """Return the name of the best provider for a task under the default policy.

        Where no provider qualifies, `claude_code` is returned if it meets the requirements, even
        if it cannot be used right now.

        Raises:
            NoEligibleTarget: nobody qualifies, `claude_code` neither.
            UsageError: the requirements name something unknown.

        """
        if not self._asked:
            self.router.refresh()
            self._asked = True
        request = requirements.request()
        decision = self.router.decide(request)
        if decision.winner is not None:
            return decision.winner.provider.name
        hopeful = self.router.decide(request, assume_usable=True)
        if any(t.provider.name == self._fallback_provider for t in hopeful.targets):
            return self._fallback_provider
        reasons = "; ".join(sorted({f"{r.target}: {r.reason}" for r in decision.rejections}))
        raise NoEligibleTarget(f"no provider qualifies: {reasons or 'there is none'}", decision)


def _own_target(name: str, able: ProviderCapabilities) -> tuple[Provider, Target]:
    endpoint = Endpoint(transport=f"python:{name}", protocol="openai-chat")
    limits = Limits(rpm=able.rate_limit_rpm)
    provider = Provider(name, "cloud", endpoint, limits=limits, file="registered in Python")
    target = Target(
        id=f"{name}/default",
        provider=provider,
        model="default",
        upstream="default",
        locality="cloud",
        context_window=able.max_context_length or None,
        capabilities=Capabilities(vision=able.supports_vision),
        specializations=tuple(able.specializations),
        price=_flat_price(able.cost_per_1k_tokens),
        limits=limits,
    )
    return provider, target


def _flat_price(per_1k: float | None) -> Price | None:
    if per_1k is None:
        return None
    rate = pico_per_token(per_1k * 1000)
    return Price((Rates(rate, rate, rate, rate, rate),), source="get_capabilities()")


class _PythonTransport:
    """Carries calls to an object with `create_completion`, in the OpenAI chat shape."""

    def __init__(self, provider: LLMProviderInterface) -> None:
        self._provider = provider

    async def open(self, call: Call) -> Reply:
        body = call.body
        options = {k: body[k] for k in ("max_tokens", "temperature") if body.get(k) is not None}
        try:
            answer = await self._provider.create_completion(_prompt(body["messages"]), **options)
        except (TargetError, MemoryError):
            raise
        except Exception as exc:
            raise TargetError(ErrorKind.TRANSIENT, f"{type(exc).__name__}: {exc}") from exc
        return _PythonReply(json.dumps(_wire(answer)).encode())

    async def aclose(self) -> None:
        return None


def _prompt(messages: list[Mapping[str, Any]]) -> str:
    """Write a conversation as one prompt; a single user message stands as it is."""
    if len(messages) == 1:
        return _text(messages[0])
    return "\n\n".join(f"{message['role']}: {_text(message)}" for message in messages)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def _wire(answer: CompletionResponse) -> dict[str, Any]:
    usage = answer.usage
    counts = {"prompt_tokens": usage.input, "completion_tokens": usage.output}
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    body: dict[str, Any] = {"model": answer.model or "default", "choices": [choice]}
    return body if usage.estimated else {**body, "usage": counts}


class _PythonReply:
    status = 200
    headers: Mapping[str, str] = {"content-type": "application/json"}

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self._body

    async def finish(self) -> None:
        return None

    async def aclose(self) -> None:
        return None
