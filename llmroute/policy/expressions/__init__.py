"""Expressions: JMESPath parsed once, compiled to Python, with mistakes named by place."""
