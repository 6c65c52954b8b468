"""Discovery by a declared protocol: from a server's listing to models in a file's shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmroute.adapter.declared.expressions import Evaluate
from llmroute.adapter.declared.faults import Fault
from llmroute.adapter.declared.templates import Maker
from llmroute.catalog.discovery import GetJson
from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError
from llmroute.policy.expressions.expression import FAILURES, truthy

__all__ = ["check_discovery", "discover_declared"]

_SIZES = ("context_window", "max_output")
Model = dict[str, object]


async def discover_declared(
    endpoint: Endpoint, data: Mapping[str, Any], get_json: GetJson
) -> list[Model]:
    """Ask a server for its models as the `discovery` of a protocol's file says.

    Raises:
        TargetError: nobody answers, or the answer is not such a listing.

    """
    maker = Maker()
    listed, fields, able = _compiled(maker, data)
    listing = await get_json(endpoint, data["path"])
    try:
        found = listed(listing) if listed else None
        entries = [found] if isinstance(found, Mapping) else found
        if not isinstance(entries, list):
            raise TypeError(f"there is no list of models at {data['models']!r}")
        return [_model(entry, fields, able) for entry in entries]
    except FAILURES as exc:
        message = f"the model list of {endpoint.base_url} is not the protocol's ({exc})"
        raise TargetError(ErrorKind.MALFORMED, message, help="correct `discovery`") from exc


def check_discovery(data: Any) -> list[Fault]:
    """Return what is wrong with the expressions of `discovery`."""
    maker = Maker()
    if isinstance(data, Mapping):
        _compiled(maker, data)
    return maker.faults


def _compiled(
    maker: Maker, data: Mapping[str, Any]
) -> tuple[Evaluate | None, dict[str, Evaluate], dict[str, Evaluate]]:
    listed = maker.expression(data.get("models"), ("discovery", "models"))
    item = data.get("item")
    item = item if isinstance(item, Mapping) else {}
    able = item.get("capabilities")
    fields = {k: v for k, v in item.items() if k != "capabilities"}
    return (
        listed.evaluate if listed else None,
        dict(_each(maker, fields, ("discovery", "item"))),
        dict(_each(maker, able, ("discovery", "item", "capabilities"))),
    )


def _each(maker: Maker, data: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Evaluate]]:
    for name, text in (data if isinstance(data, Mapping) else {}).items():
        if made := maker.expression(text, (*path, name)):
            yield name, made.evaluate


def _model(entry: Any, fields: Mapping[str, Evaluate], able: Mapping[str, Evaluate]) -> Model:
    name = fields["model"](entry)
    if not isinstance(name, str) or not name:
        raise TypeError("a model has no name")
    model: Model = {"model": name}
    for size in _SIZES:
        value = fields[size](entry) if size in fields else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            model[size] = int(value)
    if able:
        model["capabilities"] = {what: truthy(read(entry)) for what, read in able.items()}
    return model
