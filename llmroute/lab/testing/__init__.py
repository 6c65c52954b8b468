"""Policy tests: cases, expectations, coverage and reports."""
