"""A link between a client and a server that misbehaves on request; plain Python, for it runs in containers too."""
