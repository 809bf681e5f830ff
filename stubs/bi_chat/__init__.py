"""bi-chat: answers token by token, by server-sent events, WebSocket and gRPC streams."""
