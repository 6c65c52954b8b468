"""What importing, loading and deciding may not do: load SDKs, or touch the network."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
touched = []
sys.addaudithook(lambda event, args: touched.append(event) if event.startswith("socket.") else None)
import llmroute
assert not any(name.startswith("llmroute.") for name in sys.modules), "a room was loaded"
from llmroute.config.shipped import data_root
router = llmroute.Router.load(data_root(), environment={"OPENAI_API_KEY": "x"})
assert router.decide("hi").winner is not None
heavy = {"litellm", "openai", "anthropic", "ollama", "httpx", "asyncio", "rich", "tenacity"}
loaded = sorted(heavy & set(sys.modules))
print("loaded", loaded, "touched", touched)
"""


def test_importing_loading_and_deciding_load_no_sdk_and_touch_no_network():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stdout == "loaded [] touched []\n", done.stdout + done.stderr
