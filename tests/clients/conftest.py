"""The official client SDKs sit in a group of their own: requirements/clients.txt.

Without them nothing is collected here; the gate installs them and runs this folder by itself,
where collecting nothing is a failure.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("openai") and find_spec("anthropic") else ["test_*.py"]
