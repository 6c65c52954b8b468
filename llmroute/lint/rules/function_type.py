"""A function is given a value of a type that it does not take.

Wrong:
    policy: example
    rules:
      - {name: long, weight: 1, when: length(facts.tokens) > `5`, prefer: price}

Right:
    policy: example
    rules:
      - {name: long, weight: 1, when: length(request.messages) > `5`, prefer: price}

Why: The expression cannot be evaluated: in a rule it counts as false, in a requirement against
every target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jmespath.functions import Functions

from llmroute.lint.jsontypes import Type
from llmroute.lint.rules._expressions import Found, Node, about, expression_rule

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "a boolean",
    "array": "a list",
    "object": "a map",
    "null": "null",
    "expref": "an expression (&…)",
    "array-number": "a list of numbers",
    "array-string": "a list of texts",
}


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    for node in typed.nodes:
        if node["type"] == "function_expression":
            yield from _call(typed, node)


def _call(typed: Typed, node: Node) -> Iterator[Found]:
    signature = Functions.FUNCTION_TABLE[node["value"]]["signature"]
    for index, argument in enumerate(node["children"]):
        wanted: list[str] = signature[min(index, len(signature) - 1)]["types"]
        reference = argument["type"] == "expref"
        if not wanted or _fits(typed.type(argument), wanted, reference=reference):
            continue
        given = "an expression (&…)" if reference else _named(typed.type(argument))
        text = typed.places.source(argument)
        takes = " or ".join(dict.fromkeys(_WORDS[name] for name in wanted))
        message = f"{node['value']}() takes {takes}; {text} is {given}"
        yield about(typed, argument, message, _help(node["value"], text, typed.type(argument)))


def _fits(made: Type, wanted: list[str], *, reference: bool) -> bool:
    if reference or wanted == ["expref"]:
        return reference == ("expref" in wanted)
    return any(_one_fits(made, name) for name in wanted)


def _one_fits(made: Type, name: str) -> bool:
    kind, _, element = name.partition("-")
    if kind not in made.kinds:
        return False
    return not element or made.items is None or element in made.items.kinds


def _named(made: Type) -> str:
    return " or ".join(_WORDS[kind] for kind in sorted(made.kinds))


def _help(name: str, text: str, made: Type) -> str | None:
    if name == "length" and made.known == {"number"}:
        return f"{text} is a number already: compare it as it is"
    if name in ("starts_with", "ends_with") and made.known == {"array"}:
        return f"look into a list with contains({text}, …)"
    helps: Mapping[str, Any] = {"contains": "contains(LIST or TEXT, what is looked for)"}
    return helps.get(name)


RULE = expression_rule("function-type", _find)
