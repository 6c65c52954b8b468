"""What was asked and spent: a durable record of requests, attempts and money, and its budgets.

Nothing is imported here: take `Ledger` from `llmroute.ledger.ledger`, and what a workspace says of
it from `llmroute.ledger.settings`. SQLite is loaded when a store is opened, not before.
"""
