"""Templates: YAML trees that become the body of a request.

A text that begins with `=` is an expression; any other value stands for itself. A map with one
of these keys is a directive:

- `{each: EXPR, item: TEMPLATE}`: the template for each element of a list, evaluated on it.
  With `of: {TYPE: TEMPLATE, …}` in the place of `item` it is chosen by the element's `type` (or
  by `case: EXPR`); an element without a template is refused. `join: TEXT` makes one text of all.
- `{when: EXPR, then: TEMPLATE, else: TEMPLATE}`: one of two; `else` may be left out.
- `{case: EXPR, of: {VALUE: TEMPLATE, …}}`: the template of a value; null is left out, a value
  without a template is refused.
- `{concat: [TEMPLATE, …]}`: one text of several.
- `{refuse: TEXT}`: the request cannot be sent, because of what the text says.

What is null is left out, and so is a map or list in which everything was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmroute.adapter.declared.expressions import WireExpression, compiled
from llmroute.adapter.declared.faults import Fault, Path
from llmroute.adapter.declared.scopes import ANY, PARTS, item_of, unknown_fields
from llmroute.adapter.protocols.content import incapable
from llmroute.policy.expressions.expression import ExpressionError, truthy

__all__ = ["Maker", "Template"]

#: Makes a value of a scope; None where there is nothing to say.
Template = Callable[[Any], Any]

_DIRECTIVES = {
    "each": ({"each", "item", "case", "of", "join"}, ("item", "of")),
    "when": ({"when", "then", "else"}, ("then",)),
    "concat": ({"concat"}, ("concat",)),
    "case": ({"case", "of"}, ("of",)),
    "refuse": ({"refuse"}, ("refuse",)),
}


class Maker:
    """Compiles the templates and expressions of one file.

    `faults` collects what is wrong, `roots` the fields of the normalised request that are read,
    `names` every field name that occurs, `cases` the types of parts that have a template.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.roots: set[str] = set()
        self.names: set[str] = set()
        self.cases: set[str] = set()

    def expression(
        self, text: Any, path: Path, scope: Any = ANY, *, shift: int = 0, root: bool = False
    ) -> WireExpression | None:
        """Compile an expression that stands at a path, `shift` characters into the value."""
        if not isinstance(text, str):
            return None  # the schema says so
        try:
            made = compiled(text)
        except ExpressionError as exc:
            found = Fault((), exc.rule, str(exc), exc.help, exc.column, exc.length)
            self.faults.append(found.at(path, shift))
            return None
        self.faults += [found.at(path, shift) for found in unknown_fields(made, scope)]
        self.names |= made.names
        if root:
            self.roots |= made.roots
        return made

    def template(self, value: Any, path: Path, scope: Any, *, root: bool = True) -> Template:
        """Compile a template; one that is faulty stands for nothing."""
        if isinstance(value, str) and value.startswith("="):
            made = self.expression(value[1:], path, scope, shift=1, root=root)
            return made.evaluate if made else _nothing
        if isinstance(value, Mapping):
            directive = next((name for name in _DIRECTIVES if name in value), None)
            if directive is not None:
                return self._directive(directive, value, path, scope, root=root)
            return self._map(value, path, scope, root=root)
        if isinstance(value, list):
            return _list(
                [self.template(v, (*path, i), scope, root=root) for i, v in enumerate(value)]
            )
        return lambda _scope: value

    def _map(self, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool) -> Template:
        if not value:
            return lambda _scope: {}
        items = [
            (key, self.template(v, (*path, key), scope, root=root)) for key, v in value.items()
        ]

        def made(data: Any) -> Any:
            result = {}
            for key, template in items:
                said = template(data)
                if said is not None:
                    result[key] = said
            return result or None

        return made

    def _directive(
        self, name: str, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool
    ) -> Template:
        allowed, needed = _DIRECTIVES[name]
        for key in value:
            if key not in allowed:
                message = f"`{key}` cannot stand beside `{name}`"
                help_text = f"allowed are: {', '.join(sorted(allowed))}"
                self.faults.append(
                    Fault((*path, key), "protocol-template", message, help_text, key=True)
                )
        if not any(key in value for key in needed):
            message, help_text = f"`{name}` needs {' or '.join(needed)}", "see docs/protocols.md"
            self.faults.append(Fault((*path, name), "protocol-template", message, help_text))
            return _nothing
        if name == "each":
            return self._each(value, path, scope, root=root)
        if name == "when":
            return self._when(value, path, scope, root=root)
        if name == "case":
            return self._chosen(value, path, scope, root=root)
        if name == "refuse":
            return _refusing(str(value["refuse"]))
        return self._concat(value, path, scope, root=root)

    def _concat(self, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool) -> Template:
        parts = value["concat"] if isinstance(value["concat"], list) else []
        templates = [
            self.template(part, (*path, "concat", i), scope, root=root)
            for i, part in enumerate(parts)
        ]
        return lambda data: _concat((template(data) for template in templates), "")

    def _when(self, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool) -> Template:
        test = self.expression(value["when"], (*path, "when"), scope, root=root)
        yes = self.template(value.get("then"), (*path, "then"), scope, root=root)
        no = self.template(value.get("else"), (*path, "else"), scope, root=root)
        if test is None:
            return _nothing
        evaluate = test.evaluate
        return lambda data: yes(data) if truthy(evaluate(data)) else no(data)

    def _each(self, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool) -> Template:
        listed = self.expression(value["each"], (*path, "each"), scope, root=root)
        inner = item_of(listed, scope) if listed else ANY
        if "of" in value:
            item = self._chosen({"case": "type", **value}, path, inner, root=False)
        else:
            item = self.template(value.get("item"), (*path, "item"), inner, root=False)
        if listed is None:
            return _nothing
        evaluate, joiner = listed.evaluate, value.get("join")

        def made(data: Any) -> Any:
            said = [item(one) for one in evaluate(data) or ()]
            if joiner is not None:
                return _concat(said, joiner)
            return [one for one in said if one is not None] or None

        return made

    def _chosen(self, value: Mapping[str, Any], path: Path, scope: Any, *, root: bool) -> Template:
        chooser = self.expression(value["case"], (*path, "case"), scope, root=root)
        cases = value["of"] if isinstance(value["of"], Mapping) else {}
        typed = value["case"] == "type" and isinstance(scope, Mapping) and "type" in scope
        templates = {}
        for kind, template in cases.items():
            if typed and kind not in PARTS:
                message = f"there is no part of type `{kind}`"
                help_text = f"types are: {', '.join(PARTS)}"
                self.faults.append(
                    Fault((*path, "of", kind), "protocol-part", message, help_text, key=True)
                )
            inner = PARTS.get(kind, scope) if typed else scope
            templates[kind] = self.template(template, (*path, "of", kind), inner, root=root)
        self.cases |= set(templates) if typed else set()
        if chooser is None:
            return _nothing
        evaluate, what = chooser.evaluate, "a part of type" if typed else value["case"]

        def made(data: Any) -> Any:
            kind = evaluate(data)
            if kind is None:
                return None
            if kind not in templates:
                raise incapable(f"{what} {kind!r} cannot be sent here")
            return templates[kind](data)

        return made


def _nothing(_scope: Any) -> Any:
    return None


def _refusing(message: str) -> Template:
    def made(_scope: Any) -> Any:
        raise incapable(message)

    return made


def _list(templates: Sequence[Template]) -> Template:
    if not templates:
        return lambda _scope: []
    return lambda data: [v for t in templates if (v := t(data)) is not None] or None


def _concat(parts: Any, joiner: str) -> str:
    said = [part for part in parts if part is not None]
    wrong = next((part for part in said if not isinstance(part, str)), None)
    if wrong is not None:
        raise TypeError(f"only texts can be joined, not {type(wrong).__name__}")
    return joiner.join(said)
