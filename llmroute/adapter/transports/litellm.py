"""LiteLLM as a way to travel: the OpenAI chat body in, OpenAI's JSON or event stream out.

LiteLLM is imported when the first call is made, in a thread, since that takes seconds. Its
network fetch of prices and images, its telemetry, its retries, redirects and proxies from the
environment are off. It maps finish reasons that it does not know to `stop`; that cannot be undone
here.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmroute.adapter.jsontext import compact
from llmroute.adapter.transports.base import (
    Call,
    Reply,
    check_credential,
    refuse_reply,
    shown_url,
)
from llmroute.adapter.transports.headers import static_headers
from llmroute.adapter.transports.resolving import Lookup, Resolver, system_lookup
from llmroute.errors import ErrorKind, TargetError

if TYPE_CHECKING:
    import httpx

__all__ = ["LiteLLMTransport"]

#: LiteLLM's own exception classes → codes of OpenAI's error bodies.
_CODES = {
    "BudgetExceededError": "insufficient_quota",
    "ContentPolicyViolationError": "content_policy_violation",
    "ContextWindowExceededError": "context_length_exceeded",
    "PaymentRequiredError": "insufficient_quota",
    "UnsupportedParamsError": "unsupported_parameter",
}
#: Classes that stand, somewhere in the chain of causes, for a wire that broke. LiteLLM dresses
#: some of them up as a server's error 500.
_TIMEOUT = frozenset({"APITimeoutError", "ConnectTimeout", "Timeout"})
_NETWORK = frozenset({"APIConnectionError", "ConnectError", "ReadError", "RemoteProtocolError"})


#: LiteLLM's limit for images that it downloads, in MB: a variable of the environment, and of the
#: modules that download.
_IMAGE_LIMIT = "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB"
_IMAGE_MODULES = (
    "litellm.litellm_core_utils.prompt_templates.image_handling",
    "litellm.litellm_core_utils.token_counter",
)


class LiteLLMTransport:
    """Carries calls through `litellm.acompletion`.

    `lookup` returns the addresses of a host name. They are checked before a call as they are for
    HTTP, but LiteLLM looks the name up again itself.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._module: Any = None
        self._resolver = Resolver(lookup)

    async def open(self, call: Call) -> Reply:
        """Make the call and return once LiteLLM answers.

        Raises:
            TargetError: LiteLLM is not installed, or nobody answered.

        """
        check_credential(call.endpoint)
        if call.endpoint.farthest != "public":
            host = urlsplit(call.endpoint.base_url or "").hostname or ""
            within = call.timeouts.connect
            await self._resolver.addresses(host, call.endpoint.farthest, within)
        if self._module is None:
            self._module = await asyncio.to_thread(_load)
        try:
            answer = await self._module.acompletion(**_options(call))
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - it raises what its vendors' clients raise
            return _error_reply(exc, call)
        if call.stream:
            return _StreamReply(answer, call)
        return _WholeReply(200, _headers(answer), compact(_plain(answer)).encode())

    async def aclose(self) -> None:
        """Close the clients that LiteLLM keeps."""
        close = getattr(self._module, "close_litellm_async_clients", None)
        if close is not None:
            await close()


def _load() -> Any:
    # Documented exception to reading no environment here: LiteLLM knows no other way to be told,
    # before it is imported, not to fetch its price list, or images of prompts, from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault(_IMAGE_LIMIT, "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module: Any = importlib.import_module("litellm")
        except ImportError as exc:
            raise TargetError(
                ErrorKind.UNAVAILABLE,
                "LiteLLM is not installed",
                code="missing_binary",
                help="run: pip install 'llmroute[litellm]'",
            ) from exc
    _confine(module)
    _fetch_no_images()
    module.telemetry = False
    module.suppress_debug_info = True
    return module


def _confine(module: Any) -> None:
    """Let no client of LiteLLM's follow a redirect or take a proxy from the environment.

    Prompts and keys would go along. OpenAI's client takes the session that LiteLLM documents for
    it. The other vendors' clients are all made by one class, which has no setting for it.
    """
    handlers = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    base: Any = handlers.AsyncHTTPHandler
    if hasattr(base, "is_confined"):
        return
    module.disable_aiohttp_trust_env = True
    module.aclient_session = _session()

    class Confined(base):  # type: ignore[misc]
        """LiteLLM's client, but for redirects."""

        is_confined = True

        def create_client(self, *args: Any, **options: Any) -> Any:
            client = super().create_client(*args, **options)
            client.follow_redirects = False
            return client

    vars(handlers)["AsyncHTTPHandler"] = Confined


def _fetch_no_images() -> None:
    """Let LiteLLM download no images of prompts, also where the program imported it before us.

    It reads the limit from the environment once, when it is imported.
    """
    for name in _IMAGE_MODULES:
        with suppress(ImportError):
            vars(importlib.import_module(name))[_IMAGE_LIMIT] = 0


def _session() -> httpx.AsyncClient:
    """Return a session that keeps no connections, and so belongs to no event loop or router."""
    import httpx

    class Session(httpx.AsyncClient):
        async def aclose(self) -> None:
            """Stay open for others: there is nothing to close."""

    limits = httpx.Limits(max_keepalive_connections=0)
    return Session(follow_redirects=False, trust_env=False, limits=limits)


def _options(call: Call) -> dict[str, Any]:
    import httpx

    endpoint = call.endpoint
    secret = endpoint.auth.secret if endpoint.auth else None
    limits = httpx.Timeout(call.timeouts.total, connect=call.timeouts.connect)
    return {
        **(call.body or {}),
        "model": endpoint.model_prefix + call.model,
        "api_key": secret.reveal() if secret else "none",
        "api_base": endpoint.base_url,
        "extra_headers": static_headers(endpoint.headers) or None,
        "timeout": limits,
        "max_retries": 0,
        "num_retries": 0,
        "drop_params": False,
    }


def _plain(answer: Any) -> dict[str, Any]:
    data: dict[str, Any] = answer.model_dump(mode="json", exclude_none=True)
    usage = data.get("usage")
    if usage and (written := usage.get("cache_creation_input_tokens")):
        usage.setdefault("prompt_tokens_details", {}).setdefault("cache_write_tokens", written)
    return data


def _headers(answer: Any) -> dict[str, str]:
    raw = getattr(answer, "headers", None) or {}
    return {str(name).lower(): str(value) for name, value in raw.items()}


def _error_reply(exc: Exception, call: Call) -> _WholeReply:
    kinds = {cls.__name__ for link in _chain(exc) for cls in type(link).__mro__}
    where = shown_url(call.endpoint.base_url)
    if kinds & _TIMEOUT:
        message = f"LiteLLM waited in vain for {where}"
        raise TargetError(ErrorKind.TIMEOUT, message, code="timeout") from exc
    if kinds & _NETWORK:
        message = f"LiteLLM cannot reach {where} ({_message(exc)[:200]})"
        raise TargetError(ErrorKind.UNAVAILABLE, message, code="network") from exc
    status = getattr(exc, "status_code", None)
    headers = _headers(getattr(exc, "response", None))
    if isinstance(status, int):
        refuse_reply(status, headers, call.endpoint)
    body = compact(_error_body(exc)).encode("utf-8", "replace")
    return _WholeReply(status if isinstance(status, int) else 500, headers, body)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = exc
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _error_body(exc: Exception) -> dict[str, Any]:
    body = getattr(exc, "body", None)
    native: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    inner = native.get("error")
    native = inner if isinstance(inner, Mapping) else native
    code = _CODES.get(type(exc).__name__) or native.get("code")
    error = {"message": _message(exc), "type": native.get("type"), "code": code}
    return {"error": {**error, "param": native.get("param")}}


def _message(exc: Exception) -> str:
    return str(getattr(exc, "message", None) or exc)


class _WholeReply:
    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers: Mapping[str, str] = headers
        self._body = body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body."""
        yield self._body

    async def finish(self) -> None:
        """Nothing is left to check."""

    async def aclose(self) -> None:
        """Nothing is open."""


class _StreamReply:
    status = 200

    def __init__(self, stream: Any, call: Call) -> None:
        self.headers: Mapping[str, str] = {}
        self._stream = stream
        self._call = call

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield LiteLLM's chunks as server-sent events."""
        try:
            async for chunk in self._stream:
                yield _event(_plain(chunk))
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001 - it raises what its vendors' clients raise
            yield _event(_error_body(exc))
            return
        yield b"data: [DONE]\n\n"

    async def finish(self) -> None:
        """Nothing is left to check."""

    async def aclose(self) -> None:
        """Close the vendor's stream."""
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + compact(data).encode("utf-8", "replace") + b"\n\n"
