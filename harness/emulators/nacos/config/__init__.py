"""Configuration: entries, gray variants, tags, history, and who listens. Pure: no sockets, the clock injected."""
