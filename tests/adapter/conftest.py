"""The recorded examples lie beside the checkout; without them their tests are not collected."""

from __future__ import annotations

from tests.adapter.wire import SHARED

collect_ignore = [] if (SHARED / "wire").exists() else ["test_wire_examples.py"]
