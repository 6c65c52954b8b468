"""The demo: a table of requests with what is expected of each, and the show that runs it."""
