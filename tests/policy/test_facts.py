"""Facts of a request, against what a reader of the prompt would say."""

from __future__ import annotations

import pytest

from llmroute.policy.facts import FACTS, Facts
from llmroute.types import Request


def facts(prompt, **fields) -> Facts:
    return Facts(Request.of(prompt, **fields))


def test_tokens_are_a_quarter_of_the_characters_and_the_frames():
    # 400 characters / 4 + 4 for the message + 3 for the prompt
    assert facts("a" * 400).tokens == 107


def test_a_chinese_character_counts_0_85_tokens():
    # 100 × (1/4 + 0.3 × 2 further bytes) = 85, + 7
    assert facts("中" * 100).tokens == 92


def test_an_image_counts_a_thousand_tokens():
    parts = [
        {"type": "text", "text": "abcd"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
    ]
    assert facts([{"role": "user", "content": parts}]).tokens == 1 + 1000 + 4 + 3


def test_the_callers_own_count_wins():
    assert facts("a" * 400, input_tokens=9).tokens == 9


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of Austria?", "en"),
        ("Was ist die Hauptstadt von Österreich und wie alt ist sie?", "de"),
        ("Quelle est la capitale de l'Autriche pour vous ?", "fr"),
        ("¿Cuál es la capital de Austria y por qué?", "es"),
        ("奥地利的首都是什么?", "zh"),
        ("オーストリアの首都は?", "ja"),
        ("오스트리아의 수도는?", "ko"),
        ("Какая столица Австрии?", "ru"),
        ("1234 5678", None),
        ("", None),
    ],
)
def test_language(text, language):
    assert facts(text).language == language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def add(a, b):\n    return a + b", True),
        ("```\nx\n```", True),
        ("for (int i = 0; i < 3; i++) {\n  f(i);\n}", True),
        ("SELECT name FROM users WHERE id = 3", True),
        ("Please return the book to the library.", False),
        ("What is the capital of Austria?", False),
        ("Let me think; it is fine.", False),
    ],
)
def test_code(text, code):
    assert facts(text).code is code


def test_the_task_is_the_callers_else_follows_from_code():
    assert facts("hi").task == "chat"
    assert facts("def f():\n    pass").task == "code"
    assert facts("def f():\n    pass", task="review").task == "review"


def test_only_the_named_facts_are_computed():
    made = facts("hi")
    assert made.view({"tools", "images"}) == {"tools": False, "images": False}
    assert "language" not in made.__dict__
    assert tuple(made.view()) == FACTS
