"""One candidate at a time: estimate, live facts, requirements, rules and preferences."""
