"""Carrying out decisions: attempts, commit, fallback, deadlines and live state.

The router opens this room only when something is called, so that deciding stays light.
"""
