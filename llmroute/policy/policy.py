"""A policy as an object to use from Python, with or without a router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from llmroute.catalog.build import Problem
from llmroute.catalog.model import Target
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.files import read_document
from llmroute.config.schema import check as check_schema
from llmroute.errors import ConfigError, UsageError
from llmroute.policy.check import check_policy
from llmroute.policy.engine.compiled import CompiledPolicy
from llmroute.policy.engine.decide import decide
from llmroute.policy.engine.decision import Decision
from llmroute.policy.scoring.context import Surroundings
from llmroute.policy.scoring.live import Priors
from llmroute.policy.source import PolicySource, Require, policy_source
from llmroute.types import Request

__all__ = ["Policy", "load_policy"]

_PRIORS = Priors()


class Policy:
    """A checked policy; it compiles itself against the targets that it is asked about.

    ::

        policy = load_policy("policies/balanced.yaml")
        best = policy.rank("fix this bug", router.targets)[0]
        print(policy.explain("fix this bug", router.targets))
    """

    def __init__(self, source: PolicySource, fingerprint: str = "") -> None:
        self.source = source
        self.fingerprint = fingerprint
        self._compiled: CompiledPolicy | None = None
        self._seen: Sequence[Target] | None = None

    def joined(self, require: Sequence[Mapping[str, Any]], fingerprint: str) -> Policy:
        """Return the policy with a workspace's requirements, each once, in front of its own."""
        added = tuple(Require(r["name"], r["target"], r.get("when"), "workspace") for r in require)
        own = (item for item in self.source.require if item not in added)
        source = replace(self.source, require=(*added, *own))
        return Policy(source, fingerprint)

    @property
    def name(self) -> str:
        """The policy's name, which is its file's."""
        return self.source.name

    def compile(self, targets: Sequence[Target]) -> CompiledPolicy:
        """Compile against targets, once for the same sequence."""
        current = self._compiled
        if current is not None and targets is self._seen:
            return current
        wanted = tuple(targets)
        if current is None or current.targets != wanted:
            current = self._compiled = CompiledPolicy(self.source, wanted)
        self._seen = wanted  # a tuple that was passed is its own copy
        return current

    def decide(
        self,
        request: str | Sequence[Mapping[str, Any]] | Request,
        targets: Sequence[Target],
        *,
        around: Surroundings | None = None,
        problems: Mapping[str, Problem] | None = None,
        random: Random | None = None,
        **fields: Any,
    ) -> Decision:
        """Rank targets for a request and keep every reason.

        Without `around`, time is now in UTC and live values are priors.

        Raises:
            UsageError: the request is malformed.

        """
        return decide(
            self.compile(targets),
            Request.of(request, **fields),
            around or Surroundings(datetime.now(UTC), _PRIORS),
            problems=problems,
            random=random,
            fingerprint=self.fingerprint,
        )

    def rank(
        self,
        request: str | Sequence[Mapping[str, Any]] | Request,
        targets: Sequence[Target],
        **options: Any,
    ) -> tuple[Target, ...]:
        """Return the eligible targets, best first. Options as for `decide`."""
        return self.decide(request, targets, **options).targets

    def explain(
        self,
        request: str | Sequence[Mapping[str, Any]] | Request,
        targets: Sequence[Target],
        **options: Any,
    ) -> str:
        """Return the decision in words: the ranking, each rule's part, each rejection."""
        from llmroute.policy.explaining.explain import explain  # only an explanation needs it

        return explain(self.decide(request, targets, **options))

    def __repr__(self) -> str:
        return f"Policy({self.name!r})"


def load_policy(path: str | Path) -> Policy:
    """Load one policy file; a policy that it extends is looked for beside it.

    Raises:
        ConfigError: the file, or one that it extends, is wrong; every finding of each.
        UsageError: there is no such file.

    """
    policies, found = _read_chain(Path(path))
    errors = [item for item in found if item.severity == "error"]
    if errors:
        raise ConfigError(errors)
    return Policy(policy_source(Path(path).stem, policies))


def _read_chain(path: Path) -> tuple[dict[str, Mapping[str, Any]], list[Diagnostic]]:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such policy file")
    policies: dict[str, Mapping[str, Any]] = {}
    documents, found = [], []
    current: Path | None = path
    while current is not None and current.stem not in policies:
        document, problems = read_document(current, current.parent)
        found += problems
        if document is None:
            break
        found += (schema := check_schema(document, "policy"))
        if schema:
            break
        documents.append(document)
        policies[current.stem] = document.data
        base = document.data.get("extends")
        current = current.with_name(f"{base}.yaml") if base else None
        if current is not None and not current.is_file():
            message = f'extends "{base}": there is no {current.name} beside this file'
            found.append(document.diagnostic("unknown-policy", message, ("extends",)))
            break
    if not found:
        for position, document in enumerate(documents):
            bases = [base.data.get("let", {}) for base in documents[position + 1 :]]
            found += check_policy(document, inherited={name for let in bases for name in let})
    return policies, found
