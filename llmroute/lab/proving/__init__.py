"""Proofs: what holds for every request, and a concrete request where it does not."""
