"""The registry of gRPC handlers: one request type, one handler."""

from __future__ import annotations

from harness.emulators.nacos.grpc.calls import Handler
from harness.emulators.nacos.grpc.handlers import config, connection, fuzzy, lock, naming

HANDLERS: tuple[Handler, ...] = (
    *connection.HANDLERS,
    *naming.HANDLERS,
    *config.HANDLERS,
    *fuzzy.HANDLERS,
    *lock.HANDLERS,
)
BY_TYPE = {handler.request: handler for handler in HANDLERS}
