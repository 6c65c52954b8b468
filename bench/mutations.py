"""Operators that put one fault into the text of a provider file, a policy or `llmroute.yaml`.

Each operator lists its places in a file and makes the edits for one of them: the rest of the file,
comments and layout stay as they are. Which place and which variant is drawn from a seed: first
the operator, then the file, then the place, each with equal chances.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from bench.mutation_sites import Edit, Entry, File, Item, Scalar, end_of
from llmroute.policy.scoring.preferences import BUILT_IN

__all__ = ["OPERATORS", "Mutant", "draw", "shipped_files"]

#: What an operator inside an expression becomes.
_SWAPS = {
    "==": ("!=",),
    "!=": ("==",),
    "<=": ("<", ">=", ">"),
    ">=": (">", "<=", "<"),
    "<": ("<=", ">", ">="),
    ">": (">=", "<", "<="),
    "&&": ("||",),
    "||": ("&&",),
    "!": ("",),
}
_OPERATOR = re.compile(r"==|!=|<=|>=|<|>|&&|\|\||!")
_TRIES = 200


@dataclass(frozen=True)
class Mutant:
    """A shipped file with one fault, and what was done to it."""

    operator: str
    file: str
    kind: str
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.operator} {self.file}: {self.what}"


def shipped_files(root: Path) -> list[File]:
    """Return the files that are mutated: providers, policies and the workspace's own."""
    tests = ".test.yaml"
    providers = sorted((root / "providers.d").glob("*.yaml"))
    policies = sorted(p for p in (root / "policies").glob("*.yaml") if not p.name.endswith(tests))
    files = [File(f"providers.d/{p.name}", "provider", p.read_text("utf-8")) for p in providers]
    files += [File(f"policies/{p.name}", "policy", p.read_text("utf-8")) for p in policies]
    return [*files, File("llmroute.yaml", "workspace", (root / "llmroute.yaml").read_text("utf-8"))]


def _all_entries(file: File) -> Sequence[Entry]:
    return file.entries


def drop_key(file: File, site: Entry, _: Random) -> list[Edit]:
    """Leave out a key with its value."""
    spans = [(k.start_mark.index, end_of(v, file.text)) for k, v in site.parent.value]
    return [_without(spans, site.number, "" if site.parent.flow_style else "{}")]


def drop_item(file: File, site: Item, _: Random) -> list[Edit]:
    """Leave out an item of a list."""
    dash = 0 if site.parent.flow_style else 1
    spans = []
    for node in site.parent.value:
        start = node.start_mark.index
        start = file.text.rindex("-", 0, start) if dash else start
        spans.append((start, end_of(node, file.text)))
    return [_without(spans, site.number, "" if site.parent.flow_style else "[]")]


def _without(spans: Sequence[tuple[int, int]], number: int, empty: str) -> Edit:
    if len(spans) == 1:
        return (*spans[0], empty)
    if number + 1 < len(spans):
        return spans[number][0], spans[number + 1][0], ""
    return spans[number - 1][1], spans[number][1], ""


def rename_key(file: File, site: Entry, rng: Random) -> list[Edit]:
    """Rename a key to another one that is known there and not in use."""
    used = {str(key.value) for key, _ in site.parent.value}
    return [_key(site, rng.choice(sorted(file.known_keys(site.path[:-1]) - used)))]


def _renamable(file: File) -> Sequence[Entry]:
    return [e for e in file.entries if file.known_keys(e.path[:-1]) - _siblings(e) - {e.name}]


def _siblings(site: Entry) -> set[str]:
    return {str(key.value) for key, _ in site.parent.value}


def swap_keys(file: File, site: Entry, rng: Random) -> list[Edit]:  # noqa: ARG001 - an operator's
    """Exchange the names of two keys of one map."""
    others = [n for n in range(len(site.parent.value)) if n != site.number]
    other = Entry(site.path, rng.choice(others), site.parent)
    return [_key(site, other.name), _key(other, site.name)]


def _with_siblings(file: File) -> Sequence[Entry]:
    return [entry for entry in file.entries if len(entry.parent.value) > 1]


def misspell_key(file: File, site: Entry, rng: Random) -> list[Edit]:  # noqa: ARG001
    """Make a typing error in a key."""
    return [_key(site, _typo(site.name, rng))]


def misspell_value(file: File, site: Scalar, rng: Random) -> list[Edit]:  # noqa: ARG001
    """Make a typing error in a word of a fixed set: an enum's, or a built-in preference."""
    return [_scalar(site, _typo(str(site.node.value), rng))]


def _words(file: File) -> Sequence[Scalar]:
    return [s for s in file.scalars if s.kind == "str" and _is_word(file, s)]


def _is_word(file: File, site: Scalar) -> bool:
    if site.path[-1] == "prefer":
        return site.node.value in BUILT_IN
    return site.node.value in file.words(site.path)


def _typo(word: str, rng: Random) -> str:
    """Exchange two letters, leave one out, double one, or get a separator or capital wrong."""
    at = rng.randrange(max(len(word) - 1, 1))
    made = [
        word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[: at + 1] + word[at:],
        word.replace("_", "-") if "_" in word else word + "s",
        word.capitalize(),
    ]
    return rng.choice([one for one in made if one and one != word])


def retype_value(file: File, site: Entry, rng: Random) -> list[Edit]:
    """Replace a value by one of another type that looks alike."""
    value = yaml.safe_load(yaml.serialize(site.value))
    made = [text for text in _retyped(value) if text != json.dumps(value)]
    return [(site.value.start_mark.index, end_of(site.value, file.text), rng.choice(made))]


def _retyped(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (json.dumps(list(value.values())), json.dumps(list(value)))
        yield json.dumps(str(next(iter(value), "")))
    elif isinstance(value, list):
        yield from (
            json.dumps(value[0] if value else ""),
            json.dumps(dict.fromkeys(map(str, value))),
        )
    elif isinstance(value, bool):
        yield from (json.dumps(str(value).lower()), str(int(value)), f"[{str(value).lower()}]")
    elif isinstance(value, int | float):
        yield from (json.dumps(str(value)), "true", f"[{value}]")
    else:
        yield from ("5", "true", json.dumps([value]), json.dumps({"value": value}))
    yield "null"


def change_number_type(file: File, site: Scalar, rng: Random) -> list[Edit]:  # noqa: ARG001
    """Make an integer a float, a float an integer, or either a text."""
    text = str(site.node.value)
    other = f"{text}.0" if site.kind == "int" else str(int(float(text)))
    return [_scalar(site, rng.choice((other, other, f'"{text}"', f"'{text}'")))]


def _numbers(file: File) -> Sequence[Scalar]:
    return [site for site in file.scalars if site.kind in ("int", "float")]


def swap_operator(file: File, site: Scalar, rng: Random) -> list[Edit]:
    """Exchange an operator of an expression for a related one, or drop a `!`."""
    start, end = site.node.start_mark.index, end_of(site.node, file.text)
    if site.node.style in ("|", ">"):
        start = file.text.index("\n", start)
    found = rng.choice(list(_OPERATOR.finditer(file.text, start, end)))
    return [(found.start(), found.end(), rng.choice(_SWAPS[found[0]]))]


def _expressions(file: File) -> Sequence[Scalar]:
    """Return the expressions with an operator in them."""
    if file.kind == "provider":
        return []
    found = [
        s for s in file.scalars if s.path[0] == "let" or s.path[-1] in ("when", "target", "prefer")
    ]
    return [site for site in found if _OPERATOR.search(str(site.node.value))]


def _key(site: Entry, name: str) -> Edit:
    return site.key.start_mark.index, site.key.end_mark.index, name


def _scalar(site: Scalar, text: str) -> Edit:
    return site.node.start_mark.index, site.node.end_mark.index, text


@dataclass(frozen=True)
class Operator:
    """A kind of fault: where it can be made in a file, and how."""

    sites: Callable[[File], Sequence[Any]]
    edits: Callable[[File, Any, Random], list[Edit]]


#: Every operator, by its name.
OPERATORS: Mapping[str, Operator] = {
    "drop_key": Operator(_all_entries, drop_key),
    "rename_key": Operator(_renamable, rename_key),
    "swap_keys": Operator(_with_siblings, swap_keys),
    "misspell_key": Operator(_all_entries, misspell_key),
    "misspell_value": Operator(_words, misspell_value),
    "retype_value": Operator(_all_entries, retype_value),
    "change_number_type": Operator(_numbers, change_number_type),
    "swap_operator": Operator(_expressions, swap_operator),
    "drop_item": Operator(lambda file: file.items, drop_item),
}


def draw(files: Sequence[File], count: int, seed: int) -> list[Mutant]:
    """Return different mutants, the same ones for the same files and seed.

    There are fewer than `count` where so many different ones are not found.
    """
    rng = Random(seed)  # noqa: S311 - no secret
    places = {
        name: {file: sites for file in files if (sites := operator.sites(file))}
        for name, operator in OPERATORS.items()
    }
    seen = {file.text for file in files}
    made: list[Mutant] = []
    for _ in range(count * _TRIES):
        if len(made) == count:
            break
        name = rng.choice(list(places))
        file = rng.choice(list(places[name]))
        mutant = _made(name, file, rng.choice(places[name][file]), rng)
        if mutant.text not in seen:
            seen.add(mutant.text)
            made.append(mutant)
    return made


def _made(name: str, file: File, site: Any, rng: Random) -> Mutant:
    text = file.text
    edits = OPERATORS[name].edits(file, site, rng)
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    old = " and ".join(file.text[start:end].strip()[:60] for start, end, _ in edits)
    new = " and ".join(part for *_, part in edits)
    where = ".".join(map(str, site.path))
    return Mutant(name, file.name, file.kind, f"{where}: {old!r} -> {new!r}", text)
