"""Options and fixtures of the pytest plugin."""
