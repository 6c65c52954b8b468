"""Facts of a request, against what a reader of the prompt would say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.policy.facts.facts import FACTS, Facts, estimate_tokens
from llmroute.policy.facts.kinds import QUESTIONS
from llmroute.policy.facts.languages import LANGUAGES
from llmroute.policy.facts.tokens import FAMILIES
from llmroute.types import Request


def facts(prompt, **fields) -> Facts:
    return Facts(Request.of(prompt, **fields))


def test_tokens_are_those_of_the_text_and_the_frames():
    # text, 4 for the message, 3 for the prompt
    assert facts("Say hello.").tokens == round(estimate_tokens("Say hello.") + 4 + 3)


def test_messages_are_estimated_as_one_text():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert facts(messages).tokens == round(estimate_tokens("Be brief.\nWhy?") + 2 * 4 + 3)


def test_each_family_has_its_own_count():
    made = facts("Какая столица Австрии? " * 50)
    # o200k knows more Russian words than the tokenizer of Claude
    assert made.tokens_for("o200k") < 0.8 * made.tokens_for("claude")
    assert made.tokens == made.tokens_for("generic")


def test_tools_and_the_schema_count_as_their_json():
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    texts = ["hi", json.dumps([tool]), json.dumps(schema)]
    expected = round(estimate_tokens("\n".join(texts)) + 7)
    assert facts("hi", tools=[tool], response_format=form).tokens == expected


def test_an_image_counts_a_thousand_tokens():
    parts = [
        {"type": "text", "text": "abcd"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}},
    ]
    message = [{"role": "user", "content": parts}]
    assert facts(message).tokens == round(estimate_tokens("abcd") + 1000 + 4 + 3)


def test_the_callers_own_count_wins():
    made = facts("a" * 400, input_tokens=9)
    assert {made.tokens, *map(made.tokens_for, FAMILIES)} == {9}


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
        ("Qual è la capitale dell'Austria?", "it"),
        ("Qual é a capital da Áustria e como chegar lá?", "pt"),
        ("Wat is de hoofdstad van Oostenrijk?", "nl"),
        ("Jaka jest stolica Austrii i dlaczego?", "pl"),
        ("Vad är huvudstaden i Österrike?", "sv"),
        ("Avusturya'nın başkenti nedir ve nasıl gidilir?", "tr"),
        ("Яка столиця Австрії?", "uk"),
        ("ما هي عاصمة النمسا؟", "ar"),
        ("پایتخت اتریش چیست و چگونه می‌رویم؟", "fa"),
        ("מהי בירת אוסטריה?", "he"),
        ("ऑस्ट्रिया की राजधानी क्या है?", "hi"),
        ("เมืองหลวงของออสเตรียคืออะไร", "th"),
        ("Ποια είναι η πρωτεύουσα;", "el"),
        # the language is that of most of the text, not of what it quotes
        ("Translate 'Привет, как дела' to English please", "en"),
        ("What does 你好 mean in English?", "en"),
        ("请把这句话翻译成英语:good morning", "zh"),
        ("Как перевести слово hello?", "ru"),
        ("Explain the naïve café problem to me, and why it matters", "en"),
        # short orders and thanks
        ("Übersetze ins Englische: Guten Morgen", "de"),
        ("Fasse diesen Text zusammen.", "de"),
        ("Danke!", "de"),
        ("Merci beaucoup", "fr"),
        ("S'il te plaît, écris un poème", "fr"),
        ("Comment t'appelles-tu ?", "fr"),
        ("Gracias", "es"),
        ("Obrigado", "pt"),
        ("Grazie mille", "it"),
        ("Bedankt", "nl"),
        ("Hvor meget koster det?", "da"),
        ("Teşekkürler", "tr"),
        # an apostrophe makes no Czech word of what follows it
        ("Pluto's extremely cold (~40 K) surface is composed of:", "en"),
        ("A spring of force constant k is stretched a certain distance", "en"),
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
        ('fn main() {\n    println!("hi");\n}', True),
        ("const x = await fetch(url);", True),
        ("What does `[x for x in range(3)]` give?", True),
        ("<div class='a'>hi</div>", True),
        ("Why does this fail?\n\nimport numpy as np\nnp.zeros(3)", True),
        ("#include <stdio.h>\nint main(void) { return 0; }", True),
        ("package main\n\nfunc main() {}", True),
        ("$ git commit -m 'first'", True),
        ("docker run -it --rm ubuntu bash", True),
        ("Run this:\nnpm run build\nIt fails.", True),
        ("sudo systemctl restart nginx", True),
        ("ls -la | grep foo", True),
        ("curl -X POST https://api.example.com/v1", True),
        ("java.lang.Exception: no\n\tat com.foo.Bar.baz(Bar.java:42)", True),
        ("TypeError: no\n    at Object.<anonymous> (/app/index.js:10:5)", True),
        ("select * from t", True),
        ("select u.name, o.total from users u\njoin orders o on o.id = u.id", True),
        ("select name from users where id = 3", True),
        ("```json\n{}\n```\n```sh\nls\n```", True),
        ('What is this?\n```json\n{\n "a": null,\n "b": [1]\n}\n```', False),
        ("```yaml\na: 1\n```", False),
        ("git is a version control system", False),
        ("git push is rejected, why?", False),
        ("npm install fails, what do I do?", False),
        ("find all values of -x", False),
        ("curl your hair -- like this", False),
        ("at home (see page 3:4)", False),
        ("at Starbucks (Main St: 5)", False),
        ("select one from the list", False),
        ("Now select apples, pears from the basket please", False),
        ("import the data into Excel, then\nfrom there to the database", False),
        ("class of 1999 reunion: who comes?", False),
        ("let me know = soon", False),
        ("if you want, (say so) we go (maybe): yes", False),
        ('{"a": [1, 2], "b": {"c": null}}', False),
        ("- name: x\n  description: nothing\n", False),
        ("Let $f(x) = x^2$ and $g(x) = \\frac{1}{x}$. Find $f(g(2))$.", False),
        ("Please return the book to the library.", False),
        ("What is the capital of Austria?", False),
        ("Let me think; it is fine.", False),
    ],
)
def test_code(text, code):
    assert facts(text).code is code


@pytest.mark.parametrize(
    ("text", "math"),
    [
        ("Solve x^2 + 3x + 2 = 0", True),
        ("Compute the integral of sin x.", True),
        ("What is 12 * 17?", True),
        ("Beweise: $\\sqrt{2}$ ist irrational.", True),
        ("Tom buys 3 boxes of 12 eggs each and eats 5. How many eggs are left?", True),
        ("What is the derivative of sin(x)?", True),
        ("What is 15 percent of 240?", True),
        ("15% of $240", True),
        ("100/4", True),
        ("(3 + 4) ^ 2 =", True),
        ("12 ÷ 4?", True),
        ("12/3/2024", False),
        ("2024-11-29", False),
        ("+43 1 234567", False),
        ("192.168.0.1", False),
        ("What percent of people vote?", False),
        ("50% off today", False),
        ("How many people live in Vienna, and how many in Graz?", False),
        ("The price is $5 and the tax $2.", False),
        ("Summarize the meeting of 3 May 2024.", False),
        ("def f(x):\n    return x + 1", False),
    ],
)
def test_math(text, math):
    assert facts(text).math is math


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("What is the capital?\nA. Vienna\nB. Graz\nC. Linz\nD. Wels\nAnswer:", True),
        ("Pick one: (A) red (B) blue (C) green", True),
        ("Which is right?\na) this\nb) that", True),
        ("Notes:\nA. Smith came late.\nWe left.", False),
        ("A. Smith wrote to B. Jones and C. Brown.", False),
        ("Steps:\n1. open\n2. close\n3. leave", False),
        ("D. last\nC. third\nB. second", False),
    ],
)
def test_multiple_choice(text, given):
    assert facts(text).multiple_choice is given


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("What is the capital of Austria?", "what"),
        ("Which one is best?", "which"),
        ("Who wrote Faust?", "who"),
        ("When did it end?", "when"),
        ("So, where is it?", "where"),
        ("why is the sky blue", "why"),
        ("How do I boil an egg?", "how"),
        ("I have 3 hens. How many legs are that?", "how_many"),
        ("Is Vienna in Austria?", "yes_no"),
        ("In your view, should I go?", "yes_no"),
        ("Pick:\n(A) red\n(B) blue\n(C) green", "choice"),
        ("Please list three fruits.", "instruction"),
        ("Can you explain how yeast works?", "instruction"),
        ("Here is my text.\nSummarize it in a line.", "instruction"),
        ("Really?", "other"),
        ("¿Cuál es la capital?", "other"),
        ("Was ist das, und wie alt ist es?", "other"),
        ("See http://a.example/?q=what for more.", None),
        ("I like trains.", None),
        ("", None),
    ],
)
def test_question(text, question):
    assert facts(text).question == question


def test_lexical_facts():
    made = facts("The cat saw the 3 cats; das Mädchen 42.")
    # the cat saw the 3 cats das mädchen 42
    assert made.words == 9
    # 3 + 3 + 3 + 3 + 1 + 4 + 3 + 7 + 2 characters
    assert made.average_word_length == 3.22
    # all but the second "the"
    assert made.lexical_diversity == 0.889
    # 3 digits of 39 characters
    assert made.digits == 0.077


def test_lexical_facts_of_nothing_are_zero():
    made = facts("")
    values = made.words, made.average_word_length, made.lexical_diversity, made.digits
    assert values == (0, 0.0, 0.0, 0.0)


def test_messages_and_turns_are_counted_and_the_last_user_message_is_read():
    messages = [
        {"role": "system", "content": "Du bist ein Dichter und schreibst nicht auf Englisch."},
        {"role": "user", "content": "def f():\n    pass"},
        {"role": "assistant", "content": "Was ist das?"},
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "SELECT a FROM b"},
    ]
    made = facts(messages)
    assert (made.messages, made.turns) == (5, 2)
    assert (made.language, made.code, made.question) == ("en", False, "who")


def test_textual_facts_look_at_both_ends_of_a_long_message():
    middle = "word " * 100_000
    assert facts(f"{middle}\nWhy is that?").question == "why"
    assert facts(f"import os\n{middle}").code
    assert not facts(f"{middle}\nimport os\n{middle}").code
    # 16,000 and 4,000 characters, 5 to a word
    assert facts(middle).words == 4_000


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_has_facts(text):
    made = facts(text).view()
    assert made["language"] in (None, *LANGUAGES)
    assert made["question"] in (None, *QUESTIONS)
    assert 0 <= made["lexical_diversity"] <= 1
    assert 0 <= made["digits"] <= 1


@pytest.mark.parametrize(
    "odd", ["\ud800", "\0" * 30_000, "?" * 50_000, "\n" * 50_000, "(A" * 30_000]
)
def test_odd_texts_do_not_hurt(odd):
    assert tuple(facts(odd).view()) == FACTS


def test_the_task_is_the_callers_else_follows_from_code():
    assert facts("hi").task == "chat"
    assert facts("def f():\n    pass").task == "code"
    assert facts("def f():\n    pass", task="review").task == "review"


def test_only_the_named_facts_are_computed():
    made = facts("hi")
    assert made.view({"tools", "images"}) == {"tools": False, "images": False}
    computed = {"language", "code", "_text", "_features"} & made.__dict__.keys()
    assert not computed
    assert tuple(made.view()) == FACTS


def test_parts_may_be_a_tuple() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    parts = ({"type": "text", "text": "x " * 500}, image)
    told = [Facts(Request.of([{"role": "user", "content": kind(parts)}])) for kind in (list, tuple)]
    assert told[0].images
    assert told[1].images
    assert told[0].tokens_for("generic") == told[1].tokens_for("generic") > 100
