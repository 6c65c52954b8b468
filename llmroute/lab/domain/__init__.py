"""The finite set of requests that stands for all of them, as far as policies can tell."""
