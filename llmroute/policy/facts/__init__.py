"""Facts of a request: estimated tokens, language, code and the kind of question."""
