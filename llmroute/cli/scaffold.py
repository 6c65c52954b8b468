"""Making a workspace: the shipped files, and provider files from templates by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from llmroute.config.addresses import Address, AddressError, classify
from llmroute.config.diagnostics import did_you_mean
from llmroute.config.shipped import data_root
from llmroute.errors import LlmrouteError, UsageError

__all__ = ["GENERIC", "Scaffold", "Wanted", "shipped_names", "wanted"]

#: The template that fits any server of the OpenAI kind.
GENERIC = "openai-compatible"

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}\Z")
_PROVIDERS = "providers.d"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One provider file to make: its name, its template, and what a generic one is filled with.

    `key` is the environment variable that holds the key, None for the usual one.
    """

    name: str
    template: str
    base_url: str | None = None
    models: tuple[str, ...] = ()
    key: str | None = None


@cache
def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped provider files."""
    return tuple(sorted(path.stem for path in (data_root() / _PROVIDERS).glob("*.yaml")))


def wanted(text: str, *, base_url: str | None, models: tuple[str, ...], key: str | None) -> Wanted:
    """Read `NAME` (a shipped provider) or `NAME=TEMPLATE`, with what fills a generic one.

    Raises:
        UsageError: the name or the template cannot be meant, or the address is missing.

    """
    name, _, template = text.partition("=")
    template = template or name
    known = (*shipped_names(), GENERIC)
    if template not in known:
        hint = did_you_mean(template, known) or f"there are {', '.join(known)}"
        raise UsageError(f'--provider: there is no template "{template}"; {hint}')
    if not _NAME.match(name) or name == GENERIC:
        example = f"--provider mine={GENERIC} --base-url https://…/v1"
        raise UsageError(f'--provider: "{name}" is no name for a provider; write {example}')
    if template == GENERIC and base_url is None:
        raise UsageError(f"--provider {text}: add --base-url https://…/v1 (and --model NAME)")
    if template == GENERIC:
        _address(base_url or "")
    return Wanted(name, template, base_url, models, key)


class Scaffold:
    """Writes files into one folder; what exists is kept. `made` and `kept` name the files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: list[Path] = []
        self.kept: list[Path] = []

    def check(self, chosen: Iterable[Wanted]) -> None:
        """Refuse, before anything is written, what would be lost or would make a wrong file.

        Raises:
            LlmrouteError: a file is there that a provider described here would go to.
            UsageError: a value makes a file that lint refuses.

        """
        for one in chosen:
            path = self.root / _PROVIDERS / f"{one.name}.yaml"
            if one.template == GENERIC and path.exists():
                raise LlmrouteError(f"{path} exists; edit it, or choose another name")
            _check_file(_text(one), f"{one.name}.yaml")

    def workspace(self) -> None:
        """Add the workspace file and the shipped policies.

        Their tests stay: they name the shipped providers and count on all of them.
        """
        self._copy("llmroute.yaml")
        self._copy_folder("policies")

    def schemas(self) -> None:
        """Add the JSON Schemas that the header of every file points an editor to."""
        self._copy_folder("schemas")

    def provider(self, one: Wanted) -> None:
        """Add one provider file."""
        self._write(Path(_PROVIDERS, f"{one.name}.yaml"), _text(one))

    def _copy_folder(self, folder: str) -> None:
        for path in sorted((data_root() / folder).iterdir()):
            if path.suffix in (".yaml", ".json") and not path.name.endswith(".test.yaml"):
                self._copy(f"{folder}/{path.name}")

    def _copy(self, name: str) -> None:
        self._write(Path(name), (data_root() / name).read_text(encoding="utf-8"))

    def _write(self, name: Path, text: str) -> None:
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError as exc:
            if not path.is_file():
                raise UsageError(f"{exc.filename} is in the way of {name}; move it") from exc
            self.kept.append(name)
            return
        except OSError as exc:
            raise UsageError(f"cannot write {path}: {exc.strerror}") from exc
        self.made.append(name)


def _check_file(text: str, label: str) -> None:
    """Refuse the text of a provider file that could not be loaded."""
    from llmroute.config import schema, yaml

    document, found = yaml.parse(text, label)
    if document is not None:
        found = [*found, *schema.check(document, "provider")]
    wrong = next((item for item in found if item.severity == "error"), None)
    if wrong is not None:
        raise UsageError(f"--provider: {label} would be wrong: {wrong.message}")


def _text(one: Wanted) -> str:
    return _generic(one) if one.template == GENERIC else _shipped(one)


def _shipped(one: Wanted) -> str:
    text = (data_root() / _PROVIDERS / f"{one.template}.yaml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^provider: .*$", f"provider: {one.name}", text, count=1)


def _generic(one: Wanted) -> str:
    """Fill the generic template; it is local where the address is.

    A server on this machine or in this network gets no key unless one is named.
    """
    url = one.base_url or ""
    address = _address(url)
    local = address.reach != "public"
    variable = one.key or (None if local else _variable(one.name))
    unencrypted = address.scheme == "http" and address.reach != "loopback"
    fields = {
        "name": one.name,
        "description": _quoted(f"The server at {url}"),
        "locality": "local" if local else "cloud",
        "base_url": _quoted(url),
        "auth": f'{{bearer: "env:{variable}"}}' if variable else "none",
        "plain_http": "\n  plain_http: true" if unencrypted else "",
        "needs": f" Needs a key: export {variable}=…" if variable else "",
        "models": "\n".join(_models(one.models, local=local)),
    }
    template = Path(__file__).with_name("templates") / f"{GENERIC}.yaml"
    return Template(template.read_text(encoding="utf-8")).substitute(fields)


def _address(url: str) -> Address:
    try:
        address = classify(url)
    except AddressError as exc:
        raise UsageError(f"--base-url: {exc}; {exc.help}") from exc
    if address.scheme == "http" and address.reach == "public":
        raise UsageError(f"--base-url: http:// to {address.host} is unencrypted; write https://")
    return address


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper()).lstrip("0123456789_") + "_API_KEY"


def _models(names: tuple[str, ...], *, local: bool) -> Iterator[str]:
    able = "{streaming: true, tools: false, vision: false}"
    free = "cost: {input: 0, output: 0, source: runs on your own machine}"
    price = free if local else '# cost: {input: 0.5, output: 1.5, source: …, date: "2026-11-22"}'
    if not names:
        yield "# The server is asked which models it has."
        yield "discover: {dialect: openai, interval: 10m}"
    yield "defaults:"
    yield f"  capabilities: {able}"
    yield "  # context_window: 131072"
    yield f"  {price}"
    if names:
        yield "models:"
        yield from (f"  - model: {_quoted(name)}" for name in names)


def _quoted(name: str) -> str:
    """Write text as a double-quoted YAML scalar, which takes JSON's escapes."""
    return json.dumps(name, ensure_ascii=False)
