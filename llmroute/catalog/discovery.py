"""Asking a server what it has: models, effective context windows, tools, vision.

Each dialect turns a server's listing into model data in the shape of a provider file, so that
declared fields can be laid over it. Protocol facts: Ollama `/api/tags`, `/api/show`, `/api/ps`;
LM Studio `/api/v1/models`, with `/api/v0/models` and `/v1/models` on older versions; Anthropic
`/v1/models`, page by page; any OpenAI-compatible server `/models`.

What a model was trained with (`trained_context`) is no window: a server that loads it with less
cuts what is longer. `context_window` is what it runs with, or will be loaded with.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError

__all__ = ["DIALECTS", "Dialect", "GetJson", "dialect_named", "discover"]

Model = dict[str, Any]
_NUM_CTX = re.compile(r"^num_ctx\s+(\d+)\s*$", re.MULTILINE)
_SNAPSHOT = re.compile(r"-(20[0-9]{6}|latest)$")

#: Models on a page of Anthropic's list, the most it allows, and pages that nobody needs more of.
_PAGE, _MOST_PAGES = 1000, 20
#: Our capabilities and Anthropic's words for them.
_ANTHROPIC_ABLE = {
    "vision": "image_input",
    "pdf": "pdf_input",
    "json_schema": "structured_outputs",
    "reasoning": "thinking",
}
_THINKING = ("adaptive", "enabled", "disabled", "between_tools")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


class GetJson(Protocol):
    """Fetch JSON from an endpoint; raises `TargetError`."""

    def __call__(
        self, endpoint: Endpoint, path: str, *, method: str = "GET", body: Any = None
    ) -> Awaitable[Any]:
        """Return the parsed body of a 2xx answer."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server is asked, and what a person does where it or a model is missing.

    `start` and `get` are advice; `absent` says of a model that the server does not list it.
    `canonical` turns a model's name into the form in which the server lists it.
    """

    ask: Callable[[Endpoint, GetJson], Awaitable[list[Model]]]
    start: str
    get: str
    canonical: Callable[[str], str] = str
    absent: str = "{} is not installed"


async def discover(endpoint: Endpoint, dialect: str, get_json: GetJson) -> Sequence[Model]:
    """Ask a server for its models.

    Raises:
        TargetError: nobody answers, or the answer is not such a listing.

    """
    try:
        return await DIALECTS[dialect].ask(endpoint, get_json)
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise TargetError(
            ErrorKind.MALFORMED,
            f"the model list of {endpoint.base_url} is not the {dialect} dialect ({exc!r})",
            help="correct discover.dialect or base_url in the provider file",
        ) from exc


def _origin(endpoint: Endpoint) -> Endpoint:
    parts = urlsplit(endpoint.base_url or "")
    return replace(endpoint, base_url=f"{parts.scheme}://{parts.netloc}")


async def _ollama(endpoint: Endpoint, get_json: GetJson) -> list[Model]:
    """Ask the native API, also where models are called over the server's OpenAI endpoint."""
    endpoint = replace(endpoint, base_url=(endpoint.base_url or "").removesuffix("/v1"))
    listing = await get_json(endpoint, "/api/tags")
    running = await get_json(endpoint, "/api/ps")
    windows = {m["name"]: _tokens(m.get("context_length")) for m in running["models"]}
    models = []
    for entry in listing["models"]:
        shown = await _shown(endpoint, get_json, entry["name"])
        if shown is not None and "embedding" not in shown.get("capabilities", ()):
            models.append(_ollama_model(entry, shown, windows))
    return models


async def _shown(endpoint: Endpoint, get_json: GetJson, name: str) -> Mapping[str, Any] | None:
    """Return what the server tells of a model, None where it was removed or cannot be read."""
    try:
        shown: Mapping[str, Any] = await get_json(
            endpoint, "/api/show", method="POST", body={"model": name}
        )
    except TargetError as exc:
        if exc.status is None:
            raise
        return None
    return shown


def _ollama_model(
    entry: Mapping[str, Any], shown: Mapping[str, Any], windows: Mapping[str, int | None]
) -> Model:
    name, able = entry["name"], shown.get("capabilities", ())
    remote = bool(entry.get("remote_host") or shown.get("remote_host"))
    info, details = shown.get("model_info") or {}, entry.get("details") or {}
    trained = _tokens(info.get(f"{info.get('general.architecture')}.context_length"))
    trained = trained or _tokens(details.get("context_length"))
    model: Model = {
        "model": name,
        "locality": "cloud" if remote else "local",
        "capabilities": {
            "tools": "tools" in able,
            "vision": "vision" in able,
            "reasoning": "thinking" in able,
            "json_schema": not remote,
        },
        "parameters": details.get("parameter_size"),
        "loaded": name in windows,
        "trained_context": trained,
        "context_window": trained if remote else windows.get(name) or _num_ctx(shown),
    }
    if remote:  # runs on the vendor's account: what it costs is not known here
        model["cost"] = None
    return {key: value for key, value in model.items() if value is not None or key == "cost"}


def _tagged(name: str) -> str:
    """Ollama lists a name without a tag as `:latest`."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def _num_ctx(shown: Mapping[str, Any]) -> int | None:
    match = _NUM_CTX.search(shown.get("parameters") or "")
    return int(match[1]) if match else None


async def _lm_studio(endpoint: Endpoint, get_json: GetJson) -> list[Model]:
    """Ask under each API, newest first; a path that the server lacks leads on to the next."""
    origin, failure = _origin(endpoint), None
    for path, key, types, read in _LM_STUDIO:
        try:
            listing = await get_json(origin, path)
        except TargetError as exc:
            if exc.status is None:
                raise
            failure = exc
            continue
        if isinstance(listing, Mapping) and key in listing:
            return [read(entry) for entry in listing[key] if entry.get("type") in types]
    raise failure or ValueError("no known listing")


def _v1_model(entry: Mapping[str, Any]) -> Model:
    able = entry.get("capabilities") or {}
    loaded = entry.get("loaded_instances") or []
    windows = [_tokens(one.get("config", {}).get("context_length")) for one in loaded]
    return _known(
        model=entry["key"],
        # Which of several instances answers is not said.
        context_window=min((window for window in windows if window), default=None),
        trained_context=_tokens(entry.get("max_context_length")),
        parameters=entry.get("params_string"),
        loaded=bool(loaded),
        capabilities={
            "tools": bool(able.get("trained_for_tool_use")),
            "vision": bool(able.get("vision")),
            "reasoning": bool(able.get("reasoning")),
        },
    )


def _v0_model(entry: Mapping[str, Any]) -> Model:
    able = entry.get("capabilities") or ()
    return _known(
        model=entry["id"],
        context_window=_tokens(entry.get("loaded_context_length")),
        trained_context=_tokens(entry.get("max_context_length")),
        loaded=entry.get("state") == "loaded" if "state" in entry else None,
        capabilities={"tools": "tool_use" in able, "vision": entry.get("type") == "vlm"},
    )


#: LM Studio's listings, newest first: path, the key of its list, types of models that chat, and
#: how an entry is read. `/v1/models` has no types.
_LM_STUDIO = (
    ("/api/v1/models", "models", ("llm",), _v1_model),
    ("/api/v0/models", "data", ("llm", "vlm"), _v0_model),
    ("/v1/models", "data", (None,), _v0_model),
)


async def _anthropic(endpoint: Endpoint, get_json: GetJson) -> list[Model]:
    """Ask page by page; retired models, which the API lists on request, answer no calls."""
    models: list[Model] = []
    after = ""
    for _ in range(_MOST_PAGES):
        page = await get_json(endpoint, f"/v1/models?limit={_PAGE}{after}")
        alive = (entry for entry in page["data"] if entry.get("lifecycle") != "retired")
        models += [_anthropic_model(entry) for entry in alive]
        if page.get("has_more") is not True:
            return models
        after = f"&after_id={quote(page['last_id'], safe='')}"
    raise ValueError("the list has no end")


def _anthropic_model(entry: Mapping[str, Any]) -> Model:
    """Read an entry; sampling, forced tools, prefill and prices are not told there."""
    able = entry.get("capabilities") or {}
    thinking, effort = able.get("thinking") or {}, able.get("effort") or {}
    told = {
        **{ours: _supported(able, theirs) for ours, theirs in _ANTHROPIC_ABLE.items()},
        # The API itself has these, for every model of its kind of listing.
        **(dict.fromkeys(("tools", "streaming"), True) if entry.get("type") == "model" else {}),
    }
    wire = {"thinking": _accepted(thinking.get("types"), _THINKING)}
    wire["efforts"] = _accepted(effort, _EFFORTS)
    return _known(
        model=entry["id"],
        context_window=_tokens(entry.get("max_input_tokens")),
        max_output=_tokens(entry.get("max_tokens")),
        capabilities=_known(**told) or None,
        wire=_known(**wire) or None,
    )


def _supported(flags: Mapping[str, Any], name: str) -> bool | None:
    """Return whether something is supported, None where nothing is said of it."""
    said = flags.get(name)
    return None if said is None else said.get("supported") is True


def _accepted(flags: Mapping[str, Any] | None, names: Sequence[str]) -> list[str] | None:
    """Return those of some values that are accepted, None where nothing is said of them."""
    return [name for name in names if _supported(flags, name)] if flags else None


def _undated(name: str) -> str:
    """Return the name of a snapshot's model: older ones are listed with a date, and called without.

    `-latest` was the same.
    """
    return _SNAPSHOT.sub("", name)


async def _openai(endpoint: Endpoint, get_json: GetJson) -> list[Model]:
    listing = await get_json(endpoint, "/models")
    return [{"model": entry["id"]} for entry in listing["data"]]


def _known(**fields: Any) -> Model:
    return {key: value for key, value in fields.items() if value is not None}


def _tokens(value: Any) -> int | None:
    """Return a number of tokens; anything else than a positive whole number is unknown."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if whole else None


async def _declared(endpoint: Endpoint, get_json: GetJson) -> list[Model]:  # noqa: ARG001
    raise ValueError("only an adapter can ask in a declared protocol")


def dialect_named(name: str) -> Dialect:
    """Return a dialect; a name that is none of these is that of a declared protocol."""
    return DIALECTS.get(name, _OF_DECLARED)


_OF_DECLARED = Dialect(_declared, "start the server", "make sure that {} is served")
#: Every dialect by its name in `discover.dialect`.
DIALECTS: Mapping[str, Dialect] = {
    "anthropic": Dialect(
        _anthropic,
        "check base_url and the network",
        "correct its name, or take it out of the provider file",
        _undated,
        "{} is not among the models of this account",
    ),
    "lm-studio": Dialect(_lm_studio, "run: lms server start", "lms get {}"),
    "ollama": Dialect(_ollama, "run: ollama serve", "ollama pull {}", _tagged),
    "openai": Dialect(_openai, "start the server", "load {} in the server"),
}
