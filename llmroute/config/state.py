"""Where programs keep what they learn, apart from their configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_folder"]


def state_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Return the user's folder for llmroute's state; None where there is no home.

    It is `$XDG_STATE_HOME/llmroute`, else `~/.local/state/llmroute`; on macOS
    `~/Library/Application Support/llmroute`, on Windows `llmroute` in `%LOCALAPPDATA%`: the folders
    that the XDG Base Directory Specification and `platformdirs` name.
    """
    if platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return Path(local) / "llmroute" if local else None
    configured, home = environment.get("XDG_STATE_HOME"), environment.get("HOME")
    if configured and Path(configured).is_absolute():
        return Path(configured) / "llmroute"
    if not home:
        return None
    usual = "Library/Application Support" if platform == "darwin" else ".local/state"
    return Path(home) / usual / "llmroute"
