"""Who may do what: users, roles, permissions and tokens. Pure: no sockets, the clock injected."""
