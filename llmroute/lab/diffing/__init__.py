"""Diffs: which requests go elsewhere after a change."""
