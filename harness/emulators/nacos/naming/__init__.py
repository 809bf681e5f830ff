"""Naming: services, instances, who publishes and who subscribes. Pure: no sockets, the clock injected."""
