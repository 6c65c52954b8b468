"""Many candidates at once: packed tables, bounds and the search for the winner."""
