"""Who can be called now: circuit breakers, rate limits, credentials, retry budgets.

Each part has its own clock and chance injected and calls nobody; `health.Health` joins them.
"""
