"""Prompts that stand for what facts about the text can be.

A fact about the text, such as its language, cannot be set; a prompt must be found of which it is
true. Here prompts are put together of parts, and those kept that the policies tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import prod
from typing import Any

from llmroute.lab.domain.uses import Use
from llmroute.lab.domain.values import KINDS, Values, representatives, seen
from llmroute.policy.facts.facts import Facts
from llmroute.types import Request

__all__ = ["PLAIN", "TEXT_FACTS", "prompts"]

#: The prompt of a situation in which nothing about the text matters.
PLAIN = "What is the capital of Austria?"
#: Facts about the last user message.
TEXT_FACTS = (
    *("language", "code", "math", "multiple_choice", "question", "words"),
    *("average_word_length", "lexical_diversity", "digits"),
)

_SENTENCES = (
    PLAIN,
    "Summarise the main ideas of the following letter for my friend.",
    "The weather was very nice on the day that we went to the lake with them.",
    "Which of these cities is the largest?",
    "Who wrote this book?",
    "When did the war end?",
    "Where is the nearest station?",
    "Why is the sky blue?",
    "How does a bicycle stay upright?",
    "How many people live in Vienna?",
    "Is the earth older than the moon?",
    "...",
    "Wie heißt die Hauptstadt von Österreich und warum ist sie so bekannt?",
    "Quelle est la capitale de la France et pourquoi est-elle si connue ?",
    "¿Cuál es la capital de España y por qué es tan conocida en el mundo?",
    "Qual è la capitale d'Italia e perché è così conosciuta nel mondo?",
    "Qual é a capital de Portugal e por que ela é tão conhecida no mundo?",
    "Wat is de hoofdstad van Nederland en waarom is die zo bekend in de wereld?",
    "Jaka jest stolica Polski i dlaczego jest tak znana na całym świecie?",
    "Какой город является столицей России и почему он так известен?",
    "日本の首都はどこですか。なぜ有名なのですか。",
    "中国的首都是哪里？为什么它这么有名？",
    "대한민국의 수도는 어디이며 왜 유명한가요?",
    "ما هي عاصمة مصر ولماذا هي مشهورة؟",
)
_CODE = "def add(a, b):\n    return a - b\n"
_MATH = "Solve the equation $x^2 - 5x + 6 = 0$ and prove the theorem."
_CHOICES = "A) Vienna\nB) Graz\nC) Linz\nD) Salzburg"


def prompts(uses: Mapping[str, Sequence[Use]]) -> Values:
    """Return a prompt for each combination of facts that the uses of these facts tell apart."""
    found: dict[tuple[Any, ...], str] = {}
    for text in (*_pool(), *_sized(uses)):
        facts = _facts(text)
        key = tuple(seen(uses[name], getattr(facts, name)) for name in sorted(uses))
        found.setdefault(key, text)
    return Values(tuple(found.values()), _missing(uses, len(found)))


def _missing(uses: Mapping[str, Sequence[Use]], found: int) -> str:
    """Say why the prompts may not be all; empty where there is one for every combination."""
    values = {n: representatives(KINDS["facts", n], u) for n, u in uses.items()}
    if opaque := next((v.why_not for v in values.values() if v.why_not), ""):
        return opaque
    wanted = prod(len({seen(uses[n], x) for x in v.values}) for n, v in values.items())
    if found >= wanted:
        return ""
    named = ", ".join(f"facts.{name}" for name in sorted(uses))
    return f"prompts are known for {found} of {wanted} combinations of {named}"


@cache
def _facts(text: str) -> Facts:
    return Facts(Request.of(text))


@cache
def _pool() -> tuple[str, ...]:
    extras = [(), (_CODE,), (_MATH,), (_CHOICES,), (_CODE, _MATH), (_CODE, _CHOICES)]
    extras += [(_MATH, _CHOICES), (_CODE, _MATH, _CHOICES)]
    mixed = ["\n\n".join((s, *extra)) for extra, s in product(extras, _SENTENCES)]
    return (*mixed, *("\n\n".join(extra) for extra in extras if extra), "12345 67890", "x", "")


def _sized(uses: Mapping[str, Sequence[Use]]) -> Iterator[str]:
    """Yield texts with as many words as the uses of `words` ask about."""
    if "words" in uses:
        for number in representatives(KINDS["facts", "words"], uses["words"]).values:
            yield "word " * min(number, 4000)
