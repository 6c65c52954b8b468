from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time

import pytest
from sim_wire import ask, post

from llmroute.sim import Fault, SimFarm, run, simulate

CHAT = "/v1/chat/completions"


def test_all_five_and_their_environment() -> None:
    with SimFarm() as farm:
        environment = farm.environment("/usr/bin")
        assert environment["OPENAI_BASE_URL"] == f"{farm.openai.url}/v1"
        assert environment["ANTHROPIC_BASE_URL"] == farm.anthropic.url
        assert environment["OLLAMA_HOST"] == farm.ollama.url
        assert environment["LM_STUDIO_URL"] == farm.lm_studio.url
        assert environment["OPENAI_API_KEY"] == environment["ANTHROPIC_API_KEY"] == "sim"
        assert environment["PATH"] == f"{farm.claude.folder}:/usr/bin"
        assert shutil.which("claude", path=environment["PATH"]) == str(farm.claude.path)
        assert len({server.port for server in farm.servers.values()}) == 4


def test_the_key_is_demanded() -> None:
    with simulate("openai") as farm:
        asked = {"model": "gpt-6-sol", "messages": [{"role": "user", "content": "hi"}]}
        assert post(farm.openai, CHAT, asked).status == 401
        assert post(farm.openai, CHAT, asked, {"authorization": "Bearer sim"}).status == 200


def test_one_may_die_while_the_others_live() -> None:
    with SimFarm(("ollama", "lm_studio")) as farm:
        farm.ollama.kill()
        with pytest.raises(ConnectionRefusedError):
            ask(farm.ollama, "GET", "/")
        assert ask(farm["lm_studio"], "GET", "/v1/models").status == 200
        farm.ollama.revive()
        assert ask(farm.ollama, "GET", "/").status == 200


def test_a_farm_ends_with_a_hanging_reply() -> None:
    before = threading.active_count()
    with simulate("ollama") as farm:
        farm.ollama.script(Fault.hang(), scope="any")
        with pytest.raises(TimeoutError):
            _impatient(farm.ollama.port)
    assert threading.active_count() == before


def _impatient(port: int) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connection.recv(1)


def test_a_part_that_is_not_there() -> None:
    with simulate("ollama") as farm, pytest.raises(KeyError):
        _ = farm.claude
    with pytest.raises(ValueError, match="'gemini'; there are"):
        SimFarm(("gemini",))


def test_options_and_ports() -> None:
    with simulate("ollama") as first:
        port = first.ollama.port
    options = {"openai": {"models": ["only"], "key": None}}
    with SimFarm(("openai", "ollama"), ports={"ollama": port}, options=options) as farm:
        assert farm.ollama.port == port
        listed = ask(farm.openai, "GET", "/v1/models").json["data"]
        assert [one["id"] for one in listed] == ["only"]
        with pytest.raises(OSError, match="in use"):
            SimFarm(("openai", "ollama"), ports={"ollama": port}).start()


def test_run_says_what_to_export_and_stops() -> None:
    stop, said = threading.Event(), []
    thread = threading.Thread(target=run, args=(("ollama", "claude"), None, stop, said.append))
    thread.start()
    while len(said) < 2:
        time.sleep(0.005)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert said[0].startswith("export OLLAMA_HOST=http://127.0.0.1:")
    assert said[1].startswith('export PATH="/')
    assert said[1].endswith(':$PATH"')


def test_importing_the_room_loads_none_of_its_parts() -> None:
    code = (
        "import sys, llmroute.sim; "
        "print(*(name for name in sys.modules if name.startswith('llmroute.sim.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_program_loads_no_server() -> None:
    code = "import sys, llmroute.sim.claude; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
