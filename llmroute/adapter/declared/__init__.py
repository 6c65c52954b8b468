"""Protocols that are declared in YAML: compiled once, then spoken like any other."""
