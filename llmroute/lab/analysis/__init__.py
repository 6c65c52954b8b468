"""Analyses: what a policy says that can make no difference."""
