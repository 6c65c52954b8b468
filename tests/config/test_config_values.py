"""Durations, variables in text, and what a URL's host is."""

from __future__ import annotations

import math

import pytest

from llmroute.config.addresses import AddressError, classify
from llmroute.config.durations import seconds
from llmroute.config.expand import UnsetVariable, base_url, expand

OLLAMA = "${OLLAMA_HOST:-http://127.0.0.1:11434}"
ANY = "0.0.0.0"  # noqa: S104 - an address to listen on, here in place of one to call


@pytest.mark.parametrize(
    ("written", "value"),
    [("500ms", 0.5), ("5s", 5.0), ("1.5m", 90.0), ("1h", 3600.0), (30, 30.0), (0.25, 0.25)],
)
def test_a_duration_is_seconds(written: float | str, value: float) -> None:
    assert seconds(written) == value


@pytest.mark.parametrize(
    "written",
    ["", "5", "5 s", "s", "-5s", "0s", 0, -1, True, math.inf, math.nan, "1d", "1e3s", "٣s"],
)
def test_what_is_no_duration_is_told(written: float | str) -> None:
    with pytest.raises(ValueError, match="write seconds above 0, or 500ms, 5s, 10m, 1h"):
        seconds(written)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain $HOME {x}", "plain $HOME {x}"),
        ("${A}", "one"),
        ("x${A}y${B:-two}z", "xoneytwoz"),
        ("${EMPTY:-full}", "full"),
        ("${B:-}", ""),
        ("${B:-http://h:1/p}", "http://h:1/p"),
    ],
)
def test_variables_are_replaced(text: str, value: str) -> None:
    assert expand(text, {"A": "one", "EMPTY": ""}) == value


def test_a_value_is_not_expanded_again() -> None:
    assert expand("${A}", {"A": "${B}", "B": "x"}) == "${B}"


def test_an_unset_variable_without_a_default_is_named() -> None:
    with pytest.raises(UnsetVariable, match="NOPE is not set") as caught:
        expand("${NOPE}", {"NOPE": ""})
    assert caught.value.name == "NOPE"


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${A-b}", "${1A}", "${A B}", "${:-x}"])
def test_a_malformed_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write \$\{NAME\} or \$\{NAME:-default\}"):
        expand(text, {"A": "one"})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        (ANY, "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("127.0.0.1:1234", "http://127.0.0.1:1234"),
        ("LOCALHOST", "http://LOCALHOST:11434"),
        ("gpu-box:8080", "http://gpu-box:8080"),
        ("gpu.example.com", "http://gpu.example.com:11434"),
        ("::1", "http://[::1]:11434"),
        ("gpu-box:1/base/", "http://gpu-box:1/base"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("https://ollama.example.com/", "https://ollama.example.com"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
    ],
)
def test_short_addresses_are_completed_from_the_default(host: str | None, url: str) -> None:
    environment = {} if host is None else {"OLLAMA_HOST": host}
    assert base_url(OLLAMA, environment) == url


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "gpu-box",
        "gpu-box/base",
        "/base",
        ":",
        "a:b",
        "x:80y",
        "u@x.org",
        "a b.c",
        "[x",
    ],
)
def test_a_variable_that_names_no_host_is_refused_by_its_name(value: str) -> None:
    text = "${OPENAI_BASE_URL:-https://api.openai.com/v1}"
    with pytest.raises(AddressError, match=r"^OPENAI_BASE_URL holds neither a URL nor a host$"):
        classify(base_url(text, {"OPENAI_BASE_URL": value}))


def test_a_written_url_stays() -> None:
    assert base_url("https://api.openai.com/v1/", {}) == "https://api.openai.com/v1"
    assert base_url("localhost:1", {}) == "localhost:1"


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("localhost", "loopback"),
        ("api.localhost", "loopback"),
        ("[::1]", "loopback"),
        ("[::ffff:127.0.0.1]", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.5", "private"),
        ("100.64.1.1", "private"),
        ("[fd00::1]", "private"),
        ("gpu-box", "private"),
        ("host.docker.internal", "private"),
        ("box.local", "private"),
        ("172.32.0.1", "public"),
        ("8.8.8.8", "public"),
        (ANY, "public"),
        ("[::ffff:8.8.8.8]", "public"),
        ("[2001:4860:4860::8888]", "public"),
        ("api.openai.com", "public"),
        ("api.openai.com.", "public"),
        ("localhost.example.com", "public"),
        ("evil-local", "private"),
    ],
)
def test_the_reach_of_a_host_is_read_from_its_text(host: str, reach: str) -> None:
    assert classify(f"http://{host}:8080/v1").reach == reach


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com",
        "http://",
        "https://user@example.com",
        "https://user:pass@example.com",
        "https://example.com/?key=1",
        "https://example.com/v1#x",
        "https://example.com:0",
        "https://example.com:99999",
        "https://[::1",
        "https://exa mple.com",
        "https://example.com\\@evil.com",
        "https://2130706433",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://1.2.3.4.5",
        "https://-x.example.com",
        "https://a..b",
    ],
)
def test_a_url_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        classify(url)
    assert caught.value.help
