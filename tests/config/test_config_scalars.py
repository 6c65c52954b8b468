"""Plain scalars: the values of YAML 1.2's core schema (its section 10.3.2), and what is refused."""

from __future__ import annotations

import pytest

from llmroute.config.scalars import Fault, quoted, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-19", -19),
        ("+12", 12),
        ("0x3A", 58),
        ("0.", 0.0),
        ("-0.0", 0.0),
        (".5", 0.5),
        ("+12.5e+03", 12500.0),
        ("3.0e-6", 0.000003),
        ("2.e-3", 0.002),
        ("2.50", 2.5),
        # text to YAML 1.2 and YAML 1.1 alike, dates apart, which stay text here
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("llama3.3:70b", "llama3.3:70b"),
        ("5s", "5s"),
        ("nO", "nO"),
        ("None", "None"),
        ("-", "-"),
        ("--flag", "--flag"),
        ("0o19", "0o19"),
        ("nan", "nan"),
    ],
)
def test_a_plain_scalar_has_the_value_of_the_core_schema(text: str, value: object) -> None:
    resolved = resolve(text)
    assert (type(resolved), resolved) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("yes", True), ("Yes", True), ("ON", True), ("y", True), ("no", False), ("off", False)],
)
def test_a_word_that_yaml_1_1_reads_as_a_boolean_is_refused(text: str, meant: bool) -> None:
    fault = resolve(text)
    assert isinstance(fault, Fault)
    assert fault.rule == "yaml-bool-word"
    assert fault.value is meant
    assert f'"{text}"' in fault.help
    assert str(meant).lower() in fault.help


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("3e-6", "3.0e-6 or 0.000003"),
        ("1E5", "1.0e+5 or 100000"),
        ("3.0e6", "3.0e+6 or 3000000"),
        ("-.5", "-0.5"),
        ("08", "8"),
        ("017", "17"),
        ("0o17", "15"),
        ("-0o17", "-15"),
        ("0b101", "5"),
        ("1_000", "1000"),
        ("1_000.5", "1000.5"),
        ("12:30", '"12:30"'),
        ("1:30:59", '"1:30:59"'),
        (".inf", "leave the key out"),
        ("-.Inf", "leave the key out"),
        (".NaN", "leave the key out"),
        ("1.0e+999", "a smaller number"),
        ("1" * 5000, "where text is meant"),
    ],
)
def test_a_number_that_readers_disagree_about_is_refused(text: str, written: str) -> None:
    fault = resolve(text)
    assert isinstance(fault, Fault)
    assert fault.rule == "yaml-number"
    assert written in fault.help


def test_the_value_that_was_meant_is_kept_for_the_next_check() -> None:
    assert resolve("3e-6").value == 0.000003
    assert resolve("0o17").value == 15
    assert resolve("017").value == 17


@pytest.mark.parametrize(
    "text", ["0" * 100_000, "1e" + "9" * 5000, "0_" * 50_000, "1:" * 9999 + "1"]
)
def test_an_absurd_number_is_refused_at_once(text: str) -> None:
    fault = resolve(text)
    assert isinstance(fault, Fault)
    assert len(fault.message) < 200
    assert len(fault.help) < 200


def test_quotes_are_chosen_so_that_nothing_needs_an_escape() -> None:
    assert quoted("!contains(tags, 'x')") == "\"!contains(tags, 'x')\""
    assert quoted('a "b" it\'s') == "'a \"b\" it''s'"
    assert quoted(r"back\slash") == r"'back\slash'"
